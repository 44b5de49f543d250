/** Monitoring one metric of the epochs: whether it has improved. */
import { valueError } from '@unroll/core';
import { type OptionTypes, nearest, formatValue } from '@unroll/core/internal';
import { type EpochEvent, metricsOf } from '../events.js';

export interface MonitorOptions {
  /**
   * Name of the metric: `validationLoss`, `loss`, a metric, ... Default `validationLoss`, or `loss` without
   * validation data.
   */
  monitor?: string;
  /**
   * Whether a lower (`min`) or higher (`max`) metric is better. Default `auto`: from its name; lower for losses and
   * errors.
   */
  mode?: 'min' | 'max' | 'auto';
}

/** The options of callbacks that monitor a metric. */
export const MONITOR_OPTIONS: OptionTypes<MonitorOptions> = { monitor: 'string', mode: ['min', 'max', 'auto'] };

/** Suffixes of metrics for which higher is better. */
const MORE_IS_BETTER = /(accuracy|auc|precision|recall|f1|r2)$/i;

/** The monitored metric of an epoch. @throws UnrollError `value` with the available metrics, if there is none of that name */
export function monitored(event: EpochEvent, monitor: string | undefined): { name: string; value: number } {
  const metrics = metricsOf(event);
  const name = monitor ?? ('validationLoss' in metrics ? 'validationLoss' : 'loss');
  if (Object.hasOwn(metrics, name)) return { name, value: metrics[name] };
  throw noMetric(name, Object.keys(metrics));
}

/**
 * @throws UnrollError `value` if a run will not have the metric; the message suggests the nearest name and lists the
 * available ones
 */
export function checkMonitor(monitor: string | undefined, metrics: readonly string[]): void {
  if (monitor !== undefined && !metrics.includes(monitor)) throw noMetric(monitor, metrics);
}

function noMetric(name: string, metrics: readonly string[]): Error {
  // Keras's val_loss is called validationLoss here.
  const near = nearest(name.replace(/^val(_|(?=[A-Z]))/, 'validation'), metrics);
  const meant = near === undefined ? '' : `Did you mean "${near}"? `;
  const without = metrics.includes('validationLoss')
    ? '.'
    : '; validationLoss needs validationData or validationSplit.';
  return valueError(
    `There is no metric ${formatValue(name)} to monitor. ${meant}The metrics are ${metrics.join(', ')}${without}`,
    { monitor: name, metrics },
  );
}

/** Whether a lower or higher value of the metric is better. */
export function modeOf(name: string, mode: MonitorOptions['mode'] = 'auto'): 'min' | 'max' {
  if (mode !== 'auto') return mode;
  return MORE_IS_BETTER.test(name) ? 'max' : 'min';
}

/** True if `value` is better than `best` (null: none yet) by more than `minDelta`; false for NaN. */
export function isBetter(value: number, best: number | null, mode: 'min' | 'max', minDelta = 0): boolean {
  if (Number.isNaN(value)) return false;
  if (best === null) return true;
  return mode === 'max' ? value > best + minDelta : value < best - minDelta;
}
