/**
 * A decoder with attention (Bahdanau et al. 2015, Luong et al. 2015): a cell that attends to the outputs of an encoder, the
 * memory, at every step. The decoder wraps any cell.
 *
 *   h, s ← cell([x; a'], s)            s: states of the inner cell; a': previous output, with inputFeeding
 *   α_j = softmax_j(score(h, m_j))     alignment over the valid steps j of the memory
 *   c = Σ_j α_j m_j                    context
 *   a = φ([c; h] Wc)                   output
 *
 * The states are s and, with inputFeeding, a. The layer takes initial states for s only.
 */
import {
  concat,
  matmul,
  mul,
  type Parameter,
  reshape,
  type Shape,
  type Tensor,
  valueError,
  zeros,
} from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type Activation, activation } from '../activations.js';
import { type AttentionMemory, align, contextOf, prepareMemory } from '../attention/score.js';
import { cleanConfig } from '../json.js';
import { AttentionLayer } from '../layers/attention.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { recurrentOptions } from '../option-names.js';
import type { BuildTools } from '../registry.js';
import { runAligned } from './alignments.js';
import {
  type Cell,
  type CellConstants,
  type CellMasks,
  type CellState,
  type ParameterMaker,
  type SequenceContext,
  type SequenceResult,
  type StepContext,
  type StepResult,
  zeroState,
} from './cell.js';
import { checkUnits } from './matrix-cell.js';
import { stepCell } from './run.js';

/** Options of the decoder's cell. */
export interface AttentionDecoderCellOptions {
  /** Width of the output a. Default: the units of the inner cell. */
  units?: number;
  /** φ. Default `tanh`. */
  activation?: Activation;
  /** The inner cell also reads the previous output a' (Luong et al. 2015). Default true. */
  inputFeeding?: boolean;
  /** The layer returns the alignments [B, T, S] of all steps as its last output. Default false. */
  returnAlignments?: boolean;
}

export type AttentionDecoderOptions = AttentionDecoderCellOptions & RecurrentOptions;

const NO_MASKS: CellMasks = { inputMask: null, recurrentDropoutMask: null };
/** Name of the state a. It differs from the names of all states of built-in cells. */
const OUTPUT_STATE = 'attention';

export class AttentionDecoderCell implements Cell<CellState, 'memory'> {
  static readonly className = 'AttentionDecoderCell';
  readonly className = AttentionDecoderCell.className;
  readonly constants = ['memory'] as const;
  readonly units: number;
  readonly stateSizes: Readonly<Record<string, number>>;
  readonly initialStates: readonly string[];
  /** The inner cell. */
  readonly cells: readonly [Cell];
  readonly attention: AttentionLayer;
  readonly extraOutputs: readonly string[];
  readonly #options: AttentionDecoderCellOptions;
  readonly #phi: (x: Tensor) => Tensor;
  #Wc!: Parameter;

  constructor(cell: Cell, attention: AttentionLayer, options: AttentionDecoderCellOptions = {}) {
    this.cells = [cell];
    this.attention = attention;
    this.#options = options;
    this.units = options.units ?? cell.units;
    checkUnits(this.className, this.units);
    this.#phi = activation(options.activation ?? 'tanh', this.className);
    this.initialStates = Object.keys(cell.stateSizes);
    this.stateSizes = { ...cell.stateSizes, ...(this.#inputFeeding && { [OUTPUT_STATE]: this.units }) };
    this.extraOutputs = options.returnAlignments ? ['alignment'] : [];
    if (this.initialStates.includes(OUTPUT_STATE))
      throw valueError(
        `attentionDecoder: ${cell.className} already has a state named "${OUTPUT_STATE}". Rename it.`,
      );
  }

  static fromConfig(
    { cell, attention, ...options }: Record<string, unknown>,
    build: BuildTools,
  ): AttentionDecoderCell {
    return new AttentionDecoderCell(build.cell(cell), build.layer(attention) as AttentionLayer, options);
  }

  get #inputFeeding(): boolean {
    return this.#options.inputFeeding ?? true;
  }

  get config(): Readonly<Record<string, unknown>> {
    const [cell] = this.cells;
    return {
      ...this.#options,
      cell: { className: cell.className, config: cell.config },
      attention: this.attention.config,
    };
  }

  /** Returns the width of the inner cell's input. */
  innerInputSize(inputSize: number): number {
    return inputSize + (this.#inputFeeding ? this.units : 0);
  }

  build(inputSize: number, make: ParameterMaker, { memory }: Readonly<Record<'memory', Shape>>): void {
    const [cell] = this.cells;
    const width = memory[memory.length - 1];
    cell.build(this.innerInputSize(inputSize), (name, ...rest) => make(`cell/${name}`, ...rest), {});
    this.attention.score.build((name, ...rest) => make(`attention/${name}`, ...rest), cell.units, width);
    this.#Wc = make('context_kernel', [width + cell.units, this.units], 'glorotUniform');
  }

  extraShapes([B, T]: Shape, { memory }: Readonly<Record<'memory', Shape>>): Shape[] {
    return this.extraOutputs.map(() => [B, T, memory[1]]);
  }

  prepare({ memory }: CellConstants<'memory'>): Record<string, Tensor> {
    const { value, mask } = memory;
    return { ...prepareMemory(this.attention.score, value, value, mask) };
  }

  zeroState(batch: number): CellState {
    const [cell] = this.cells;
    const state = zeroState(cell, batch, {});
    return this.#inputFeeding ? { ...state, [OUTPUT_STATE]: zeros([batch, this.units]) } : state;
  }

  step(
    x: Tensor,
    state: CellState,
    context: StepContext<'memory'>,
  ): StepResult & { gates: { alignment: Tensor } } {
    const [cell] = this.cells;
    const { [OUTPUT_STATE]: previousOutput, ...cellState } = state;
    const { inputMask, ...masks } = context.inner?.[0] ?? NO_MASKS;
    const joined = this.#inputFeeding ? concat([x, previousOutput], -1) : x;
    const input = inputMask ? mul(joined, inputMask) : joined;
    const inner = stepCell(cell, input, cellState, { ...masks, constants: {}, prepared: {} });
    const memory = context.prepared as unknown as AttentionMemory;
    const [B, H] = inner.y.shape;
    const alignment = align(this.attention.score, reshape(inner.y, [B, 1, H]), memory);
    const attended = contextOf(alignment, memory);
    const D = attended.shape[2];
    const y = this.#phi(matmul(concat([reshape(attended, [B, D]), inner.y], -1), this.#Wc));
    return {
      y,
      state: this.#inputFeeding ? { ...inner.state, [OUTPUT_STATE]: y } : inner.state,
      gates: { alignment: reshape(alignment, [B, alignment.shape[2]]) },
    };
  }

  /** Runs all steps and, with `returnAlignments`, collects the alignments. */
  sequence(x: Tensor, state: CellState | null, context: SequenceContext<'memory'>): SequenceResult | null {
    if (this.extraOutputs.length === 0) return null;
    return runAligned(this, x, state ?? this.zeroState(x.shape[0]), context);
  }
}

/** Options of attention layers that have no meaning in a decoder. */
const LAYER_ONLY = ['dropout', 'useCausalMask', 'returnAttentionScores', 'activityRegularizer'];

const OPTIONS = {
  units: 'count',
  activation: true,
  inputFeeding: 'boolean',
  returnAlignments: 'boolean',
} as const;

/**
 * Creates a decoder layer that attends to a memory. Its inputs are the target sequence x [B, T, I], optionally initial
 * states of the cell, and the memory [B, S, D] as its constant:
 *
 *     const decoder = attentionDecoder(lstmCell({ units: 256 }), additiveAttention({ units: 128 }), { returnSequences: true });
 *     const decoded = decoder.apply(target, { initialState: [h, c], constants: [encoded] });
 *
 * The output is [B, T, units] with `returnSequences`, otherwise [B, units]; then the states with `returnState`, then the
 * alignments [B, T, S] with `returnAlignments`. Masked steps of the memory have no weight.
 * @param cell any cell, including `stackedCells`
 * @param attention `attention()` or `additiveAttention()`, without the options that have no meaning in a decoder (`dropout`,
 * `useCausalMask`, `returnAttentionScores`, `activityRegularizer`)
 * @throws UnrollError `value` if an argument has another type, or if the attention has one of these options. When the
 * layer is built: `shape` if the attention does not support the widths of the cell and of the memory
 */
export function attentionDecoder(
  cell: Cell,
  attention: AttentionLayer,
  options: AttentionDecoderOptions = {},
): Recurrent {
  if (typeof cell?.step !== 'function') {
    throw valueError(
      `attentionDecoder takes a cell first, as in attentionDecoder(lstmCell({ units: 8 }), attention()), got ${formatValue(cell)}.`,
    );
  }
  if (!(attention instanceof AttentionLayer)) {
    throw valueError(
      `attentionDecoder takes attention() or additiveAttention() as its second argument, got ${formatValue(attention)}.`,
    );
  }
  const { config } = attention.config;
  const unused = LAYER_ONLY.find((name) => config[name]);
  if (unused) {
    throw valueError(
      `attentionDecoder: the option ${unused} of ${attention.label} does not apply in a decoder. Remove it` +
        `${unused === 'returnAttentionScores' ? ' and set returnAlignments on the decoder' : ''}.`,
    );
  }
  checkOptions('attentionDecoder', options, { ...OPTIONS, ...recurrentOptions() });
  const { units, activation, inputFeeding, returnAlignments, ...layerOptions } = options;
  const cellOptions = { units, activation, inputFeeding, returnAlignments };
  return new Recurrent(new AttentionDecoderCell(cell, attention, cleanConfig(cellOptions)), layerOptions);
}
