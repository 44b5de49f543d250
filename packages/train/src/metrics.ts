/** The metrics by name: what `compile` and `evaluate` choose from. */
import * as metrics from './metrics/index.js';
import type { Metric } from './metrics/metric.js';
import { resolve } from './registry.js';

const named = {
  accuracy: metrics.accuracy,
  binaryAccuracy: metrics.binaryAccuracy,
  categoricalAccuracy: metrics.categoricalAccuracy,
  sparseCategoricalAccuracy: metrics.sparseCategoricalAccuracy,
  topKAccuracy: metrics.topKAccuracy,
  precision: metrics.precision,
  recall: metrics.recall,
  f1: metrics.f1,
  auc: metrics.auc,
  mae: metrics.mae,
  mse: metrics.mse,
  rmse: metrics.rmse,
  r2: metrics.r2,
  perplexity: metrics.perplexity,
};

export type MetricName = keyof typeof named;
/** A metric by its name, by its name and options, or itself. */
export type MetricSpec = MetricName | { name: MetricName; readonly [option: string]: unknown } | Metric;

/**
 * The metric that `spec` asks for, empty.
 * @throws UnrollError `value` for an unknown name or option, with those there are
 */
export function resolveMetric(spec: MetricSpec): Metric {
  return resolve<Metric>('metric', named, spec);
}
