/** A network with `predict` as a method, as loaded by `unrolljs/infer`. `trainable` adds the other methods. */
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
   * Valid steps as 1 and padding as 0, [N, T], for padded sequences. For several inputs: one mask applies to the
   * sequences [N, T, ...] of its length, or if there are none to the one input of ids [N, T]; a list in the model's
   * order (null: none) or an object by names gives one for each. Default: the mask that the model's layers compute.
   */
  mask?: ModelValues;
}

export interface Runnable {
  /** The output for x, [N, ...]. For a model with several outputs, the first one. */
  predict(x: ModelValues, options?: PredictOptions): Promise<Tensor>;
  /** All outputs for x, [N, ...] each. */
  predictAll(x: ModelValues, options?: PredictOptions): Promise<Tensor[]>;
  /**
   * The output for x as nested arrays: `number[][]` unless another depth is given, as in
   * `predictArray<number[][][]>(x)`.
   */
  predictArray<A extends NestedArray = number[][]>(x: ModelValues, options?: PredictOptions): Promise<A>;
}

/** The network with the methods of {@link Runnable}. */
export function runnable<N extends Network>(network: N): N & Runnable {
  return runnableOn(network, ready);
}

/** Like {@link runnable}, with `loaded` as the function that loads a backend. */
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

/** The input names and shapes of networks of @unroll/nn. */
export interface Known {
  readonly inputNames?: readonly string[] | null;
  readonly inputShapes?: readonly Shape[] | null;
}

/** The inputs as tensors, in the order of the network's inputs. */
export function inputsOf(network: Network, x: ModelValues): Tensor[] {
  const { inputNames = null, inputShapes = null } = network as Known;
  return toTensors(x, inputNames, inputShapes?.map((shape) => shape.slice(1)) ?? null) as Tensor[];
}

/** A mask for each input, or a single one. */
export function masksOf(network: Network, mask: ModelValues): (Tensor | null)[] {
  return toTensors(mask, (network as Known).inputNames, null, true);
}
