/**
 * Infers the season length: candidates come from the frequency and are checked against the autocorrelation of the
 * series.
 */
import type { Frequency } from './frequency.js';

/** A longer season wins only if its correlation is this many times the one of the best shorter season. */
const CLEARLY = 1.2;

/**
 * The season length in rows, 1 if the series has none. Candidates come from the frequency (months: 12, hours: 24 and
 * 168, ...); without a calendar they are the peaks of the autocorrelation. A candidate is accepted if the
 * autocorrelation of the detrended series at that lag is above 0.3 and above the level of chance, and if the series
 * covers at least two seasons.
 */
export function inferSeason(values: ArrayLike<number>, frequency: Frequency): number {
  const known = forwardFilled(values);
  const candidates = seasonCandidates(frequency, known.length).filter((lag) => lag * 2 <= known.length);
  const scores = new Map(candidates.map((lag) => [lag, autocorrelation(detrended(known, lag), lag)]));
  let best = 1;
  let least = Math.max(0.3, 2 / Math.sqrt(known.length));
  for (const [lag, score] of scores) {
    const peak = score >= (scores.get(lag - 1) ?? -1) && score >= (scores.get(lag + 1) ?? -1);
    if (!peak || score <= least) continue;
    best = lag;
    least = score * CLEARLY;
  }
  return best;
}

/** Season lengths in rows that a calendar suggests, shortest first. */
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

/** The values, with missing ones replaced by the last known value. */
function forwardFilled(values: ArrayLike<number>): Float64Array {
  const out = Float64Array.from(values);
  for (let i = 1; i < out.length; i++) if (Number.isNaN(out[i])) out[i] = out[i - 1];
  return out;
}

/** The values minus their centred moving average over `length` rows (fewer at the ends). */
function detrended(values: Float64Array, length: number): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = sums[i] + values[i];
  const half = length / 2;
  return values.map((value, i) => {
    const from = Math.max(0, Math.ceil(i - half));
    const to = Math.min(values.length, Math.ceil(i + half));
    return value - (sums[to] - sums[from]) / (to - from);
  });
}

/** Autocorrelation of a series at `lag` rows; 0 for a constant series. */
export function autocorrelation(values: ArrayLike<number>, lag: number): number {
  const n = values.length;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i] / n;
  let all = 0;
  let shared = 0;
  for (let i = 0; i < n; i++) {
    const here = values[i] - mean;
    all += here * here;
    if (i >= lag) shared += here * (values[i - lag] - mean);
  }
  return all === 0 ? 0 : shared / all;
}
