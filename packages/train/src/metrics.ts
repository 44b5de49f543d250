/** The metrics by name: what `compile` and `evaluate` choose from. */
import * as metrics from './metrics/index.js';
import type { Metric } from './metrics/metric.js';
import { resolve } from './registry.js';

/** All that give one number. */
const { confusionMatrix: _confusionMatrix, ...named } = metrics;

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
