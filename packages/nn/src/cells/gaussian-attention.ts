/**
 * A decoder with GMM attention, which moves forward along the memory, the outputs of an encoder (Graves 2013; the variant
 * V2 of Battenberg et al. 2020). The attention weights of a step are a mixture of K Gaussian curves over the positions j of
 * the memory. The means of the curves only increase, so the alignment is monotonic. This suits speech, where the outputs
 * follow the inputs in order. The attention weights do not depend on the content of the memory.
 *
 *   h, s ← cell([x; a'], s)                          s: states of the inner cell; a': previous output
 *   ŵ, Δ̂, σ̂ = tanh(h V + v) U + u                    three vectors of K numbers; u is 0 for ŵ
 *   w = softmax(ŵ),  μ ← μ + softplus(Δ̂),  σ = softplus(σ̂) + 0.05
 *   α_j = Σ_k w_k / (√(2π) σ_k) exp(-(j - μ_k)² / (2 σ_k²))
 *   c = Σ_j α_j m_j                                  context: m_j is step j of the memory
 *   a = tanh([c; h] Wc)                              output
 *
 * The states are s, a and μ. The layer takes initial states for s only.
 */
import {
  add,
  concat,
  div,
  exp,
  matmul,
  mul,
  type Parameter,
  reshape,
  type Shape,
  slice,
  softmax,
  softplus,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
  tensor,
  valueError,
  zeros,
} from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { constant } from '../initializers.js';
import { cleanConfig } from '../json.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { zeroMaskedSteps } from '../masks.js';
import { recurrentOptions } from '../option-names.js';
import type { BuildTools } from '../registry.js';
import { runAligned } from './alignments.js';
import {
  type Cell,
  type CellConstants,
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
export interface GaussianAttentionCellOptions {
  /** Width of the output a. Default: the units of the inner cell. */
  units?: number;
  /** K, the number of Gaussian curves. Default 5. */
  components?: number;
  /** Width of the hidden layer that computes the curves. Default 128. */
  hiddenUnits?: number;
  /** Approximate number of positions by which an untrained decoder moves the means in each step. Default 1. */
  initialStep?: number;
  /** Approximate standard deviation of the curves of an untrained decoder, in positions. Default 3. */
  initialWidth?: number;
  /** The layer returns the alignments [B, T, S] of all steps as its last output. Default false. */
  returnAlignments?: boolean;
}

export type GaussianAttentionOptions = GaussianAttentionCellOptions & RecurrentOptions;

/** Names of the states a and μ. They differ from the names of all states of built-in cells. */
const OUTPUT_STATE = 'attention';
const MEANS_STATE = 'means';
/** Added to standard deviations, so that a curve cannot shrink to a point. */
const MIN_WIDTH = 0.05;

/** Values that all steps share: the memory [B, S, D], 0 at masked steps, and the positions [B, 1, S]. */
type Prepared = { values: Tensor; positions: Tensor };

export class GaussianAttentionDecoderCell implements Cell<CellState, 'memory', Prepared> {
  static readonly className = 'GaussianAttentionDecoderCell';
  readonly className = GaussianAttentionDecoderCell.className;
  readonly constants = ['memory'] as const;
  readonly units: number;
  readonly stateSizes: Readonly<Record<string, number>>;
  readonly initialStates: readonly string[];
  /** The inner cell. */
  readonly cells: readonly [Cell];
  readonly extraOutputs: readonly string[];
  readonly #options: GaussianAttentionCellOptions;
  readonly #components: number;
  #V!: Parameter;
  #v!: Parameter;
  #U!: Parameter;
  #stepBias!: Parameter;
  #widthBias!: Parameter;
  #Wc!: Parameter;

  constructor(cell: Cell, options: GaussianAttentionCellOptions = {}) {
    this.cells = [cell];
    this.#options = options;
    this.units = options.units ?? cell.units;
    checkUnits(this.className, this.units);
    this.#components = options.components ?? 5;
    this.initialStates = Object.keys(cell.stateSizes);
    this.stateSizes = { ...cell.stateSizes, [OUTPUT_STATE]: this.units, [MEANS_STATE]: this.#components };
    this.extraOutputs = options.returnAlignments ? ['alignment'] : [];
    const reservedName = this.initialStates.find((name) => name === OUTPUT_STATE || name === MEANS_STATE);
    if (reservedName !== undefined)
      throw valueError(
        `gaussianAttentionDecoder: ${cell.className} already has a state named "${reservedName}". Rename it.`,
      );
    for (const name of ['initialStep', 'initialWidth'] as const)
      if (!((options[name] ?? 1) > 0))
        throw valueError(`gaussianAttentionDecoder: ${name} must be above 0, got ${options[name]}.`);
  }

  static fromConfig(
    { cell, ...options }: Record<string, unknown>,
    build: BuildTools,
  ): GaussianAttentionDecoderCell {
    return new GaussianAttentionDecoderCell(build.cell(cell), options);
  }

  get config(): Readonly<Record<string, unknown>> {
    const [cell] = this.cells;
    return { ...this.#options, cell: { className: cell.className, config: cell.config } };
  }

  /** Returns the width of the inner cell's input. */
  innerInputSize(inputSize: number): number {
    return inputSize + this.units;
  }

  build(inputSize: number, make: ParameterMaker, { memory }: Readonly<Record<'memory', Shape>>): void {
    const [cell] = this.cells;
    const { hiddenUnits = 128, initialStep = 1, initialWidth = 3 } = this.#options;
    const K = this.#components;
    cell.build(this.innerInputSize(inputSize), (name, ...rest) => make(`cell/${name}`, ...rest), {});
    this.#V = make('hidden_kernel', [cell.units, hiddenUnits], 'glorotUniform');
    this.#v = make('hidden_bias', [hiddenUnits], 'zeros');
    this.#U = make('curve_kernel', [hiddenUnits, 3 * K], 'glorotUniform');
    this.#stepBias = make('step_bias', [K], constant({ value: inverseSoftplus(initialStep) }));
    this.#widthBias = make('width_bias', [K], constant({ value: inverseSoftplus(initialWidth) }));
    const width = memory[memory.length - 1];
    this.#Wc = make('context_kernel', [width + cell.units, this.units], 'glorotUniform');
  }

  extraShapes([B, T]: Shape, { memory }: Readonly<Record<'memory', Shape>>): Shape[] {
    return this.extraOutputs.map(() => [B, T, memory[1]]);
  }

  prepare({ memory }: CellConstants<'memory'>): Prepared {
    const { value, mask } = memory;
    const [B, S] = value.shape;
    const positions = Float32Array.from({ length: B * S }, (_, i) => i % S);
    return {
      values: mask ? zeroMaskedSteps(value, mask) : value,
      positions: tensor(positions, [B, 1, S]),
    };
  }

  zeroState(batch: number): CellState {
    const [cell] = this.cells;
    return {
      ...zeroState(cell, batch, {}),
      [OUTPUT_STATE]: zeros([batch, this.units]),
      [MEANS_STATE]: zeros([batch, this.#components]),
    };
  }

  step(
    x: Tensor,
    state: CellState,
    context: StepContext<'memory', Prepared>,
  ): StepResult & { gates: { alignment: Tensor } } {
    const [cell] = this.cells;
    const { [OUTPUT_STATE]: previousOutput, [MEANS_STATE]: means, ...cellState } = state;
    const { inputMask = null, ...masks } = context.inner?.[0] ?? { recurrentDropoutMask: null };
    const joined = concat([x, previousOutput], -1);
    const input = inputMask ? mul(joined, inputMask) : joined;
    const { y: h, state: next } = stepCell(cell, input, cellState, { ...masks, constants: {}, prepared: {} });
    const { values, positions } = context.prepared;
    const { alignment, means: nextMeans } = this.#align(h, means, positions);
    const [B, S, D] = values.shape;
    const attended = reshape(matmul(reshape(alignment, [B, 1, S]), values), [B, D]);
    const y = tanh(matmul(concat([attended, h], -1), this.#Wc));
    const { mask } = context.constants.memory;
    return {
      y,
      state: { ...next, [OUTPUT_STATE]: y, [MEANS_STATE]: nextMeans },
      gates: { alignment: mask ? mul(alignment, mask) : alignment },
    };
  }

  /** Returns the alignment [B, S] and the new means [B, K]. */
  #align(h: Tensor, means: Tensor, positions: Tensor): { alignment: Tensor; means: Tensor } {
    const K = this.#components;
    const B = h.shape[0];
    const curves = matmul(tanh(add(matmul(h, this.#V), this.#v)), this.#U);
    const part = (index: number): Tensor => slice(curves, 1, index * K, (index + 1) * K);
    const weights = softmax(part(0));
    const nextMeans = add(means, softplus(add(part(1), this.#stepBias)));
    const widths = add(softplus(add(part(2), this.#widthBias)), MIN_WIDTH);
    const column = (x: Tensor): Tensor => reshape(x, [B, K, 1]);
    const distances = div(sub(positions, column(nextMeans)), column(widths));
    const heights = mul(div(weights, widths), 1 / Math.sqrt(2 * Math.PI));
    const densities = mul(exp(mul(square(distances), -0.5)), column(heights));
    return { alignment: sum(densities, 1), means: nextMeans };
  }

  /** Runs all steps and, with `returnAlignments`, collects the alignments. */
  sequence(
    x: Tensor,
    state: CellState | null,
    context: SequenceContext<'memory', Prepared>,
  ): SequenceResult | null {
    if (this.extraOutputs.length === 0) return null;
    return runAligned(this, x, state ?? this.zeroState(x.shape[0]), context);
  }
}

/** Returns x with softplus(x) = y. */
const inverseSoftplus = (y: number): number => y + Math.log(-Math.expm1(-y));

const OPTIONS = {
  units: 'count',
  components: 'count',
  hiddenUnits: 'count',
  initialStep: 'number',
  initialWidth: 'number',
  returnAlignments: 'boolean',
} as const;

/**
 * Creates a decoder layer with GMM attention, which moves forward along a memory. The inputs of the layer are the sequence
 * x [B, T, I], optionally initial states of the cell, and the memory [B, S, D] as its constant:
 *
 *     const decoder = gaussianAttentionDecoder(lstmCell({ units: 256 }), { initialStep: 0.7, returnSequences: true });
 *     const decoded = decoder.apply(frames, { constants: [encoded] });
 *
 * The output is [B, T, units] with `returnSequences`, otherwise [B, units]; then the states with `returnState`, then the
 * alignments [B, T, S] with `returnAlignments`. Masked steps of the memory have no weight.
 * @param cell any cell, including `stackedCells`
 * @throws UnrollError `value` if the first argument is not a cell, and for unknown or invalid options
 */
export function gaussianAttentionDecoder(cell: Cell, options: GaussianAttentionOptions = {}): Recurrent {
  if (typeof cell?.step !== 'function') {
    throw valueError(
      `gaussianAttentionDecoder takes a cell first, as in gaussianAttentionDecoder(lstmCell({ units: 8 })), got ${formatValue(cell)}.`,
    );
  }
  checkOptions('gaussianAttentionDecoder', options, { ...OPTIONS, ...recurrentOptions() });
  const { units, components, hiddenUnits, initialStep, initialWidth, returnAlignments, ...layerOptions } =
    options;
  const cellOptions = { units, components, hiddenUnits, initialStep, initialWidth, returnAlignments };
  return new Recurrent(new GaussianAttentionDecoderCell(cell, cleanConfig(cellOptions)), layerOptions);
}
