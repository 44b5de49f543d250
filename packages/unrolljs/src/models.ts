/** Making models that train. */
import {
  type Functional,
  type FunctionalOptions,
  model as functional,
  type Layer,
  type Sequential,
  type SequentialOptions,
  type SymbolicTensor,
  sequential as sequence,
} from '@unroll/nn';
import { type Trainable, trainable } from './trainable.js';

/**
 * A model of layers one after another. Shapes are worked out at the first call, or by `build`, or at once where the first
 * entry is an `input({ shape })`.
 */
export function sequential(
  layers: readonly (Layer | SymbolicTensor)[],
  options?: SequentialOptions,
): Sequential & Trainable {
  return trainable(sequence(layers, options));
}

/** A model of a graph of layers, from symbolic inputs to symbolic outputs. */
export function model(options: FunctionalOptions): Functional & Trainable {
  return trainable(functional(options));
}
