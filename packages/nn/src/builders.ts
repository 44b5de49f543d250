/**
 * The registry of everything that only building and training a model needs: initialisers, regularisers, constraints,
 * dropout masks of cells, symbolic tensors, setting weights, summaries. Layers look these up here, so that an
 * inference bundle leaves them out. `sequential`, `model` and `modelFromConfig` install them (install-builders.ts);
 * in Node they are always installed.
 */
import { type RandomStream, type Shape, type Tensor, UnrollError } from '@unroll/core';
import type { Cell, CellMasks } from './cells/cell.js';
import type { Constraint } from './constraints.js';
import type { applySymbolic, SymbolicTensor } from './graph.js';
import type { Initializer } from './initializers.js';
import type { Layer } from './layer.js';
import type { Network } from './network.js';
import type { Regularizer } from './regularizers.js';
import type { rowsInOrder, summaryTable } from './summary.js';
import type { setWeights } from './weights.js';

export interface Builders {
  /** The default random stream for weights. */
  stream(seed: number, path: string): RandomStream;
  initialize(how: Initializer, shape: Shape, random: RandomStream, owner?: string): ArrayLike<number>;
  regularizer(how: Regularizer, owner?: string): (weights: Tensor) => Tensor;
  constraint(how: Constraint, owner?: string): (weights: Tensor) => Tensor;
  /** Applies a layer to symbolic tensors. */
  apply: typeof applySymbolic;
  /**
   * Dropout masks of a cell for one batch, drawn from `options.seed` or else from the random stream of the training.
   */
  masks(
    cell: Cell,
    options: { dropout?: number; recurrentDropout?: number; seed?: number },
    batch: number,
    inputSize: number,
    random: RandomStream,
  ): CellMasks;
  /** The name under which a config stores an option that is a function. */
  functionName(option: string, fn: unknown): string | undefined;
  /** The symbolic output of a layer. */
  outputOf(layer: Layer): SymbolicTensor;
  /** The graph of a sequential model. */
  chainOf(model: Network): { inputs: readonly SymbolicTensor[]; outputs: readonly SymbolicTensor[] };
  setWeights: typeof setWeights;
  summary: typeof summaryTable;
  summaryRows: typeof rowsInOrder;
}

let installed: Builders | null = null;

export function setBuilders(all: Builders): void {
  installed = all;
}

/** @throws UnrollError `state` if no builders are installed */
export function builders(owner: string): Builders {
  if (installed) return installed;
  throw new UnrollError(
    'state',
    `${owner} cannot create or train weights: this bundle only runs models. ` +
      'Use sequential(), model() or load().',
  );
}

/**
 * The penalty on the loss from the regulariser `how`. An unknown name throws immediately if the builders are
 * installed.
 */
export function regularizer(how: Regularizer, owner: string): (weights: Tensor) => Tensor {
  return (
    installed?.regularizer(how, owner) ?? ((weights) => builders(owner).regularizer(how, owner)(weights))
  );
}

/** The constraint on weights after an update; unknown names as for {@link regularizer}. */
export function constraint(how: Constraint, owner: string): (weights: Tensor) => Tensor {
  return installed?.constraint(how, owner) ?? ((weights) => builders(owner).constraint(how, owner)(weights));
}
