/**
 * unrolljs/infer: loads a model and runs it. This entry point imports no training code. In a page, it loads a WebAssembly
 * file without the training kernels. For the smallest bundle, use `loadWith` instead of `load`.
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject
import type { Model } from '@unroll/core';
import { type ArtifactFiles, artifactOf } from '@unroll/formats';
import { builder, type ModelPart, modelFromConfig, type Network, Sequential } from '@unroll/nn';
import { filesIn, readyToRun } from '#files';
import { type ArtifactSource, filesOf } from './load.js';
import { type Runnable, runnableOn } from './runnable.js';

// Backends, tensors and errors
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

// CTC decoding
export {
  type CtcBeamOptions,
  type CtcDecoder,
  type CtcDecoderOptions,
  type CtcGreedyOptions,
  type CtcHypothesis,
  type CtcPath,
  type CtcPrefixScore,
  ctcBeamSearch,
  ctcDecoder,
  ctcGreedy,
} from '@unroll/nn';

// The classes that loadWith accepts
export {
  ActivationLayer,
  ActivationRegularization,
  Add,
  AdditiveAttention,
  Attention,
  AttentionDecoderCell,
  AveragePooling1D,
  AveragePooling2D,
  BatchNormalization,
  Bidirectional,
  Concatenate,
  Conv1D,
  Conv2D,
  CoupledLstmCell,
  Crf,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  Functional,
  GaussianAttentionDecoderCell,
  GlobalAveragePooling1D,
  GlobalMaxPooling1D,
  GruCell,
  InputLayer,
  LayerNormalization,
  LayerNormLstmCell,
  LstmCell,
  Masking,
  MaxPooling1D,
  MaxPooling2D,
  MinGruCell,
  MinLstmCell,
  Multiply,
  OutputEmbedding,
  PeepholeLstmCell,
  Permute,
  ProjectedLstmCell,
  Recurrent,
  RepeatVector,
  Reshape,
  Residual,
  Sequential,
  SimpleRnnCell,
  SpatialDropout1D,
  StackedCells,
  TimeDistributed,
  WordDropout,
  ZoneoutCell,
} from '@unroll/nn';

// Decoding of tags, for models whose output layer is crf
export type { RankedTagPath } from '@unroll/core';
export { decodeTags, nBestTags, tagMarginals } from './infer-tags.js';

// Custom layers, cells and activations
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
 * Loads a saved model for prediction.
 * @param source a path (in Node: a folder or a zip file), a URL (in a page), the bytes of a zip file, or the files
 * @throws UnrollError `format` if there is no artifact, if it is damaged, or if it contains a class that is not
 * registered
 */
export async function load(source: ArtifactSource): Promise<Network & Runnable> {
  return modelOf(await filesOf(source), modelFromConfig);
}

/**
 * Like {@link load}, but supports only the given classes and `Sequential`, so that bundlers can remove all others:
 *
 *     const model = await loadWith('/models/demand/', [LstmCell, Dense]);
 *
 * @param source the path (in Node) or URL (in a page) of a folder, or the files, for example from `fromZip`
 * @param parts the classes of the model's layers (for a recurrent layer, the class of its cell), and `Functional` for a
 * functional model
 * @throws UnrollError `format` as for `load`, and for a class that is not in `parts`
 */
export async function loadWith(
  source: string | ArtifactFiles,
  parts: readonly ModelPart[],
): Promise<Network & Runnable> {
  const files = typeof source === 'string' ? await filesIn(source) : source;
  return modelOf(files, builder([Sequential, ...parts]).model);
}

/** Adds the methods `predict`, `predictAll` and `predictArray` to a network, and returns it. */
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
