/**
 * The cell: one time step of a recurrent network, as a pure function of the input and the state. `recurrent(cell)` turns
 * any cell into a layer over sequences, with masks, dropout, streaming and artifacts; a cell may also offer the whole
 * sequence as one fused op.
 */
import { type Parameter, type RandomStream, type Shape, type Tensor, zeros } from '@unroll/core';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import type { Regularizer } from '../regularizers.js';

/** The state of a cell: named tensors [B, size], in the order in which `returnState` gives them (h first). */
export type CellState = Record<string, Tensor>;

/** What a step is told besides its input and state. */
export interface StepContext {
  /** Recurrent dropout mask [B, H], already scaled, the same for every step of a sequence; null: none. */
  recurrentMask: Tensor | null;
  /** For a cell made of cells: what each of them is told, and the mask on its inputs. */
  inner?: readonly CellMasks[];
}

/** The dropout masks of one cell for one sequence; null: none. */
export interface CellMasks extends StepContext {
  /** On the inputs, [B, I]. */
  inputMask: Tensor | null;
}

/** What a whole sequence is told. */
export interface SequenceContext extends StepContext {
  returnSequences: boolean;
  reverse: boolean;
  /** With `reverse`: outputs in the order of time instead of the order in which they were made. */
  realign: boolean;
  zeroOutputForMask: boolean;
  /** [B, T], 1: valid; null: every step is. */
  mask: Tensor | null;
}

export interface StepResult {
  /** The output [B, units]. */
  y: Tensor;
  state: CellState;
  /** Values worth looking at, [B, H] each, by their textbook letters. */
  gates?: Readonly<Record<string, Tensor>>;
}

export interface SequenceResult {
  /** [B, T, units], or the last output [B, units]. */
  y: Tensor;
  state: CellState;
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

export interface Cell {
  /** Name of the kind of cell in configs: `LSTMCell`, `GRUCell`, ... */
  readonly className: string;
  /** Width of the output y. */
  readonly units: number;
  /** Width of each state. */
  readonly stateSizes: Readonly<Record<string, number>>;
  /** Options that rebuild the cell, as JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Shares of the inputs and of h' dropped while training, unless the layer over the cell says otherwise. Default 0. */
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  /** The cells inside a cell made of cells. */
  readonly cells?: readonly Cell[];
  /** Makes the parameters for inputs of width I, in Keras's order. */
  build(inputSize: number, make: ParameterMaker): void;
  /** The state before the first step. Default: zeros. */
  zeroState?(batch: number): CellState;
  /** One step: x [B, I] and the state before it give the output and the state after it. */
  step(x: Tensor, state: CellState, context: StepContext): StepResult;
  /**
   * All steps at once, where a fused kernel can: x [B, T, I]. `state` null: zeros. Returns null where it cannot for these
   * options; then the cell is stepped.
   */
  sequence?(x: Tensor, state: CellState | null, context: SequenceContext): SequenceResult | null;
  /** Another cell with the same options and weights of its own, as `bidirectional` needs one. */
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
export function zeroState(cell: Cell, batch: number): CellState {
  if (cell.zeroState) return cell.zeroState(batch);
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
