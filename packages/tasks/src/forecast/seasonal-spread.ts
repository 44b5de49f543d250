/**
 * Estimates how the size of errors depends on the position in the season, such as the hour of the day: demand at night changes less
 * than demand in the afternoon, so intervals at night are narrower. Conformity scores are divided by this size (locally weighted
 * conformal prediction, Lei et al. 2018). There are two estimates: from the changes over one season in the training rows, and from
 * the calibration errors, if they span enough seasons.
 */
import { periodsBetween } from '@unroll/data';
import type { Panel } from './panel.js';

export interface SeasonalSpread {
  season: number;
  /** Time of position 0. */
  start: number;
  /** The size of errors at each position, relative to the mean over the season. */
  byPosition: readonly number[];
  /** The size at each position, by series id. Default: `byPosition` for all series. */
  bySeries?: Readonly<Record<string, readonly number[]>>;
}

/**
 * Minimum number of seasons for an estimate; with fewer, the positions cannot be distinguished. For changes, it is the sum over
 * all series; for errors, the number of seasons from the first error to the last.
 */
const MIN_CHANGE_SEASONS = 20;
export const MIN_ERROR_SEASONS = 10;
/** Each estimate is shrunk towards the mean, which counts as this many rows. */
const SHRINKAGE = 20;
/** Limits of the size at a position, relative to the mean over the season. */
const [SMALLEST, LARGEST] = [0.1, 10];

/**
 * Estimates the spread from changes. All series have the same spread.
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
  if (season < 2 || rows < MIN_CHANGE_SEASONS * season) return null;
  const sizes = new PositionSizes(season);
  for (const [s, list] of changes.entries())
    for (const [i, change] of list.entries()) if (Number.isFinite(change)) sizes.add(firsts[s] + i, change);
  return sizes.mean > 0 ? { season, start, byPosition: sizes.relative() } : null;
}

/** Absolute errors of one horizon step, relative to their mean. */
export interface RelativeErrors {
  series: readonly number[];
  /** The grid index of the row of each error. */
  index: readonly number[];
  /** NaN: not used. */
  size: Float64Array;
}

/**
 * Estimates the spread of each series from errors.
 * @returns null if there is no season, or the errors span too few seasons
 */
export function spreadOfErrors(
  { start, series }: Panel,
  season: number,
  steps: readonly RelativeErrors[],
): SeasonalSpread | null {
  if (season < 2) return null;
  const all = new PositionSizes(season);
  const sizesBySeries = series.map(() => new PositionSizes(season));
  let [first, end, count] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const { series: seriesOf, index, size } of steps) {
    for (const [n, row] of index.entries()) {
      if (Number.isNaN(size[n])) continue;
      all.add(row, size[n]);
      sizesBySeries[seriesOf[n]].add(row, size[n]);
      first = Math.min(first, row);
      end = Math.max(end, row + 1);
      count++;
    }
  }
  const rows = end - first;
  if (!(rows >= MIN_ERROR_SEASONS * season && all.mean > 0)) return null;
  // Several errors of one row, from different origins, count as one.
  const perRow = Math.max(1, count / (series.length * rows));
  const byPosition = all.relative(perRow);
  if (series.length === 1) return { season, start, byPosition };
  const bySeries = series.map(({ id }, s) => [id, sizesBySeries[s].relative(perRow, byPosition)] as const);
  return { season, start, byPosition, bySeries: Object.fromEntries(bySeries) };
}

/** The mean size of changes or errors at each position in the season. */
class PositionSizes {
  readonly #sums: Float64Array;
  readonly #counts: Float64Array;

  constructor(season: number) {
    this.#sums = new Float64Array(season);
    this.#counts = new Float64Array(season);
  }

  add(index: number, size: number): void {
    const position = index % this.#sums.length;
    this.#sums[position] += size;
    this.#counts[position]++;
  }

  get mean(): number {
    return total(this.#sums) / total(this.#counts);
  }

  /**
   * Returns the size at each position relative to the mean size, shrunk towards `prior`.
   * @param perRow number of sizes that count as one row
   * @param prior relative sizes by position. Default: 1 at all positions
   */
  relative(perRow = 1, prior?: readonly number[]): number[] {
    const { mean } = this;
    const weight = SHRINKAGE * perRow;
    return Array.from(this.#sums, (sum, position) => {
      const other = prior?.[position] ?? 1;
      if (!(mean > 0)) return other; // there are no sizes, or all are 0
      const size = (sum / mean + weight * other) / (this.#counts[position] + weight);
      return Math.min(LARGEST, Math.max(SMALLEST, size));
    });
  }
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** Returns a function that returns the spread of a series at a grid index of the panel; 1 everywhere if `spread` is null. */
export function spreadAt(
  spread: SeasonalSpread | null,
  panel: Panel,
): (series: number, index: number) => number {
  if (spread === null) return () => 1;
  const { season, byPosition, bySeries } = spread;
  const shift = panel.start === spread.start ? 0 : periodsBetween(spread.start, panel.start, panel.frequency);
  return (series, index) => {
    const { id } = panel.series[series];
    const sizes = bySeries !== undefined && Object.hasOwn(bySeries, id) ? bySeries[id] : byPosition;
    return sizes[(((index + shift) % season) + season) % season];
  };
}
