/** Baseline forecasts without training. A model that does not beat them has learned nothing useful. */
import { UnrollError, valueError } from '@unroll/core';
import { shown } from '@unroll/core/internal';

function checked(history: ArrayLike<number>, horizon: number, needed: number): void {
  if (!Number.isInteger(horizon) || horizon < 1)
    throw valueError(`horizon must be a positive integer, got ${shown(horizon)}.`);
  if (history.length < needed) {
    throw new UnrollError(
      'data',
      `This forecast needs at least ${needed} past value${needed === 1 ? '' : 's'}, got ${history.length}.`,
    );
  }
}

/** The last value, repeated (naive forecast). */
export function naive(history: ArrayLike<number>, horizon: number): Float64Array {
  checked(history, horizon, 1);
  return new Float64Array(horizon).fill(history[history.length - 1]);
}

/** The value one season earlier. Beyond the first season, the last season repeats. */
export function seasonalNaive(history: ArrayLike<number>, horizon: number, season: number): Float64Array {
  checked(history, horizon, season);
  return Float64Array.from({ length: horizon }, (_, k) => history[history.length - season + (k % season)]);
}

/**
 * The line through the first and the last value, extended: the last value plus the mean change per step times the
 * number of steps ahead.
 */
export function drift(history: ArrayLike<number>, horizon: number): Float64Array {
  checked(history, horizon, 2);
  const last = history[history.length - 1];
  const slope = (last - history[0]) / (history.length - 1);
  return Float64Array.from({ length: horizon }, (_, k) => last + slope * (k + 1));
}
