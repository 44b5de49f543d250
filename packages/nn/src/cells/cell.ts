/**
 * The cell: one time step of a recurrent network, as a pure function of the input, the state and, if it declares any,
 * constants. `recurrent(cell)` turns any cell into a layer over sequences, with masks, dropout, streaming and
 * artifacts.
 *
 *     type DecoderState = { h: Tensor };
 *
 *     class Decoder implements Cell<DecoderState, 'memory', { keys: Tensor }> {
 *       readonly constants = ['memory'] as const;
 *       build(inputSize, make, { memory }) { ... }                       once, when the layer is built
 *       prepare({ memory }) { return { keys: matmul(memory.value, this.W) }; }    once per sequence
 *       step(x, { h }, { constants, prepared }) { ... }                  once per step
 *     }
 *
 * State. `S` names the state tensors, [B, size] each; `stateSizes` gives their sizes. Recurrent dropout applies to
 * the first one. (Declare `S` with `type`: TypeScript does not accept an interface as a CellState.)
 *
 * Constants. A cell may declare sequences or vectors [B, ...] that it reads at every step, such as the memory [B, S,
 * D] of an encoder. The layer takes them as inputs after the initial states: `layer.apply(x, { constants: [memory]
 * })`. Each has its own mask, [B, S] (1: valid) or null. They have the same batch size as x but are independent of
 * its time axis: neither the mask of x nor input dropout applies to them. Gradients flow into them.
 *
 * Order of calls. The layer calls `build` with the number of features and the shapes of the constants (-1: any size).
 * For each sequence, it draws the dropout masks, calls `prepare` and `zeroState` (unless initial states are given),
 * and passes everything to `sequence`; if that is missing or returns null, it calls `step` for each t. If a batch is
 * split because its sequences differ in length, the same rows of states, masks, constants and `prepared` are
 * selected, so that all of them have the batch size of x in every call. In a stream, `prepare` is called once, before
 * the first chunk; its result is saved, restored and forked with the state.
 */
import {
  type MaskedSequence,
  type Parameter,
  type RandomStream,
  type Shape,
  type Tensor,
  zeros,
} from '@unroll/core';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import type { Regularizer } from '../regularizers.js';

/** Named tensors whose first axis is the batch. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** The state of a cell: named tensors [B, size], in the order of the outputs of `returnState` (h first). */
export type CellState = Record<string, Tensor>;

/** The constants of a cell by name, each a value [B, ...] with its mask [B, S] (1: valid) or null. */
export type CellConstants<C extends string = string> = Readonly<Record<C, MaskedSequence>>;

/** The scaled dropout masks of one cell for one sequence, the same for every step; null: no dropout. */
export interface CellMasks {
  /** For the inputs, [B, I]. */
  inputMask: Tensor | null;
  /** For h, [B, H]. */
  recurrentMask: Tensor | null;
  /** The masks of the inner cells, for a cell made of cells. */
  inner?: readonly CellMasks[];
}

/** The arguments of a step besides its input and state. */
export interface StepContext<C extends string = string, P extends NamedTensors = NamedTensors> {
  /** Scaled recurrent dropout mask [B, H], the same for every step of a sequence; null: no dropout. */
  recurrentMask: Tensor | null;
  /** The masks of the inner cells, for a cell made of cells. */
  inner?: readonly CellMasks[];
  /** The constants that the cell declares. */
  constants: CellConstants<C>;
  /** The result of `prepare`; undefined without `prepare`. */
  prepared: P;
}

/** The arguments for a whole sequence. */
export interface SequenceContext<C extends string = string, P extends NamedTensors = NamedTensors>
  extends StepContext<C, P> {
  returnSequences: boolean;
  reverse: boolean;
  /** With `reverse`: puts the outputs in time order instead of processing order. */
  realign: boolean;
  zeroOutputForMask: boolean;
  /** [B, T], 1: valid; null: all steps are valid. */
  mask: Tensor | null;
}

export interface StepResult<S extends CellState = CellState> {
  /** The output [B, units]. */
  y: Tensor;
  state: S;
  /** Intermediate values for inspection, [B, H] each, by their textbook letters. */
  gates?: NamedTensors;
}

export interface SequenceResult<S extends CellState = CellState> {
  /** [B, T, units], or the last output [B, units]. */
  y: Tensor;
  state: S;
}

/** Options of a parameter. */
export interface ParameterOptions {
  regularizer?: Regularizer | null | undefined;
  constraint?: Constraint | null | undefined;
  /** Default true. */
  trainable?: boolean | undefined;
}

/** Creates a parameter of a cell. */
export type ParameterMaker = (
  name: string,
  shape: Shape,
  initializer: Initializer,
  options?: ParameterOptions,
) => Parameter;

/**
 * One time step of a recurrent network; see the top of this file.
 * @typeParam S the state, such as `{ h: Tensor; c: Tensor }`
 * @typeParam C the names of the constants, such as `'memory'`
 * @typeParam P what `prepare` computes from the constants
 */
export interface Cell<
  S extends CellState = CellState,
  C extends string = string,
  P extends NamedTensors = NamedTensors,
> {
  /** Class name of the cell in configs: `LSTMCell`, `GRUCell`, ... */
  readonly className: string;
  /** Width of the output y. */
  readonly units: number;
  /** Width of each state. */
  readonly stateSizes: Readonly<Record<keyof S, number>>;
  /** Names of the constants that every step reads, in the order in which the layer takes them. Default: none. */
  readonly constants?: readonly C[];
  /** Options as JSON, from which the cell can be rebuilt. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Dropout rates of the inputs and of h', unless the layer over the cell sets its own. Default 0. */
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  /** The inner cells of a cell made of cells. */
  readonly cells?: readonly Cell[];
  /**
   * Creates the parameters for inputs with I features, in Keras's order.
   * @param constantShapes shapes of the constants, [batch, ...]; -1: any size
   */
  build(inputSize: number, make: ParameterMaker, constantShapes: Readonly<Record<C, Shape>>): void;
  /** Computes values [B, ...] shared by all steps of a sequence from the constants. Default: nothing. */
  prepare?(constants: CellConstants<C>): P;
  /** The initial state. Default: zeros. */
  zeroState?(batch: number, constants: CellConstants<C>): S;
  /** One step: computes the output and the next state from x [B, I] and the current state. */
  step(x: Tensor, state: S, context: StepContext<C, P>): StepResult<S>;
  /**
   * All steps in one call with a fused kernel: x [B, T, I]. `state` null: zeros. Returns null if the kernel does not
   * support these options; then `step` is called for each step.
   */
  sequence?(x: Tensor, state: S | null, context: SequenceContext<C, P>): SequenceResult<S> | null;
  /** A cell with the same options and separate weights, for `bidirectional`. */
  clone?(): Cell;
}

/** A cell class that configs can name: see registerCell. */
export interface CellClass {
  readonly className: string;
  new (config: never): Cell;
  /**
   * For a cell made of cells: `build.cell` creates one from its config. Default: the constructor, called with the
   * config.
   */
  fromConfig?(config: Record<string, unknown>, build: { cell(config: unknown): Cell }): Cell;
}

/** The initial state. */
export function zeroState(cell: Cell, batch: number, constants: CellConstants): CellState {
  if (cell.zeroState) return cell.zeroState(batch, constants);
  const sizes = Object.entries(cell.stateSizes);
  return Object.fromEntries(sizes.map(([name, size]) => [name, zeros([batch, size])]));
}

/**
 * Draws dropout masks for one sequence, shared by all steps and gates (Gal & Ghahramani 2016).
 * @param rates the rates of the layer over the cell; undefined rates are those of the cell
 */
export function drawMasks(
  cell: Cell,
  rates: { dropout?: number | undefined; recurrentDropout?: number | undefined },
  batch: number,
  inputSize: number,
  random: RandomStream,
): CellMasks {
  const draw = (rate: number | undefined, width: number): Tensor | null =>
    rate ? random.dropoutMask([batch, width], rate) : null;
  const inputMask = draw(rates.dropout ?? cell.dropout, inputSize);
  const recurrentMask = draw(rates.recurrentDropout ?? cell.recurrentDropout, stateWidth(cell));
  if (!cell.cells) return { inputMask, recurrentMask };
  let width = inputSize;
  const inner = cell.cells.map((one) => {
    const masks = drawMasks(one, {}, batch, width, random);
    width = one.units;
    return masks;
  });
  return { inputMask, recurrentMask, inner };
}

/** Width of the first state, to which recurrent dropout applies. */
function stateWidth(cell: Cell): number {
  return Object.values(cell.stateSizes)[0] ?? cell.units;
}
