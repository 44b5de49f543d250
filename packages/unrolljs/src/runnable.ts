/** A network with `predict` as a method: what `unrolljs/infer` loads. `trainable` adds the rest. */
import {
  type PredictOptions as CorePredictOptions,
  type Model as Network,
  ready,
  type Shape,
  type Tensor,
} from '@unroll/core';
import { predictLoaded } from '@unroll/core/internal';
import { type ModelValues, toTensor, toTensors, type Values } from './values.js';

export interface PredictOptions extends Omit<CorePredictOptions, 'mask'> {
  /**
   * Which steps are valid, [N, T] with 1 and 0, for padded sequences. Default: as the model's layers find.
   */
  mask?: Values;
}

export interface Runnable {
  /** The output for x, [N, ...]; of a model of several outputs, the first. */
  predict(x: ModelValues, options?: PredictOptions): Promise<Tensor>;
  /** Every output for x, [N, ...] each. */
  predictAll(x: ModelValues, options?: PredictOptions): Promise<Tensor[]>;
}

/** The network, with the methods of {@link Runnable}. */
export function runnable<N extends Network>(network: N): N & Runnable {
  return runnableOn(network, ready);
}

/** The same where `loaded` sees to it that a backend is there. */
export function runnableOn<N extends Network>(network: N, loaded: () => Promise<unknown>): N & Runnable {
  const all = async (x: ModelValues, { mask, ...options }: PredictOptions = {}): Promise<Tensor[]> => {
    await loaded();
    const call: CorePredictOptions = mask === undefined ? options : { ...options, mask: toTensor(mask) };
    return predictLoaded(network, inputsOf(network, x), call);
  };
  return Object.assign(network, {
    predictAll: all,
    predict: async (x: ModelValues, options?: PredictOptions) => (await all(x, options))[0],
  });
}

/** What networks of @unroll/nn know of their inputs and outputs. */
export interface Known {
  readonly inputNames?: readonly string[] | null;
  readonly outputNames?: readonly string[] | null;
  readonly inputShapes?: readonly Shape[] | null;
}

/** Inputs as tensors, in the order of the network's. */
export function inputsOf(network: Network, x: ModelValues): Tensor[] {
  const { inputNames = null, inputShapes = null } = network as Known;
  return toTensors(x, inputNames, inputShapes?.map((shape) => shape.slice(1)) ?? null);
}

/** Targets as tensors, in the order of the network's outputs. */
export function targetsOf(network: Network, y: ModelValues): Tensor[] {
  return toTensors(y, (network as Known).outputNames ?? null);
}
