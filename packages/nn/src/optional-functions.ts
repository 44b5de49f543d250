/**
 * The functions that inference does not need: initialisers, regularisers, constraints, dropout masks of cells, symbolic
 * tensors, setting weights, summaries, and the op that makes gradients of time loops fast. Layers do not import these
 * functions, but get them from this file, so a bundle that only runs models leaves them out.
 * install-optional-functions.ts installs them for `sequential`, `model` and `modelFromConfig`; in Node they are always
 * installed.
 */
import {
  type ForwardContext,
  type RandomStream,
  reshape,
  type Shape,
  slice,
  type Tensor,
  UnrollError,
} from '@unroll/core';
import type { Cell, CellMasks } from './cells/cell.js';
import type { Constraint } from './constraints.js';
import type { forwardFrom } from './forward-from.js';
import type { applySymbolic, SymbolicTensor } from './graph.js';
import type { Initializer } from './initializers.js';
import type { Layer } from './layer.js';
import type { Network } from './network.js';
import type { Regularizer } from './regularizers.js';
import type { sequentialRows, summaryTable } from './summary.js';
import type { setWeights } from './weights.js';

export interface OptionalFunctions {
  /** Creates the default random stream for initial weights. */
  randomStream(seed: number, path: string): RandomStream;
  /** Returns initial values, row-major. */
  initialize(initializer: Initializer, shape: Shape, random: RandomStream, owner?: string): ArrayLike<number>;
  regularizer(spec: Regularizer, owner?: string): (weights: Tensor) => Tensor;
  constraint(spec: Constraint, owner?: string): (weights: Tensor) => Tensor;
  /** Applies a layer to symbolic tensors. */
  apply: typeof applySymbolic;
  /**
   * Draws the dropout masks of a cell for one batch: from `options.seed` if it is set, otherwise from the random stream
   * of the context.
   */
  drawMasks(
    cell: Cell,
    options: { dropout?: number; recurrentDropout?: number; seed?: number },
    batch: number,
    inputSize: number,
    context: ForwardContext,
  ): CellMasks;
  forwardFrom: typeof forwardFrom;
  /** Returns the name under which a config stores an option that is a function. */
  functionName(option: string, fn: unknown): string | undefined;
  /** Returns the symbolic output of a layer in its model. */
  outputOf(layer: Layer): SymbolicTensor;
  /** Returns the symbolic inputs and outputs of a sequential model. */
  sequentialGraph(model: Network): { inputs: readonly SymbolicTensor[]; outputs: readonly SymbolicTensor[] };
  setWeights: typeof setWeights;
  /** Splits x into slices of size 1 along an axis, without this axis, in one op with a single gradient. */
  unstack(x: Tensor, axis: number): readonly Tensor[];
  summary: typeof summaryTable;
  summaryRows: typeof sequentialRows;
}

let installed: OptionalFunctions | null = null;

export function setOptionalFunctions(functions: OptionalFunctions): void {
  installed = functions;
}

/** Returns the installed functions. @throws UnrollError `state` if none are installed */
export function optionalFunctions(owner: string): OptionalFunctions {
  if (installed) return installed;
  throw new UnrollError(
    'state',
    `${owner}: this bundle only runs models. To do more, create models with load(), sequential() or model().`,
  );
}

/**
 * Returns the function that computes the penalty of a regulariser. If the optional functions are installed, an
 * unknown name throws immediately, otherwise on the first use.
 */
export function regularizer(spec: Regularizer, owner: string): (weights: Tensor) => Tensor {
  return (
    installed?.regularizer(spec, owner) ??
    ((weights) => optionalFunctions(owner).regularizer(spec, owner)(weights))
  );
}

/** Returns the function that applies a constraint to weights. Unknown names throw as for {@link regularizer}. */
export function constraint(spec: Constraint, owner: string): (weights: Tensor) => Tensor {
  return (
    installed?.constraint(spec, owner) ??
    ((weights) => optionalFunctions(owner).constraint(spec, owner)(weights))
  );
}

/**
 * Returns a function that returns one time step of x [B, T, ...]. If the optional functions are installed, one op splits x
 * into its steps. Otherwise, each step is a separate slice; in training, the gradient of each slice would be as large as x.
 */
export function stepsOf(x: Tensor): (t: number) => Tensor {
  const steps = installed?.unstack(x, 1);
  return (t) => steps?.[t] ?? reshape(slice(x, 1, t, t + 1), x.shape.toSpliced(1, 1));
}
