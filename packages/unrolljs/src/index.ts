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
export type { StreamState } from '@unroll/nn';
export * from '@unroll/nn';
export * from '@unroll/train';
export type { LossName, OptimizerName } from './compile.js';
export { InferenceModel, type PredictOptions } from './inference-model.js';
export { type CompileOptions, type FitOptions, Model, SequentialModel, sequential } from './model.js';
export { type ModelValues, type NestedNumbers, type NumberArray, toTensor, type Values } from './values.js';
