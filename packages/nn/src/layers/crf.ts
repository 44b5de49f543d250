/**
 * `crf`: the output layer of a sequence tagger, a linear-chain conditional random field (Lafferty et al. 2001; Lample et al.
 * 2016). Its outputs are the emissions x W + b, [B, T, K], which the loss `crf` combines with the transitions of the layer.
 */
import {
  add,
  linear,
  type MaskedSequence,
  type Parameter,
  type Shape,
  type Tensor,
  tensor,
  valueError,
} from '@unroll/core';
import { type AllowedTags, checkOptions, formatValue, setCrfOutput } from '@unroll/core/internal';
import type { Initializer } from '../initializers.js';
import { Layer, type LayerOptions } from '../layer.js';
import { LAYER } from '../option-names.js';
import type { Regularizer } from '../regularizers.js';

/** The tags and transitions that are allowed. The others have probability 0 in training and in decoding. */
export interface TagConstraints {
  /** [K][K]: whether the tag of the column may follow the tag of the row. */
  transitions: readonly (readonly boolean[])[];
  /** [K]: whether a sequence may begin with the tag. Default: all true. */
  start?: readonly boolean[];
  /** [K]: whether a sequence may end with the tag. Default: all true. */
  end?: readonly boolean[];
}

export interface CrfOptions extends LayerOptions {
  /** Number of tags K. */
  tags: number;
  /** Default: all tags and transitions are allowed. */
  constraints?: TagConstraints | null;
  /** False: the inputs are the emissions, [B, T, K], and the layer has neither W nor b. Default true. */
  useKernel?: boolean;
  /** Add a bias b to x W. Default true. */
  useBias?: boolean;
  /** Initialiser of W [I, K]. Default `glorotUniform`. */
  kernelInitializer?: Initializer;
  /** Initialiser of b [K]. Default `zeros`. */
  biasInitializer?: Initializer;
  /** Initialiser of the transitions [K, K] and of the start and end scores [K]. Default: uniform in [-0.1, 0.1). */
  transitionInitializer?: Initializer;
  /** Regularisers of W, and of the transitions. Default: none. */
  kernelRegularizer?: Regularizer | null;
  transitionRegularizer?: Regularizer | null;
}

/** The initialiser of pytorch-crf. */
const UNIFORM: Initializer = { className: 'randomUniform', config: { minval: -0.1, maxval: 0.1 } };

export class Crf extends Layer<CrfOptions> {
  static override readonly className = 'CRF';
  readonly #allowed: AllowedTags | null;
  #W: Parameter | null = null;
  #b: Parameter | null = null;
  #transitions!: Parameter;
  #start!: Parameter;
  #end!: Parameter;

  constructor(options: CrfOptions) {
    super(options);
    const { tags, constraints } = options;
    if (!Number.isInteger(tags) || tags < 1)
      throw this.error('value', `tags must be a positive integer, got ${formatValue(tags)}.`, { tags });
    this.#allowed = constraints ? allowedTags(this.label, constraints, tags) : null;
  }

  outputShapes([x]: readonly Shape[]): Shape[] {
    const { tags, useKernel = true } = this.options;
    const width = !useKernel ? tags : this.#W ? this.#W.shape[0] : (x.at(-1) ?? -1);
    if (x.length !== 3 || x[2] !== width || width < 1) {
      const remedy =
        x.length !== 3
          ? 'Set returnSequences: true in the last recurrent layer.'
          : width < 1
            ? 'The number of features must be known.'
            : useKernel
              ? ''
              : 'With useKernel: false, the input must have one score per tag.';
      throw this.shapeError(x, `[batch, time, ${width > 0 ? width : 'features'}]`, remedy);
    }
    return [[x[0], x[1], tags]];
  }

  protected override makeParameters([x]: readonly Shape[]): void {
    const { tags, useKernel = true, useBias = true, ...o } = this.options;
    const { transitionInitializer = UNIFORM } = o;
    if (useKernel) {
      const regularizer = o.kernelRegularizer;
      this.#W = this.addParameter('kernel', [x[2], tags], o.kernelInitializer ?? 'glorotUniform', {
        regularizer,
      });
      if (useBias) this.#b = this.addParameter('bias', [tags], o.biasInitializer ?? 'zeros');
    }
    const regularizer = o.transitionRegularizer;
    this.#transitions = this.addParameter('transitions', [tags, tags], transitionInitializer, {
      regularizer,
    });
    this.#start = this.addParameter('start', [tags], transitionInitializer);
    this.#end = this.addParameter('end', [tags], transitionInitializer);
  }

  call([x]: readonly MaskedSequence[]): MaskedSequence[] {
    // A new tensor, because other layers may use the input, which must not be marked as the output of this layer.
    const value = this.#W ? linear(x.value, this.#W, this.#b) : add(x.value, 0);
    const allowed = this.#allowed;
    setCrfOutput(value, {
      scores: () => ({
        transitions: restrict(this.#transitions, allowed?.transitions.flat()),
        start: restrict(this.#start, allowed?.start),
        end: restrict(this.#end, allowed?.end),
      }),
      allowed,
    });
    return [{ value, mask: x.mask }];
  }

  override streaming(inputs: readonly boolean[]): boolean[] {
    return [...inputs];
  }
}

/** Returns the scores with -∞ where `allowed` is false; undefined: all are allowed. */
function restrict(scores: Parameter, allowed: readonly boolean[] | undefined): Tensor {
  if (!allowed) return scores;
  const values = allowed.map((isAllowed) => (isAllowed ? 0 : Number.NEGATIVE_INFINITY));
  return add(scores, tensor(values, scores.shape));
}

/** Checks the constraints and adds the defaults. */
function allowedTags(label: string, constraints: TagConstraints, tags: number): AllowedTags {
  const { transitions, start, end } = constraints;
  const isRow = (row: unknown): row is readonly boolean[] =>
    Array.isArray(row) && row.length === tags && row.every((value) => typeof value === 'boolean');
  const allAllowed = new Array<boolean>(tags).fill(true);
  if (!Array.isArray(transitions) || transitions.length !== tags || !transitions.every(isRow)) {
    throw valueError(
      `${label}: constraints.transitions must be ${tags} rows of ${tags} booleans, got ${formatValue(transitions)}.`,
      { tags },
    );
  }
  for (const [name, row] of [['start', start] as const, ['end', end] as const]) {
    if (row === undefined || isRow(row)) continue;
    throw valueError(
      `${label}: constraints.${name} must be a list of ${tags} booleans, got ${formatValue(row)}.`,
      {
        tags,
      },
    );
  }
  return { transitions, start: start ?? allAllowed, end: end ?? allAllowed };
}

/**
 * Creates the output layer of a tagger: [B, T, I] to emissions [B, T, tags]. Compile the model with the loss `crf`, and
 * decode with `decodeTags`, because the best tags of a sequence also depend on the transitions:
 *
 *     const tagger = sequential([embedding(...), bidirectional(lstm({ units: 64, returnSequences: true })), crf({ tags: 9 })]);
 *     tagger.compile({ loss: 'crf', metrics: ['crfAccuracy'] });
 *
 * The weights of the layer are kernel [I, tags], bias [tags], transitions [tags, tags] (from the tag of the row to the tag
 * of the column), start [tags] and end [tags].
 * @throws UnrollError `value` for an unknown option or invalid constraints
 */
export function crf(options: CrfOptions): Crf {
  checkOptions('crf', options, {
    tags: 'count',
    constraints: true,
    useKernel: 'boolean',
    useBias: 'boolean',
    kernelInitializer: true,
    biasInitializer: true,
    transitionInitializer: true,
    kernelRegularizer: true,
    transitionRegularizer: true,
    ...LAYER,
  });
  return new Crf(options);
}
