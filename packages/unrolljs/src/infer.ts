/** unrolljs/infer: run a model. Nothing here or below pulls in a trainer. */
export { ready, setBackend, setThreads, Tensor, tensor, UnrollError } from '@unroll/core';
export { type PredictOptions, type Runnable, runnable } from './runnable.js';
export { type ModelValues, type NestedNumbers, type NumberArray, toTensor, type Values } from './values.js';
