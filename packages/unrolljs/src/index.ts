/**
 * Unroll: recurrent networks for TypeScript.
 *
 *     import { dense, lstm, sequential } from 'unrolljs';
 *
 *     const model = sequential([lstm({ units: 50, activation: 'relu' }), dense({ units: 1 })]);
 *     model.compile({ optimizer: 'adam', loss: 'mse' });
 *     await model.fit(x, y, { epochs: 200 });
 *     const forecast = await model.predict(x);
 */
export * from '@unroll/core';
export {
  type Artifact,
  type ArtifactExtras,
  type ArtifactFiles,
  fromArtifact,
  fromZip,
  toArtifact,
  toZip,
} from '@unroll/formats';
export type { StreamState } from '@unroll/nn';
export * from '@unroll/nn';
export * from '@unroll/train';
export type { ExampleOptions, ExamplePair, ExampleSet, ValidationData } from './examples.js';
export type { ArtifactSource } from './load.js';
export { load, model, sequential } from './models.js';
export { type PredictOptions, type Runnable, runnable } from './runnable.js';
export {
  type CompileOptions,
  type EvaluateOptions,
  type FitOptions,
  type Trainable,
  trainable,
} from './trainable.js';
export { type ModelValues, type NestedNumbers, type NumberArray, toTensor, type Values } from './values.js';
