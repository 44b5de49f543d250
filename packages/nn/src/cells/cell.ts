/**
 * The cell: one time step of a recurrent network, as a pure function of the input, the state and, where it declares some,
 * constants. `recurrent(cell)` turns any cell into a layer over sequences, with masks, dropout, streaming and artifacts.
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
 * State. `S` names the tensors that a step takes and gives, [B, size] each, with their sizes in `stateSizes`. The first of
 * them is what recurrent dropout acts on. (Write `S` with `type`: an interface is not a CellState to TypeScript.)
 *
 * Constants. A cell may declare sequences or vectors [B, ...] that it reads at every step, such as the memory [B, S, D] of
 * an encoder. The layer takes them as inputs after the initial states: `layer.apply(x, { constants: [memory] })`. Each
 * comes with its own mask, [B, S] (1: valid) or null. They have the batch of x and nothing to do with its time: neither
 * the mask of x nor input dropout touches them. Gradients flow into them.
 *
 * Who calls what, when. The layer calls `build` with the width of a step and the shapes of the constants (-1: any extent).
 * For each sequence, it draws the dropout masks, calls `prepare` and `zeroState` (unless initial states are given), and
 * hands everything to `sequence`, or, where that is missing or returns null, to `step` for each t. A batch that is
 * computed in parts, because its sequences differ in length, selects the rows of states, masks, constants and `prepared`
 * alike, so that all of them have the batch of x in every call. In a stream, `prepare` is called once, before the first
 * chunk, and what it returned is saved, restored and forked with the state.
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

/** The state of a cell: named tensors [B, size], in the order in which `returnState` gives them (h first). */
export type CellState = Record<string, Tensor>;

/** The constants of a cell by name, each a value [B, ...] with its mask [B, S] (1: valid) or null. */
export type CellConstants<C extends string = string> = Readonly<Record<C, MaskedSequence>>;

/** The dropout masks of one cell for one sequence, already scaled, the same for every step; null: none. */
export interface CellMasks {
  /** On the inputs, [B, I]. */
  inputMask: Tensor | null;
  /** On h, [B, H]. */
  recurrentMask: Tensor | null;
  /** For a cell made of cells: those of each of them. */
  inner?: readonly CellMasks[];
}

/** What a step receives besides its input and state. */
export interface StepContext<C extends string = string, P extends NamedTensors = NamedTensors> {
  /** Recurrent dropout mask [B, H], already scaled, the same for every step of a sequence; null: none. */
  recurrentMask: Tensor | null;
  /** For a cell made of cells: the masks of each of them. */
  inner?: readonly CellMasks[];
  /** Those that the cell declares. */
  constants: CellConstants<C>;
  /** What `prepare` returned; without `prepare`, nothing. */
  prepared: P;
}

/** What a whole sequence receives. */
export interface SequenceContext<C extends string = string, P extends NamedTensors = NamedTensors>
  extends StepContext<C, P> {
  returnSequences: boolean;
  reverse: boolean;
  /** With `reverse`: outputs in the order of time instead of the order in which they were made. */
  realign: boolean;
  zeroOutputForMask: boolean;
  /** [B, T], 1: valid; null: every step is. */
  mask: Tensor | null;
}

export interface StepResult<S extends CellState = CellState> {
  /** The output [B, units]. */
  y: Tensor;
  state: S;
  /** Values worth looking at, [B, H] each, by their textbook letters. */
  gates?: NamedTensors;
}

export interface SequenceResult<S extends CellState = CellState> {
  /** [B, T, units], or the last output [B, units]. */
  y: Tensor;
  state: S;
}

/** What is done to a parameter besides training it. */
export interface ParameterOptions {
  regularizer?: Regularizer | null | undefined;
  constraint?: Constraint | null | undefined;
  /** Default true. */
  trainable?: boolean | undefined;
}

/** How a cell asks for its parameters. */
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
  /** Name of the kind of cell in configs: `LSTMCell`, `GRUCell`, ... */
  readonly className: string;
  /** Width of the output y. */
  readonly units: number;
  /** Width of each state. */
  readonly stateSizes: Readonly<Record<keyof S, number>>;
  /** Names of the constants that every step reads, in the order in which the layer takes them. Default: none. */
  readonly constants?: readonly C[];
  /** Options that rebuild the cell, as JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Shares of the inputs and of h' dropped while training, unless the layer over the cell says otherwise. Default 0. */
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  /** The cells inside a cell made of cells. */
  readonly cells?: readonly Cell[];
  /**
   * Makes the parameters for inputs of width I, in Keras's order.
   * @param constantShapes of the constants, [batch, ...]; -1: any extent
   */
  build(inputSize: number, make: ParameterMaker, constantShapes: Readonly<Record<C, Shape>>): void;
  /** What the steps of a sequence share, computed from the constants once: tensors [B, ...]. Default: nothing. */
  prepare?(constants: CellConstants<C>): P;
  /** The state before the first step. Default: zeros. */
  zeroState?(batch: number, constants: CellConstants<C>): S;
  /** One step: x [B, I] and the state before it give the output and the state after it. */
  step(x: Tensor, state: S, context: StepContext<C, P>): StepResult<S>;
  /**
   * All steps at once, where a fused kernel can: x [B, T, I]. `state` null: zeros. Returns null where it cannot for these
   * options; then the cell is stepped.
   */
  sequence?(x: Tensor, state: S | null, context: SequenceContext<C, P>): SequenceResult<S> | null;
  /** A new cell with the same options and separate weights, for `bidirectional`. */
  clone?(): Cell;
}

/** A class of cells that configs can name: see registerCell. */
export interface CellClass {
  readonly className: string;
  new (config: never): Cell;
  /** For a cell made of cells: `build.cell` makes one of its config. Default: the constructor, given the config. */
  fromConfig?(config: Record<string, unknown>, build: { cell(config: unknown): Cell }): Cell;
}

/** The state before the first step. */
export function zeroState(cell: Cell, batch: number, constants: CellConstants): CellState {
  if (cell.zeroState) return cell.zeroState(batch, constants);
  const sizes = Object.entries(cell.stateSizes);
  return Object.fromEntries(sizes.map(([name, size]) => [name, zeros([batch, size])]));
}

/**
 * Fresh dropout masks for one sequence, one for all its steps and gates (Gal & Ghahramani 2016).
 * @param rates of the layer over the cell; where undefined, the cell's own
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

/** Width of the first state, which recurrent dropout acts on. */
function stateWidth(cell: Cell): number {
  return Object.values(cell.stateSizes)[0] ?? cell.units;
}
