/**
 * Estimates how the size of errors depends on the position in the season, such as the hour of the day: demand at night changes less
 * than demand in the afternoon, so intervals at night are narrower. The size is estimated from the changes over one season in the
 * training rows. Conformity scores are divided by this size (locally weighted conformal prediction, Lei et al. 2018).
 */
import { periodsBetween } from '@unroll/data';
import type { Panel } from './panel.js';

export interface SeasonalSpread {
  season: number;
  /** Time of position 0. */
  start: number;
  /** The size of errors at each position, relative to the mean over the season. */
  byPosition: readonly number[];
}

/** With fewer seasons in the training rows of all series, the positions cannot be distinguished. */
const MIN_SEASONS = 20;
/** The estimate of a position counts as much as the mean if it is based on this many changes. */
const SHRINKAGE = 20;
/** Limits of the size at a position, relative to the mean over the season. */
const [SMALLEST, LARGEST] = [0.1, 10];

/**
 * Estimates the spread. All series have the same spread, because their scores are pooled.
 * @param changes for each series, the absolute changes over one season, in units of their mean; NaN if unknown
 * @param firsts for each series, the grid index of its first change
 * @returns null if there is no season, or there are too few rows
 */
export function seasonalSpread(
  { start }: Panel,
  season: number,
  changes: readonly Float64Array[],
  firsts: readonly number[],
): SeasonalSpread | null {
  const rows = changes.reduce((sum, { length }) => sum + length, 0);
  if (season < 2 || rows < MIN_SEASONS * season) return null;
  const sums = new Float64Array(season);
  const counts = new Float64Array(season);
  for (const [s, list] of changes.entries()) {
    for (const [i, change] of list.entries()) {
      if (!Number.isFinite(change)) continue;
      const position = (firsts[s] + i) % season;
      sums[position] += change;
      counts[position]++;
    }
  }
  const mean = total(sums) / total(counts);
  if (!(mean > 0)) return null;
  const byPosition = Array.from(sums, (sum, position) => {
    const size = (sum / mean + SHRINKAGE) / (counts[position] + SHRINKAGE);
    return Math.min(LARGEST, Math.max(SMALLEST, size));
  });
  return { season, start, byPosition };
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** Returns a function that returns the spread at a grid index of the panel; 1 everywhere if `spread` is null. */
export function spreadAt(spread: SeasonalSpread | null, panel: Panel): (index: number) => number {
  if (spread === null) return () => 1;
  const { season, byPosition } = spread;
  const shift = panel.start === spread.start ? 0 : periodsBetween(spread.start, panel.start, panel.frequency);
  return (index) => byPosition[(((index + shift) % season) + season) % season];
}
