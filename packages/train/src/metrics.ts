/** The metrics by name: what `compile` and `evaluate` choose from. */
import {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKAccuracy,
} from './metrics/accuracy.js';
import { auc } from './metrics/auc.js';
import { confusionMatrix, f1, precision, recall } from './metrics/counts.js';
import { mae, mse, r2, rmse } from './metrics/errors.js';
import type { Metric } from './metrics/metric.js';
import { perplexity } from './metrics/perplexity.js';
import { resolve } from './registry.js';

export type { ThresholdOptions, TopKOptions } from './metrics/accuracy.js';
export type { ConfusionOptions, CountsOptions } from './metrics/counts.js';
export type { Metric, MetricState } from './metrics/metric.js';
export type { PerplexityOptions } from './metrics/perplexity.js';
export {
  accuracy,
  auc,
  binaryAccuracy,
  categoricalAccuracy,
  confusionMatrix,
  f1,
  mae,
  mse,
  perplexity,
  precision,
  r2,
  recall,
  rmse,
  sparseCategoricalAccuracy,
  topKAccuracy,
};

const metrics = {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKAccuracy,
  precision,
  recall,
  f1,
  auc,
  mae,
  mse,
  rmse,
  r2,
  perplexity,
};

export type MetricName = keyof typeof metrics;
/** A metric by its name, by its name and options, or itself. */
export type MetricSpec = MetricName | { name: MetricName; readonly [option: string]: unknown } | Metric;

/**
 * The metric that `spec` asks for, empty.
 * @throws UnrollError `value` for an unknown name or option, with those there are
 */
export function resolveMetric(spec: MetricSpec): Metric {
  return resolve<Metric>('metric', metrics, spec);
}
