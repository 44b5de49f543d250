/** The metrics by name, for `compile` and `evaluate`. */
import * as metrics from './metrics/index.js';
import type { Metric } from './metrics/metric.js';
import { resolve } from './registry.js';

/** All metrics whose result is one number. */
const { confusionMatrix: _confusionMatrix, ...named } = metrics;

export type MetricName = keyof typeof named;
/** A metric: its name, its name with options, or a metric object. */
export type MetricSpec = MetricName | { name: MetricName; readonly [option: string]: unknown } | Metric;

/**
 * Resolves `spec` to a new metric.
 * @throws UnrollError `value` for an unknown name or option; the message lists the known ones
 */
export function resolveMetric(spec: MetricSpec): Metric {
  return resolve<Metric>('metric', named, spec);
}
