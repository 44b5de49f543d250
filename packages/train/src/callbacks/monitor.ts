/** Finds the value of a monitored metric in an epoch event, and decides whether the value has improved. */
import { valueError } from '@unroll/core';
import { formatValue, nearest, type OptionTypes } from '@unroll/core/internal';
import { type EpochEvent, metricsOf } from '../events.js';

export interface MonitorOptions {
  /**
   * Name of the metric, such as `loss`, `validationLoss` or `validationAccuracy`. Default `validationLoss`, or `loss`
   * without validation data.
   */
  monitor?: string;
  /**
   * Whether a lower (`min`) or higher (`max`) value is better. Default `auto`: `max` if the name ends with accuracy, auc,
   * precision, recall, f1 or r2, otherwise `min`.
   */
  mode?: 'min' | 'max' | 'auto';
}

/** Types of the options, for checks. */
export const MONITOR_OPTIONS: OptionTypes<MonitorOptions> = {
  monitor: 'string',
  mode: ['min', 'max', 'auto'],
};

/** Matches names of metrics for which higher is better. */
const HIGHER_IS_BETTER = /(accuracy|auc|precision|recall|f1|r2)$/i;

/**
 * Returns the name and the value of the monitored metric in an epoch.
 * @param monitor name of the metric; undefined: the default
 * @throws UnrollError `value` if there is no such metric
 */
export function monitored(event: EpochEvent, monitor: string | undefined): { name: string; value: number } {
  const metrics = metricsOf(event);
  const name = monitor ?? ('validationLoss' in metrics ? 'validationLoss' : 'loss');
  if (Object.hasOwn(metrics, name)) return { name, value: metrics[name] };
  throw noMetric(name, Object.keys(metrics));
}

/** @throws UnrollError `value` if `monitor` is not in `metrics`, the names of a run's metrics */
export function checkMonitor(monitor: string | undefined, metrics: readonly string[]): void {
  if (monitor !== undefined && !metrics.includes(monitor)) throw noMetric(monitor, metrics);
}

/** Returns the error, which suggests the most similar name and lists all metrics. */
function noMetric(name: string, metrics: readonly string[]): Error {
  // Keras's val_loss is called validationLoss here.
  const similar = nearest(name.replace(/^val(_|(?=[A-Z]))/, 'validation'), metrics);
  const suggestion = similar === undefined ? '' : `Did you mean "${similar}"? `;
  const end = metrics.includes('validationLoss')
    ? '.'
    : '; validationLoss needs validationData or validationSplit.';
  return valueError(
    `There is no metric ${formatValue(name)} to monitor. ${suggestion}The metrics are ${metrics.join(', ')}${end}`,
    { monitor: name, metrics },
  );
}

/** Returns whether a lower (`min`) or higher (`max`) value of the metric `name` is better. */
export function modeOf(name: string, mode: MonitorOptions['mode'] = 'auto'): 'min' | 'max' {
  if (mode !== 'auto') return mode;
  return HIGHER_IS_BETTER.test(name) ? 'max' : 'min';
}

/** Returns true if `value` is better than `best` (null: none yet) by more than `minDelta`; false for NaN. */
export function isBetter(value: number, best: number | null, mode: 'min' | 'max', minDelta = 0): boolean {
  if (Number.isNaN(value)) return false;
  if (best === null) return true;
  return mode === 'max' ? value > best + minDelta : value < best - minDelta;
}
