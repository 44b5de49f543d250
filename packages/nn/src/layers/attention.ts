/**
 * Attention layers over sequences. Inputs are the queries [B, Q, D], the values [B, S, D'] and, optionally, the keys [B, S,
 * D''] (default: the values), as in Keras. The output is one context [B, Q, D'] per query. Masked steps of the values get
 * the weight 0; if all steps of a sequence are masked, its context is 0 (in Keras: the mean of the padding).
 */
import { type ForwardContext, type MaskedSequence, mul, type Shape, sub, type Tensor } from '@unroll/core';
import { checkOptions, nameHint } from '@unroll/core/internal';
import {
  AdditiveScore,
  align,
  ConcatScore,
  contextOf,
  ProductScore,
  prepareMemory,
  type Score,
} from '../attention/score.js';
import { checkRate, checkUnits } from '../cells/matrix-cell.js';
import { Layer, type LayerOptions } from '../layer.js';
import { maskWhere, zeroMaskedSteps } from '../masks.js';
import { LAYER } from '../option-names.js';

/** Options of every attention layer. */
interface AttentionBaseOptions extends LayerOptions {
  /** Dropout rate of the alignment. Default 0. */
  dropout?: number;
  /** Query i attends only to the steps 0 to i of the values. Default false. */
  useCausalMask?: boolean;
  /** Return the alignment [B, Q, S] as a second output. Default false. */
  returnAttentionScores?: boolean;
}

const SCORE_MODES = ['dot', 'scaledDot', 'general', 'concat'] as const;
export type ScoreMode = (typeof SCORE_MODES)[number];

export interface AttentionOptions extends AttentionBaseOptions {
  /**
   * - `dot` (default): q · k
   * - `scaledDot`: q · k / √D
   * - `general`: q · (k W), which allows different widths
   * - `concat`: w Σ tanh(q + k) with a learned number w, as in Keras. Luong's `concat`, which has matrices, is
   *   `additiveAttention({ units })`.
   */
  scoreMode?: ScoreMode;
  /** Multiply the scores (`concat`: q + k, before the tanh) by a trained number, initially 1. Default false. */
  useScale?: boolean;
}

export interface AdditiveAttentionOptions extends AttentionBaseOptions {
  /**
   * Width to which queries and keys are projected before they are added, as in Bahdanau et al. 2015. Default: no
   * projection, as in Keras; queries and keys must then have the same width.
   */
  units?: number;
  /** Multiply the activations by a trained vector before they are summed. Default true. */
  useScale?: boolean;
}

export abstract class AttentionLayer<O extends AttentionBaseOptions = AttentionBaseOptions> extends Layer<O> {
  /** Compares queries with keys. */
  abstract readonly score: Score;

  outputShapes(inputs: readonly Shape[]): Shape[] {
    const [query, value, key = value] = inputs;
    if (inputs.length < 2 || inputs.length > 3) {
      throw this.error(
        'shape',
        `takes the inputs [query, value] or [query, value, key], got ${inputs.length}.`,
      );
    }
    for (const shape of inputs)
      if (shape.length !== 3) throw this.shapeError(shape, 'a sequence [batch, time, features]');
    if (value[1] !== key[1] && value[1] !== -1 && key[1] !== -1)
      throw this.shapeError(key, `keys with ${value[1]} steps, like the values`);
    if (query[0] !== value[0] && query[0] !== -1 && value[0] !== -1)
      throw this.shapeError(value, `values with batch size ${query[0]}, like the queries`);
    const context = [query[0], query[1], value[2]];
    return this.options.returnAttentionScores ? [context, [query[0], query[1], value[1]]] : [context];
  }

  protected override makeParameters([query, value, key = value]: readonly Shape[]): void {
    this.score.build((...parameter) => this.addParameter(...parameter), query[2], key[2]);
  }

  call([query, value, key = value]: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    const { dropout = 0, useCausalMask, returnAttentionScores } = this.options;
    const [Q, S] = [query.value.shape[1], value.value.shape[1]];
    const memory = prepareMemory(this.score, key.value, value.value, value.mask);
    let alignment = align(this.score, query.value, memory, useCausalMask ? causalBias(Q, S) : null);
    if (context.training && dropout > 0)
      alignment = mul(alignment, context.random.dropoutMask(alignment.shape, dropout));
    const outputs = contextOf(alignment, memory);
    const { mask } = query;
    const result = [{ value: mask ? zeroMaskedSteps(outputs, mask) : outputs, mask }];
    return returnAttentionScores ? [...result, { value: alignment, mask }] : result;
  }

  /** Returns whether the outputs are streamed: they are if the queries are. @throws UnrollError unless the values are fixed */
  override streaming([query, ...others]: readonly (boolean | null)[]): boolean[] {
    if (others.some((input) => input !== null))
      throw this.nonCausal('attends to a whole sequence, which must be a fixed input of stream()');
    if (this.options.useCausalMask) throw this.nonCausal('has a causal mask, which depends on the step');
    return this.options.returnAttentionScores ? [query === true, query === true] : [query === true];
  }
}

export class Attention extends AttentionLayer<AttentionOptions> {
  static override readonly className = 'Attention';
  readonly score: Score;

  constructor(options: AttentionOptions = {}) {
    super(options);
    const { scoreMode = 'dot', useScale = false } = options;
    checkRate(this.label, 'dropout', options.dropout);
    if (!SCORE_MODES.includes(scoreMode)) {
      throw this.error(
        'value',
        `there is no scoreMode "${String(scoreMode)}". ${nameHint(scoreMode, SCORE_MODES)}`,
      );
    }
    this.score =
      scoreMode === 'concat'
        ? new ConcatScore(useScale, this.label)
        : new ProductScore(scoreMode, useScale, this.label);
  }
}

export class AdditiveAttention extends AttentionLayer<AdditiveAttentionOptions> {
  static override readonly className = 'AdditiveAttention';
  readonly score: Score;

  constructor(options: AdditiveAttentionOptions = {}) {
    super(options);
    const { units = null, useScale = true } = options;
    checkRate(this.label, 'dropout', options.dropout);
    if (units !== null) checkUnits(this.label, units);
    this.score = new AdditiveScore(units, useScale, this.label);
  }
}

/** Returns the bias [Q, S] of a causal mask: 0 if query i may attend to step j of the values (j <= i), else -1e9. */
function causalBias(Q: number, S: number): Tensor {
  return mul(
    sub(
      maskWhere(Q, S, (i, j) => j <= i),
      1,
    ),
    1e9,
  );
}

const BASE = {
  dropout: 'fraction',
  useCausalMask: 'boolean',
  returnAttentionScores: 'boolean',
  ...LAYER,
} as const;

/**
 * Creates a multiplicative attention layer (Luong et al. 2015; Keras's `Attention`): `attention().apply([query, value])`.
 * @throws UnrollError `value` for an unknown scoreMode. When the layer is built: `shape` if queries and keys have different
 * widths, unless scoreMode is `general`
 */
export function attention(options: AttentionOptions = {}): Attention {
  checkOptions('attention', options, { scoreMode: true, useScale: 'boolean', ...BASE });
  return new Attention(options);
}

/**
 * Creates an additive attention layer (Bahdanau et al. 2015; without `units` Keras's `AdditiveAttention`):
 * `additiveAttention({ units: 128 }).apply([query, value])`.
 * @throws UnrollError when the layer is built: `shape` if queries and keys have different widths, unless `units` is set
 */
export function additiveAttention(options: AdditiveAttentionOptions = {}): AdditiveAttention {
  checkOptions('additiveAttention', options, { units: 'count', useScale: 'boolean', ...BASE });
  return new AdditiveAttention(options);
}
