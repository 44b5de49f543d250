/** Exports for other packages of Unroll and for tests. They may change in any version. */
export { maskedCrc } from './callbacks/event-file.js';
export {
  type ClipResult,
  checkClip,
  clipGradients,
  type GradientBuffer,
  normsFromSquares,
  resolveClip,
  sumsOfSquares,
} from './clip.js';
export { outputNames } from './evaluate.js';
export { FIT_OPTIONS } from './fit.js';
export { emptyHistory, record } from './history.js';
export { alignParts } from './losses/align.js';
export { makeLoss } from './losses/loss.js';
export { combineWeights } from './losses/row-factors.js';
export { lossByOutput, Objective, resolveLosses } from './objective.js';
export { checkAverage } from './optimizers/average.js';
export { configOf, type NamedConfig, resolve } from './registry.js';
export { DATA_OPTIONS, RUN_OPTIONS } from './train.js';
