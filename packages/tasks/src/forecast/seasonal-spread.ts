/**
 * Estimates how the size of errors depends on the position in the season, such as the hour of the day: demand at night changes less
 * than demand in the afternoon, so intervals at night are narrower. Conformity scores are divided by this size (locally weighted
 * conformal prediction, Lei et al. 2018). There are two estimates: from the changes over one season in the training rows (here), and
 * from recent errors, if they span enough seasons (error-sizes.ts). Only the latter has factors for a longer season, the part of the
 * horizon, and the origin of the forecast.
 */
import { periodsBetween } from '@unroll/data';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';

export interface SeasonalSpread {
  season: number;
  /** Time of position 0. */
  start: number;
  /** The size of errors at each position, relative to the mean over the season. */
  byPosition: readonly number[];
  /** The size at each position, by series id. Default: `byPosition` for all series. */
  bySeries?: Readonly<Record<string, readonly number[]>>;
  /** A factor for each position in a longer season, such as the hours of a week. Default: 1. Position 0 is also at `start`. */
  byLongPosition?: readonly number[];
  /** A factor for each position in each part of the horizon, and the number of steps of this horizon. Default: 1. */
  byPart?: { horizon: number; factors: readonly (readonly number[])[] };
  /** A factor for each position, in the season, of the origin of a forecast. Default: 1. */
  byOrigin?: readonly number[];
}

/**
 * Minimum number of seasons for an estimate; with fewer, the positions cannot be distinguished. For changes, it is the sum over
 * all series; for errors, the number of seasons from the first error to the last.
 */
const MIN_CHANGE_SEASONS = 20;
export const MIN_ERROR_SEASONS = 10;
/** The size at each position is shrunk towards the mean, which counts as this many rows. */
const SHRINKAGE = 20;
/** Limits of a relative size. */
const [SMALLEST, LARGEST] = [0.1, 10];
export const limitedSize = (size: number): number => Math.min(LARGEST, Math.max(SMALLEST, size));

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

/** The mean size of changes at each position in the season. */
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

  /** Returns the size at each position relative to the mean size, shrunk towards 1. */
  relative(): number[] {
    const { mean } = this;
    return Array.from(this.#sums, (sum, position) =>
      limitedSize((sum / mean + SHRINKAGE) / (this.#counts[position] + SHRINKAGE)),
    );
  }
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);

/** Returns a function from an origin and a horizon step k (from 0) to the spread; 1 everywhere if `spread` is null. */
export function spreadAt(spread: SeasonalSpread | null, panel: Panel): (origin: Origin, k: number) => number {
  if (spread === null) return () => 1;
  const { byPosition, bySeries, byPart, byLongPosition = [1], byOrigin = [1] } = spread;
  const shift = panel.start === spread.start ? 0 : periodsBetween(spread.start, panel.start, panel.frequency);
  const at = (sizes: readonly number[], index: number): number => {
    const { length } = sizes;
    return sizes[(((index + shift) % length) + length) % length];
  };
  return ({ series, origin }, k) => {
    const { id } = panel.series[series];
    const sizes = bySeries !== undefined && Object.hasOwn(bySeries, id) ? bySeries[id] : byPosition;
    const size = at(sizes, origin + k) * at(byLongPosition, origin + k);
    const { horizon, factors } = byPart ?? { horizon: k + 1, factors: [[1]] };
    // Steps after the horizon belong to a new forecast, which starts at the end of the previous one (calibration.ts).
    const step = k % horizon;
    const inPart = at(factors[Math.floor((factors.length * step) / horizon)], origin + k);
    return limitedSize(size * inPart * at(byOrigin, origin + k - step));
  };
}
