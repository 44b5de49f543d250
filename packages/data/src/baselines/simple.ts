/** Baseline forecasts that repeat or extend past values. A useful model has a smaller error than a baseline. */
import { UnrollError, valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

/** @throws UnrollError `value` for an invalid horizon or season, `data` if there are fewer than `needed` past values */
export function checkInputs(history: ArrayLike<number>, horizon: number, needed: number, season = 1): void {
  if (!Number.isInteger(season) || season < 1)
    throw valueError(`season must be a positive integer, got ${formatValue(season)}.`);
  if (!Number.isInteger(horizon) || horizon < 1)
    throw valueError(`horizon must be a positive integer, got ${formatValue(horizon)}.`);
  if (history.length < needed) {
    throw new UnrollError(
      'data',
      `This forecast needs at least ${needed} past value${needed === 1 ? '' : 's'}, got ${history.length}.`,
    );
  }
}

/** Returns the naive forecast: the last value, `horizon` times. */
export function naive(history: ArrayLike<number>, horizon: number): Float64Array {
  checkInputs(history, horizon, 1);
  return new Float64Array(horizon).fill(history[history.length - 1]);
}

/** Returns the seasonal naive forecast: the last `season` values, repeated up to `horizon` values. */
export function seasonalNaive(history: ArrayLike<number>, horizon: number, season: number): Float64Array {
  checkInputs(history, horizon, season);
  return Float64Array.from({ length: horizon }, (_, k) => history[history.length - season + (k % season)]);
}

/**
 * Returns the drift forecast: the line through the first and the last value, continued for `horizon` steps.
 */
export function drift(history: ArrayLike<number>, horizon: number): Float64Array {
  checkInputs(history, horizon, 2);
  const last = history[history.length - 1];
  const slope = (last - history[0]) / (history.length - 1);
  return Float64Array.from({ length: horizon }, (_, k) => last + slope * (k + 1));
}
