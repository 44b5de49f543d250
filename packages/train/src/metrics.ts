/** Resolves metrics by name, for `compile` and `evaluate`. */
import * as metrics from './metrics/index.js';
import type { Metric } from './metrics/metric.js';
import { resolve } from './registry.js';

/** The metrics whose result is one number. */
const { confusionMatrix: _confusionMatrix, ...builtIn } = metrics;

export type MetricName = keyof typeof builtIn;
/** A metric: a name, a name with options, or a metric object. */
export type MetricSpec = MetricName | { name: MetricName; readonly [option: string]: unknown } | Metric;

/**
 * Resolves `spec` to a metric: a new one, or the given object.
 * @throws UnrollError `value` for an unknown name or option; the message lists the valid ones
 */
export function resolveMetric(spec: MetricSpec): Metric {
  return resolve<Metric>('metric', builtIn, spec);
}
