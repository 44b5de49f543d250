/** The metrics: `metrics.accuracy()`, `metrics.topKAccuracy({ k: 3 })`. */
export {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  type ThresholdOptions,
  type TopKOptions,
  topKAccuracy,
} from './accuracy.js';
export { auc } from './auc.js';
export {
  type ConfusionOptions,
  type CountsOptions,
  confusionMatrix,
  f1,
  precision,
  recall,
} from './counts.js';
export { mae, mse, r2, rmse } from './errors.js';
export { type LabelErrorRateOptions, labelErrorRate } from './label-error-rate.js';
export { type PerplexityOptions, perplexity } from './perplexity.js';
