/** The interface of a learning problem: batches for training, and fixed examples to look at. */
import type { RandomStream } from '@unroll/core';
import type { LossSpec } from '@unroll/train';

/** N sequences of T steps, as flat arrays in row-major order. */
export interface Batch {
  count: number;
  /** [N, T, I], or ids [N, T] of tokens. */
  x: Float32Array;
  /** [N, outputs], or [N, T, outputs] with `perStep`; classes: [N] or [N, T]. */
  y: Float32Array;
  /** Weight of each step in the loss, [N, T]. */
  weights?: Float32Array;
  /** 1 for valid steps and 0 for padding, [N, T]. */
  mask?: Float32Array;
  /** With `attention`: the previous target of each step, [N, T]; at the first step, a start token, whose id is `outputs`. */
  previous?: Float32Array;
}

/** A time series whose end is held out. */
export interface Series {
  name: string;
  values: Float64Array;
  /** Index of the first held-out value. */
  testStart: number;
  /** Mean and standard deviation of the training part, by which inputs and targets are standardised. */
  mean: number;
  scale: number;
}

export type ProblemKind = 'number' | 'series' | 'tokens' | 'classes';

export interface Problem {
  kind: ProblemKind;
  /** T */
  steps: number;
  /** Names of the features of an input; tokens: empty. */
  features: readonly string[];
  /** Tokens by id, for inputs of ids; null: inputs are numbers. */
  vocabulary: readonly string[] | null;
  /** Tokens or classes by id, for outputs that are classes; null: outputs are numbers. */
  classes: readonly string[] | null;
  outputs: number;
  /** One output for each step (many to many) instead of one for the sequence (many to one). */
  perStep: boolean;
  /** The network has an encoder and a decoder with attention. Inputs and targets have the same length. Default false. */
  attention?: boolean;
  loss: LossSpec;
  /** Loss of a model without memory. */
  baseline: number;
  /** Loss below which the problem counts as solved; null: not known. */
  solvedLoss: number | null;
  series: Series | null;
  /** Draws a batch for training. */
  batch(random: RandomStream, count: number): Batch;
  /** Fixed examples that training does not use. */
  examples: Batch;
}

export const CROSS_ENTROPY = { name: 'sparseCategoricalCrossentropy', fromLogits: true } as const;
