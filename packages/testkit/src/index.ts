/** Utilities shared by Unroll's tests, for Node and browsers. Utilities that need Node are in ./node. */
export { type AsyncReference, asyncReference } from './async-reference.js';
export { gradientsOf, onBackend, outputsOf, tensorOf } from './calls.js';
export * from './compare.js';
export { type ContractCase, contractCases, skipReason } from './contract.js';
export * from './draw.js';
export { checkGradients, type GradientReport } from './gradcheck.js';
export {
  drawInputs,
  opNames,
  opWithSamples,
  type Sample,
  type SampleFor,
  samples,
  streamOf,
} from './samples.js';
