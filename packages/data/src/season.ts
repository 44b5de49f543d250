/**
 * Infers the season length of a series: the frequency gives candidates, and the autocorrelation of the series selects one of them.
 */
import type { Frequency } from './frequency.js';

/** A longer season is chosen only if its autocorrelation is more than this factor times that of the season chosen so far. */
const MIN_RATIO = 1.2;

/**
 * Returns the season length in rows, or 1 if the series has none. Candidates are the usual seasons of the frequency
 * (months: 12, hours: 24 and 168, ...). If the times are plain numbers, the candidates are all lengths up to a third of the series,
 * but at most 370. Missing values (NaN) at the start are left out. A candidate must cover at most half of the series, and the
 * autocorrelation of the detrended series at that lag must be above 0.3 and above the level of chance (2 / √rows). If lags next
 * to each other are candidates, it must also be a peak.
 */
export function inferSeason(values: ArrayLike<number>, frequency: Frequency): number {
  let best = 1;
  let threshold = 0;
  for (const { lag, score } of significantSeasons(values, frequency)) {
    if (score <= threshold) continue;
    best = lag;
    threshold = score * MIN_RATIO;
  }
  return best;
}

/**
 * Returns the lengths of all seasons of a series, shortest first: the candidates of {@link inferSeason} whose autocorrelation is
 * high enough. If the times are plain numbers, multiples of a season have high autocorrelations too, so only the inferred season
 * is returned.
 */
export function inferSeasons(values: ArrayLike<number>, frequency: Frequency): number[] {
  if (frequency.unit !== 'step') return significantSeasons(values, frequency).map(({ lag }) => lag);
  return [inferSeason(values, frequency)].filter((season) => season > 1);
}

/** Returns the candidates with a significant autocorrelation, shortest first. */
function significantSeasons(
  values: ArrayLike<number>,
  frequency: Frequency,
): { lag: number; score: number }[] {
  const filled = forwardFill(values);
  const candidates = seasonCandidates(frequency, filled.length).filter((lag) => lag * 2 <= filled.length);
  const scores = new Map(candidates.map((lag) => [lag, autocorrelation(detrend(filled, lag), lag)]));
  const threshold = Math.max(0.3, 2 / Math.sqrt(filled.length));
  return Array.from(scores, ([lag, score]) => ({ lag, score })).filter(
    ({ lag, score }) =>
      score > threshold && score >= (scores.get(lag - 1) ?? -1) && score >= (scores.get(lag + 1) ?? -1),
  );
}

/** Returns the candidate season lengths of a frequency, in rows, shortest first. `rows` is the length of the series. */
export function seasonCandidates(frequency: Frequency, rows: number): number[] {
  const { unit, every } = frequency;
  if (unit === 'step')
    return Array.from({ length: Math.max(0, Math.min(370, Math.floor(rows / 3)) - 1) }, (_, i) => i + 2);
  const perUnit: Record<Exclude<Frequency['unit'], 'step'>, number[]> = {
    millisecond: [1000],
    second: [60, 3600],
    minute: [60, 1440, 10080],
    hour: [24, 168],
    day: [7, 365],
    'business-day': [5, 21],
    week: [52],
    month: [12],
  };
  return perUnit[unit].map((length) => Math.round(length / every)).filter((length) => length > 1);
}

/** Returns the values from the first one that is not missing (NaN). Each missing value is replaced by the value before. */
function forwardFill(values: ArrayLike<number>): Float64Array {
  const all = Float64Array.from(values);
  const first = all.findIndex((value) => !Number.isNaN(value));
  const out = all.subarray(first < 0 ? all.length : first);
  for (let i = 1; i < out.length; i++) if (Number.isNaN(out[i])) out[i] = out[i - 1];
  return out;
}

/** Returns the values minus their centred moving average over `length` rows (fewer at the ends). */
function detrend(values: Float64Array, length: number): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = sums[i] + values[i];
  const half = length / 2;
  return values.map((value, i) => {
    const from = Math.max(0, Math.ceil(i - half));
    const to = Math.min(values.length, Math.ceil(i + half));
    return value - (sums[to] - sums[from]) / (to - from);
  });
}

/** Returns the autocorrelation of a series at a lag of `lag` rows; 0 for a constant series. */
export function autocorrelation(values: ArrayLike<number>, lag: number): number {
  const n = values.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i] / n;
  let variance = 0;
  let covariance = 0;
  for (let i = 0; i < n; i++) {
    const deviation = values[i] - mean;
    variance += deviation * deviation;
    if (i >= lag) covariance += deviation * (values[i - lag] - mean);
  }
  return variance === 0 ? 0 : covariance / variance;
}
