/** unrolljs/infer: load a model and run it. Nothing here or below pulls in a trainer. */
import type { Network } from '@unroll/nn';
import { type ArtifactSource, readArtifact } from './load.js';
import { type Runnable, runnable } from './runnable.js';

export { ready, setBackend, setThreads, Tensor, tensor, UnrollError } from '@unroll/core';
export { registerCell, registerLayer, Stream, type StreamOptions, type StreamState } from '@unroll/nn';
export type { ArtifactSource } from './load.js';
export { type PredictOptions, type Runnable, runnable } from './runnable.js';
export { type ModelValues, type NestedNumbers, type NumberArray, toTensor, type Values } from './values.js';

/**
 * A saved model, ready to predict.
 * @param source a path (Node: a folder or a zip), an address (pages), the bytes of a zip, or the files
 * themselves
 * @throws UnrollError `format` where there is no artifact, or it is damaged or of a class that is not
 * registered
 */
export async function load(source: ArtifactSource): Promise<Network & Runnable> {
  return runnable((await readArtifact(source)).model);
}
