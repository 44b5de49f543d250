/** Creates trainable models. */

import type { ArtifactFiles } from '@unroll/formats';
import {
  type Functional,
  type FunctionalOptions,
  model as functionalNetwork,
  type Layer,
  type Network,
  type Sequential,
  type SequentialOptions,
  type SymbolicTensor,
  sequential as sequentialNetwork,
} from '@unroll/nn';
import { type LossSpec, resolveLoss } from '@unroll/train';
import { compileOptionsFromJson } from './compile-options.js';
import { isArtifact } from './is-artifact.js';
import { type ArtifactSource, readArtifact } from './load.js';
import { type CompileOptions, type Trainable, trainable, trainableFrom } from './trainable.js';

/**
 * Creates a sequential model: a stack of layers. Shapes are inferred at the first call or by `build`, or immediately if
 * the first entry is `input({ shape })`.
 */
export function sequential(
  layers: readonly (Layer | SymbolicTensor)[],
  options?: SequentialOptions,
): Sequential & Trainable {
  return trainable(sequentialNetwork(layers, options));
}

/** Creates a functional model: a graph of layers from symbolic inputs to symbolic outputs. */
export function model(options: FunctionalOptions): Functional & Trainable {
  return trainable(functionalNetwork(options));
}

/**
 * Loads a saved model for prediction and, if it was compiled, for training, with the optimizer in its initial state. A model
 * that was compiled with `losses.sampledSoftmax` must be compiled again, with a layer of the same name and size, because its
 * loss uses a layer that is not saved. Models of other tools (Keras, PyTorch, safetensors, ONNX) are recognised and converted
 * as by `importModel` of `unrolljs/convert`, which also returns a report.
 * @param source a path (in Node: a folder or a file), a URL (in a page), the bytes of a file, a File, or the files of an
 * artifact
 * @throws UnrollError `format` if there is no artifact, if it is damaged, or if it contains a class that is not
 * registered; `value` if it contains parameters of a loss that is not registered
 */
export async function load(source: ArtifactSource | Blob): Promise<Network & Trainable> {
  if (!(await isArtifact(source))) {
    const { importModel } = await import('./convert-model.js');
    return (await importModel(source as Exclude<typeof source, ArtifactFiles>)).model;
  }
  const { model: network, training, lossParameters } = await readArtifact(source as ArtifactSource);
  const compiled = compileOptionsFromJson(training);
  if (compiled && needsLayer(compiled.loss))
    return trainableFrom(network, { lossParameters, compiled, compileHint: LAYER_HINT });
  const loaded = trainableFrom(network, { lossParameters });
  return compiled ? loaded.compile(compiled) : loaded;
}

const LAYER_HINT =
  ' The saved loss "sampledSoftmax" uses a layer, which is not saved with the model: pass losses.sampledSoftmax({ layer }) ' +
  'again, with a layer of the same name and size.';

/** True if a saved loss is `sampledSoftmax`, and the program has not registered it with its layer. */
function needsLayer(loss: CompileOptions['loss']): boolean {
  const specs = typeof loss === 'object' && !('name' in loss) ? Object.values(loss) : [loss];
  return specs.some((spec) => {
    if ((spec as { name?: unknown } | null)?.name !== 'sampledSoftmax') return false;
    try {
      resolveLoss(spec as LossSpec);
      return false;
    } catch {
      return true;
    }
  });
}
