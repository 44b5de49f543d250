/**
 * The interface of cells. A cell computes one time step of a recurrent network: a pure function of the input, the
 * state and, optionally, constants. `recurrent(cell)` turns any cell into a layer over sequences, with masks, dropout,
 * streaming and artifacts.
 *
 *     type DecoderState = { h: Tensor };
 *
 *     class Decoder implements Cell<DecoderState, 'memory', { keys: Tensor }> {
 *       readonly constants = ['memory'] as const;
 *       build(inputSize, make, { memory }) { ... }                       once, when the layer is built
 *       prepare({ memory }) { return { keys: matmul(memory.value, this.W) }; }    once per batch
 *       step(x, { h }, { constants, prepared }) { ... }                  once per step
 *     }
 *
 * State. `S` names the state tensors, [B, size] each; `stateSizes` contains their sizes. Recurrent dropout applies to
 * the first one. (Declare `S` with `type`: TypeScript does not accept an interface as a CellState.)
 *
 * Constants. A cell may declare sequences or vectors [B, ...] that it reads at every step, such as the memory [B, S,
 * D] of an encoder. The layer takes them as inputs after the initial states: `layer.apply(x, { constants: [memory]
 * })`. Each constant has its own mask, [B, S] (1: valid) or null. Constants have the batch size of x but not its time axis:
 * neither the mask of x nor input dropout applies to them. Gradients flow into them.
 *
 * Order of calls. The layer calls `build` with the number of features and the shapes of the constants (-1: any size).
 * For each batch of sequences, it draws the dropout masks, calls `prepare` and `zeroState` (unless initial states are
 * given), and calls `sequence`. If `sequence` is missing or returns null, it calls `step` for each time step. If the
 * layer splits a batch because its sequences differ in length, it also splits states, masks, constants and `prepared`:
 * in every call, they have the batch size of x. In a stream, `prepare` is called once, before the first chunk; its
 * result is saved, restored and forked with the state.
 *
 * Random numbers. A cell that draws new random numbers at every step uses `context.random`, which is undefined at
 * inference. Its `sequence`, if any, must draw them too, or return null while `context.random` is set.
 */
import {
  type MaskedSequence,
  mul,
  type Parameter,
  type RandomStream,
  type Shape,
  type Tensor,
  zeros,
} from '@unroll/core';
import type { Constraint } from '../constraints.js';
import type { Initializer } from '../initializers.js';
import type { BuildTools } from '../registry.js';
import type { Regularizer } from '../regularizers.js';

/** Named tensors whose first axis is the batch. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** The state of a cell: named tensors [B, size], in the order of the outputs of `returnState` (h first). */
export type CellState = Record<string, Tensor>;

/** The constants of a cell by name, each a value [B, ...] with its mask [B, S] (1: valid) or null. */
export type CellConstants<C extends string = string> = Readonly<Record<C, MaskedSequence>>;

/**
 * The random values of one cell in training: scaled dropout masks, the same for every step of a sequence (null: no
 * dropout), and the random stream from which steps draw further numbers.
 */
export interface CellMasks {
  /** For the inputs, [B, I]. */
  inputMask: Tensor | null;
  /** For h, [B, H]. */
  recurrentDropoutMask: Tensor | null;
  /** The recurrent weights after weight drop, which sets a random part of them to 0; undefined: no weight drop. */
  droppedWeights?: Tensor;
  /** See {@link StepContext.random}. */
  random?: RandomStream | undefined;
  /** The masks of the inner cells, for a cell made of cells. */
  inner?: readonly CellMasks[];
}

/** The arguments of a step, apart from its input and state. */
export interface StepContext<C extends string = string, P extends NamedTensors = NamedTensors> {
  /** Scaled recurrent dropout mask [B, H], the same for every step of a sequence; null: no dropout. */
  recurrentDropoutMask: Tensor | null;
  /** The recurrent weights after weight drop, to be used instead of the cell's weights; undefined: no weight drop. */
  droppedWeights?: Tensor;
  /**
   * In training: the random stream of the layer, for cells that draw new random numbers at every step (`zoneoutCell`).
   * At inference: undefined.
   */
  random?: RandomStream | undefined;
  /** The masks of the inner cells, for a cell made of cells. */
  inner?: readonly CellMasks[];
  /** The constants that the cell declares. */
  constants: CellConstants<C>;
  /** The result of `prepare`; undefined without `prepare`. */
  prepared: P;
}

/** The arguments of `sequence`, apart from its input and state. */
export interface SequenceContext<C extends string = string, P extends NamedTensors = NamedTensors>
  extends StepContext<C, P> {
  /** Return the outputs of all steps instead of the last one. */
  returnSequences: boolean;
  /** Process the sequence from its end. */
  reverse: boolean;
  /** With `reverse`: return the outputs in time order instead of processing order. */
  timeOrder: boolean;
  /** Outputs of masked steps are 0 instead of the last valid output. */
  zeroOutputForMask: boolean;
  /** [B, T], 1: valid; null: all steps are valid. */
  mask: Tensor | null;
}

export interface StepResult<S extends CellState = CellState> {
  /** The output [B, units]. */
  y: Tensor;
  state: S;
  /** Intermediate values [B, H] for inspection, named as in the equations of the cell. */
  gates?: NamedTensors;
}

export interface SequenceResult<S extends CellState = CellState> {
  /** The outputs [B, T, units], or only the last one [B, units]. */
  y: Tensor;
  state: S;
  /** The extra outputs of the cell, [B, T, size]. */
  extra?: NamedTensors;
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
 * Computes one time step of a recurrent network; see the top of this file.
 * @typeParam S the state, such as `{ h: Tensor; c: Tensor }`
 * @typeParam C the names of the constants, such as `'memory'`
 * @typeParam P the result of `prepare`
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
  /** Options as JSON, from which the cell can be recreated. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Dropout rates of the inputs and of the previous state h. The options of the layer take precedence. Default 0. */
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  /** Rate of weight drop: the fraction of `recurrentWeights` that training sets to 0. Default 0. */
  readonly weightDrop?: number;
  readonly recurrentWeights?: Parameter;
  /** The inner cells of a cell made of cells. */
  readonly cells?: readonly Cell[];
  /** Returns the width of the input of the first inner cell. Default: `inputSize`. */
  innerInputSize?(inputSize: number): number;
  /** Names of the states for which the layer takes initial states: the first names of `stateSizes`. Default: all. */
  readonly initialStates?: readonly (keyof S & string)[];
  /**
   * Names of the outputs of each step in addition to y, such as the alignments of a decoder. `sequence` returns them as
   * sequences [B, T, size], and the layer outputs them after the states. `extraShapes` returns their shapes. Default: none.
   */
  readonly extraOutputs?: readonly string[];
  /** Returns the shapes of the extra outputs for x [B, T, I] and constants of these shapes (-1: any size). */
  extraShapes?(x: Shape, constants: Readonly<Record<C, Shape>>): Shape[];
  /**
   * Creates the parameters for inputs with I features, in Keras's order.
   * @param constantShapes shapes of the constants, [batch, ...]; -1: any size
   */
  build(inputSize: number, make: ParameterMaker, constantShapes: Readonly<Record<C, Shape>>): void;
  /** Computes from the constants the values [B, ...] that all steps share. Default: none. */
  prepare?(constants: CellConstants<C>): P;
  /** Returns the initial state. Default: zeros. */
  zeroState?(batch: number, constants: CellConstants<C>): S;
  /** Computes one step: the output and the next state from x [B, I] and the current state. */
  step(x: Tensor, state: S, context: StepContext<C, P>): StepResult<S>;
  /**
   * Runs all steps of x [B, T, I] in one call, with a fused kernel. `state` null: zeros. Returns null if the kernel does
   * not support these options; the layer then calls `step` for each step.
   */
  sequence?(x: Tensor, state: S | null, context: SequenceContext<C, P>): SequenceResult<S> | null;
  /** Creates a cell with the same options and separate weights, for `bidirectional`. */
  clone?(): Cell;
}

/** A cell class that configs can name: see registerCell. */
export interface CellClass {
  readonly className: string;
  new (config: never): Cell;
  /**
   * Creates the cell from its config; `build` creates inner cells and layers. Default: the constructor is called with the
   * config.
   */
  fromConfig?(config: Record<string, unknown>, build: BuildTools): Cell;
}

/** Returns the initial state of a cell. */
export function zeroState(
  cell: Pick<Cell, 'zeroState' | 'stateSizes'>,
  batch: number,
  constants: CellConstants,
): CellState {
  if (cell.zeroState) return cell.zeroState(batch, constants);
  const sizes = Object.entries(cell.stateSizes);
  return Object.fromEntries(sizes.map(([name, size]) => [name, zeros([batch, size])]));
}

/**
 * Draws dropout masks for one batch, shared by all steps and gates (Gal & Ghahramani 2016), and drops recurrent weights.
 * @param rates the rates of the layer; if undefined, those of the cell
 * @param random the random stream for masks that all steps of a sequence share
 * @param stepRandom the random stream for numbers that are drawn anew at every step. Default: `random`
 */
export function drawMasks(
  cell: Cell,
  rates: { dropout?: number | undefined; recurrentDropout?: number | undefined },
  batch: number,
  inputSize: number,
  random: RandomStream,
  stepRandom: RandomStream = random,
): CellMasks {
  const draw = (rate: number | undefined, width: number): Tensor | null =>
    rate ? random.dropoutMask([batch, width], rate) : null;
  const inputMask = draw(rates.dropout ?? cell.dropout, inputSize);
  const recurrentDropoutMask = draw(rates.recurrentDropout ?? cell.recurrentDropout, stateWidth(cell));
  const { weightDrop, recurrentWeights: U } = cell;
  // One mask per batch (Merity et al. 2018), so the fused kernels run as usual, on the remaining weights.
  const dropped = weightDrop && U ? { droppedWeights: mul(U, random.dropoutMask(U.shape, weightDrop)) } : {};
  if (!cell.cells) return { inputMask, recurrentDropoutMask, random: stepRandom, ...dropped };
  let width = cell.innerInputSize?.(inputSize) ?? inputSize;
  const inner = cell.cells.map((innerCell) => {
    const masks = drawMasks(innerCell, {}, batch, width, random, stepRandom);
    width = innerCell.units;
    return masks;
  });
  return { inputMask, recurrentDropoutMask, random: stepRandom, inner };
}

/** Returns the width of the first state, to which recurrent dropout applies. */
function stateWidth(cell: Cell): number {
  return Object.values(cell.stateSizes)[0] ?? cell.units;
}
