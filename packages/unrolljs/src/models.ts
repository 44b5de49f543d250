/** Making models that train. */
import {
  type Functional,
  type FunctionalOptions,
  model as functional,
  type Layer,
  type Network,
  type Sequential,
  type SequentialOptions,
  type SymbolicTensor,
  sequential as sequence,
} from '@unroll/nn';
import { compiledFromJson } from './compiled.js';
import { type ArtifactSource, readArtifact } from './load.js';
import { type Trainable, trainable, trainableFrom } from './trainable.js';

/**
 * A model of layers one after another. Shapes are worked out at the first call, or by `build`, or at once
 * where the first entry is an `input({ shape })`.
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

/**
 * A saved model, ready to predict and, if it was saved compiled, to train on (the optimizer starts anew).
 * @param source a path (Node: a folder or a zip), an address (pages), the bytes of a zip, or the files
 * themselves
 * @throws UnrollError `format` where there is no artifact, or it is damaged or of a class that is not
 * registered; `value` where it holds the parameters of a loss that is not registered
 */
export async function load(source: ArtifactSource): Promise<Network & Trainable> {
  const { model: network, training, lossParameters } = await readArtifact(source);
  const loaded = trainableFrom(network, lossParameters);
  const compiled = compiledFromJson(training);
  return compiled ? loaded.compile(compiled) : loaded;
}
