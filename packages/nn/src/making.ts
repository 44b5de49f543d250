/**
 * What it takes to make new models and to train them, and not to run a loaded one: initialisers, regularisers,
 * constraints, dropout masks of cells, symbolic tensors, weights from outside, summaries. Layers reach them through here, so that a page that only runs models does not carry them. They are
 * brought (making-tools.ts) by what makes models: `sequential`, `model`, `modelFromConfig`; in Node they are always there.
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

export interface MakingTools {
  /** The stream that weights are drawn from where none is given. */
  stream(seed: number, path: string): RandomStream;
  initialize(how: Initializer, shape: Shape, random: RandomStream, owner?: string): ArrayLike<number>;
  regularizer(how: Regularizer, owner?: string): (weights: Tensor) => Tensor;
  constraint(how: Constraint, owner?: string): (weights: Tensor) => Tensor;
  /** A layer in a graph. */
  apply: typeof applySymbolic;
  /** Dropout masks for one sequence of a cell, by the seed among the options or else the stream of the training. */
  masks(
    cell: Cell,
    options: { dropout?: number; recurrentDropout?: number; seed?: number },
    batch: number,
    inputSize: number,
    random: RandomStream,
  ): CellMasks;
  /** What a config holds for an option that is a function. */
  functionName(option: string, fn: unknown): string | undefined;
  /** The symbolic output of a layer. */
  outputOf(layer: Layer): SymbolicTensor;
  /** A model of layers one after another, as a graph. */
  chainOf(model: Network): { inputs: readonly SymbolicTensor[]; outputs: readonly SymbolicTensor[] };
  setWeights: typeof setWeights;
  summary: typeof summaryTable;
  summaryRows: typeof rowsInOrder;
}

let tools: MakingTools | null = null;

export function setMakingTools(brought: MakingTools): void {
  tools = brought;
}

/** @throws UnrollError `state` where nobody has brought them */
export function makingTools(owner: string): MakingTools {
  if (tools) return tools;
  throw new UnrollError(
    'state',
    `${owner} has nothing to make or train weights with: it was bundled to run models. ` +
      'Use sequential(), model() or load().',
  );
}

/** What `how` adds to the loss. A name that is wrong is refused at once where the tools are there. */
export function regularizer(how: Regularizer, owner: string): (weights: Tensor) => Tensor {
  return tools?.regularizer(how, owner) ?? ((weights) => makingTools(owner).regularizer(how, owner)(weights));
}

/** What becomes of weights after an update, likewise. */
export function constraint(how: Constraint, owner: string): (weights: Tensor) => Tensor {
  return tools?.constraint(how, owner) ?? ((weights) => makingTools(owner).constraint(how, owner)(weights));
}
