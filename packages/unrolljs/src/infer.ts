/**
 * unrolljs/infer: load a model and run it. Nothing here or below pulls in a trainer, and in a page the kernels come
 * without those for training. Where every kilobyte counts, `loadWith` takes the place of `load`.
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject
import type { Model } from '@unroll/core';
import { type ArtifactFiles, artifactOf } from '@unroll/formats';
import { builder, type ModelPart, modelFromConfig, type Network, Sequential } from '@unroll/nn';
import { filesIn, readyToRun } from '#files';
import { type ArtifactSource, filesOf } from './load.js';
import { type Runnable, runnableOn } from './runnable.js';

// What computes, tensors and errors
export {
  type Backend,
  type BackendName,
  type ErrorCode,
  kernelsAt,
  type NestedArray,
  ready,
  type Shape,
  setBackend,
  setThreads,
  Tensor,
  type TensorLike,
  tensor,
  UnrollError,
} from '@unroll/core';

// Models
export { type ArtifactFiles, fromZip } from '@unroll/formats';
export {
  lengthMask,
  type ModelPart,
  model,
  type Network,
  type Stream,
  type StreamInput,
  type StreamOptions,
  type StreamState,
  type SymbolicTensor,
  sequential,
} from '@unroll/nn';
export type { ArtifactSource } from './load.js';
export type { PredictOptions, Runnable } from './runnable.js';
export type { ModelValues, NestedNumbers, NumberArray, Values } from './values.js';

// The classes that loadWith can be given
export {
  ActivationLayer,
  Add,
  BatchNormalization,
  Bidirectional,
  Concatenate,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  Functional,
  GruCell,
  InputLayer,
  LayerNormalization,
  LstmCell,
  Masking,
  Multiply,
  PeepholeLstmCell,
  Permute,
  Recurrent,
  RepeatVector,
  Reshape,
  Sequential,
  SimpleRnnCell,
  StackedCells,
  TimeDistributed,
} from '@unroll/nn';

// Layers, cells and activations of your own
export {
  type Cell,
  type CellClass,
  Layer,
  type LayerClass,
  type LayerConfig,
  MatrixCell,
  registerActivation,
  registerCell,
  registerLayer,
} from '@unroll/nn';

/**
 * A saved model, ready to predict.
 * @param source a path (Node: a folder or a zip), an address (pages), the bytes of a zip, or the files
 * themselves
 * @throws UnrollError `format` where there is no artifact, or it is damaged or of a class that is not
 * registered
 */
export async function load(source: ArtifactSource): Promise<Network & Runnable> {
  return modelOf(await filesOf(source), modelFromConfig);
}

/**
 * The same, made of the classes given and of `Sequential` alone, so that a bundler can leave the others out:
 *
 *     const model = await loadWith('/models/demand/', [LstmCell, Dense]);
 *
 * @param source a folder, by its path (Node) or address (pages), or the files themselves: `fromZip` gives those in the
 * bytes of a zip
 * @param parts the classes of the model's layers, and for recurrent layers those of their cells; `Functional` for a
 * graph of layers
 * @throws UnrollError `format` as `load` does, and for a class that is not among the parts
 */
export async function loadWith(
  source: string | ArtifactFiles,
  parts: readonly ModelPart[],
): Promise<Network & Runnable> {
  const files = typeof source === 'string' ? await filesIn(source) : source;
  return modelOf(files, builder([Sequential, ...parts]).model);
}

/** The network, with `predict` and `predictAll` as methods. */
export function runnable<N extends Model>(network: N): N & Runnable {
  return runnableOn(network, readyToRun);
}

async function modelOf(
  files: ArtifactFiles,
  build: (config: unknown) => Network,
): Promise<Network & Runnable> {
  await readyToRun();
  return runnable(artifactOf(files, build).model);
}
