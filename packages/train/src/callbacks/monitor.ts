/** Watching one figure of the epochs: whether it has become better. */
import { valueError } from '@unroll/core';
import { type Known, nearest, shown } from '@unroll/core/internal';
import { type EpochEvent, figuresOf } from '../events.js';

export interface MonitorOptions {
  /**
   * Name of the figure: `validationLoss`, `loss`, a metric, ... Default `validationLoss`, or `loss` without
   * it.
   */
  monitor?: string;
  /** Whether less or more of it is better. Default `auto`: by its name, less for losses and errors. */
  mode?: 'min' | 'max' | 'auto';
}

/** What callbacks that watch a figure take. */
export const MONITOR: Known<MonitorOptions> = { monitor: 'text', mode: ['min', 'max', 'auto'] };

/** Figures of which more is better, by the end of their names. */
const MORE_IS_BETTER = /(accuracy|auc|precision|recall|f1|r2)$/i;

/** The monitored figure of an epoch. @throws UnrollError `value` listing the figures there are */
export function monitored(event: EpochEvent, monitor: string | undefined): { name: string; value: number } {
  const figures = figuresOf(event);
  const name = monitor ?? ('validationLoss' in figures ? 'validationLoss' : 'loss');
  if (Object.hasOwn(figures, name)) return { name, value: figures[name] };
  throw noFigure(name, Object.keys(figures));
}

/**
 * Refuses a figure that a run will not have.
 * @throws UnrollError `value` with the nearest name and those there are
 */
export function checkMonitor(monitor: string | undefined, figures: readonly string[]): void {
  if (monitor !== undefined && !figures.includes(monitor)) throw noFigure(monitor, figures);
}

function noFigure(name: string, figures: readonly string[]): Error {
  // Keras's val_loss is validationLoss here.
  const near = nearest(name.replace(/^val(_|(?=[A-Z]))/, 'validation'), figures);
  const meant = near === undefined ? '' : `Did you mean "${near}"? `;
  const without = figures.includes('validationLoss')
    ? '.'
    : '; validationLoss comes with validationData or validationSplit.';
  return valueError(
    `There is no figure ${shown(name)} to monitor. ${meant}There are ${figures.join(', ')}${without}`,
    { monitor: name, figures },
  );
}

/** Whether less or more of the figure of that name is better. */
export function modeOf(name: string, mode: MonitorOptions['mode'] = 'auto'): 'min' | 'max' {
  if (mode !== 'auto') return mode;
  return MORE_IS_BETTER.test(name) ? 'max' : 'min';
}

/** Whether `value` is better than `best` (null: there is none yet) by more than `minDelta`. NaN never is. */
export function isBetter(value: number, best: number | null, mode: 'min' | 'max', minDelta = 0): boolean {
  if (Number.isNaN(value)) return false;
  if (best === null) return true;
  return mode === 'max' ? value > best + minDelta : value < best - minDelta;
}
