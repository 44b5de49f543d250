/** A network with `predict` as a method: what `unrolljs/infer` loads. `trainable` adds the rest. */
import {
  type PredictOptions as CorePredictOptions,
  type NestedArray,
  type Model as Network,
  ready,
  type Shape,
  type Tensor,
} from '@unroll/core';
import { hostTensor, predictLoaded } from '@unroll/core/internal';
import { type ModelValues, toTensors } from './values.js';

export interface PredictOptions extends Omit<CorePredictOptions, 'mask'> {
  /**
   * Which steps are valid, [N, T] with 1 and 0, for padded sequences. Of several inputs a single mask is for the sequences
   * [N, T, ...] of its length, or else for the one input of ids [N, T]; a list in the model's order (null: none) or an
   * object by names says it for each. Default: as the model's layers find.
   */
  mask?: ModelValues;
}

export interface Runnable {
  /** The output for x, [N, ...]; of a model of several outputs, the first. */
  predict(x: ModelValues, options?: PredictOptions): Promise<Tensor>;
  /** Every output for x, [N, ...] each. */
  predictAll(x: ModelValues, options?: PredictOptions): Promise<Tensor[]>;
  /**
   * The output for x as nested arrays: `number[][]`, unless another depth is named as in
   * `predictArray<number[][][]>(x)`.
   */
  predictArray<A extends NestedArray = number[][]>(x: ModelValues, options?: PredictOptions): Promise<A>;
}

/** The network, with the methods of {@link Runnable}. */
export function runnable<N extends Network>(network: N): N & Runnable {
  return runnableOn(network, ready);
}

/** The same where `loaded` sees to it that a backend is there. */
export function runnableOn<N extends Network>(network: N, loaded: () => Promise<unknown>): N & Runnable {
  const predictAll = async (x: ModelValues, { mask, ...options }: PredictOptions = {}): Promise<Tensor[]> => {
    await loaded();
    const masks = mask === undefined ? null : masksOf(network, mask);
    return predictLoaded(network, inputsOf(network, x), { ...options, mask: masks });
  };
  const predict = async (x: ModelValues, options?: PredictOptions) => (await predictAll(x, options))[0];
  const predictArray = async <A>(x: ModelValues, options?: PredictOptions) => {
    const y = await predict(x, options);
    return hostTensor(await y.data(), y.shape).toArray() as A;
  };
  return Object.assign(network, { predict, predictAll, predictArray });
}

/** What networks of @unroll/nn know of their inputs. */
export interface Known {
  readonly inputNames?: readonly string[] | null;
  readonly inputShapes?: readonly Shape[] | null;
}

/** Inputs as tensors, in the order of the network's. */
export function inputsOf(network: Network, x: ModelValues): Tensor[] {
  const { inputNames = null, inputShapes = null } = network as Known;
  return toTensors(x, inputNames, inputShapes?.map((shape) => shape.slice(1)) ?? null) as Tensor[];
}

/** A mask for each input, or one alone. */
export function masksOf(network: Network, mask: ModelValues): (Tensor | null)[] {
  return toTensors(mask, (network as Known).inputNames, null, true);
}
