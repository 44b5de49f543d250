/**
 * Adds prediction methods to a network. Networks loaded by `unrolljs/infer` have only these methods; `trainable` adds
 * the methods for training.
 */
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
   * For padded sequences: 1 for valid steps and 0 for padding, [N, T]. If the model has several inputs, pass a list of
   * masks in the model's order (null: no mask) or an object with input names as keys. A single mask applies to every input of
   * rank 3 or more with the same T. If there is no such input, and exactly one input of ids [N, T] has this T, the mask
   * applies to that input. Default: the mask that the model's layers compute.
   */
  mask?: ModelValues;
}

export interface Runnable {
  /** Returns the output for x, [N, ...]. If the model has several outputs, returns the first one. */
  predict(x: ModelValues, options?: PredictOptions): Promise<Tensor>;
  /** Returns all outputs for x, each [N, ...]. */
  predictAll(x: ModelValues, options?: PredictOptions): Promise<Tensor[]>;
  /**
   * Returns the output for x as nested arrays. The type parameter declares their depth, for example
   * `predictArray<number[][][]>(x)` for an output [N, T, F].
   */
  predictArray<A extends NestedArray = number[][]>(x: ModelValues, options?: PredictOptions): Promise<A>;
}

/** Adds the methods of {@link Runnable} to a network, and returns it. */
export function runnable<N extends Network>(network: N): N & Runnable {
  return runnableOn(network, ready);
}

/** Like {@link runnable}, but calls `loadBackend` before each prediction. */
export function runnableOn<N extends Network>(network: N, loadBackend: () => Promise<unknown>): N & Runnable {
  const predictAll = async (x: ModelValues, { mask, ...options }: PredictOptions = {}): Promise<Tensor[]> => {
    await loadBackend();
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

/** The input names and shapes, which networks of @unroll/nn have. */
export interface InputSignature {
  readonly inputNames?: readonly string[] | null;
  readonly inputShapes?: readonly Shape[] | null;
}

/** Converts inputs to tensors, in the order of the network's inputs. */
export function inputsOf(network: Network, x: ModelValues): Tensor[] {
  const { inputNames = null, inputShapes = null } = network as InputSignature;
  return toTensors(x, inputNames, inputShapes?.map((shape) => shape.slice(1)) ?? null) as Tensor[];
}

/** Converts masks to tensors: one for each input, or a single one for all. */
export function masksOf(network: Network, mask: ModelValues): (Tensor | null)[] {
  return toTensors(mask, (network as InputSignature).inputNames, null, true);
}
