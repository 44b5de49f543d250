/**
 * Intervals from past errors (split conformal prediction; with a probabilistic head, conformalised quantile regression).
 * For each horizon step, the conformity score at an earlier origin is the distance of the actual value from the model's
 * interval (a point forecast is an interval of zero width). A new interval is widened by the `level` quantile of the earlier
 * scores. Only errors known at the forecast origin are used.
 *
 * Scores are measured on the scale of the forecast (the logarithm, if the plan uses one) and divided by the typical change
 * of the series, so errors of many series can be pooled.
 */
import { normalQuantile } from './distributions.js';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';

/** A forecast with its intervals: arrays of [horizon]. */
export interface Intervals {
  median: Float64Array;
  /** One for each level. */
  lower: Float64Array[];
  upper: Float64Array[];
  /** Only if the head has a mean of its own. */
  mean?: Float64Array;
}

/** The scale of the scores of a run. */
export interface ScoreScale {
  log: boolean;
  /** Intervals of counts are clipped at 0. */
  counts: boolean;
  /** Typical change of each series. */
  units: readonly number[];
  /** Values below this are raised to it before the logarithm, for each series. */
  floors: readonly number[];
}

interface Score {
  /** Grid index of the actual value. */
  index: number;
  score: number;
}

export class Calibration {
  readonly levels: readonly number[];
  readonly #scale: ScoreScale;
  /** [level][step] */
  readonly #scores: Score[][][];
  /** Cached margins [level][step] by origin; cleared by `learn`. */
  readonly #margins = new Map<number, Float64Array[]>();

  constructor(levels: readonly number[], horizon: number, scale: ScoreScale) {
    this.levels = levels;
    this.#scale = scale;
    this.#scores = levels.map(() => Array.from({ length: horizon }, () => []));
  }

  /** Adds the scores of a forecast from `origin`, for the steps whose actual value is known. */
  learn(panel: Panel, { series, origin }: Origin, { lower, upper }: Intervals): void {
    this.#margins.clear();
    const { offset, values } = panel.series[series];
    for (const [l, scores] of this.#scores.entries()) {
      for (const [k, list] of scores.entries()) {
        const actual = values[origin - offset + k];
        if (actual === undefined || Number.isNaN(actual)) continue;
        const below = this.#up(series, lower[l][k]) - this.#up(series, actual);
        const above = this.#up(series, actual) - this.#up(series, upper[l][k]);
        list.push({ index: origin + k, score: Math.max(below, above) / this.#scale.units[series] });
      }
    }
  }

  /** The forecast with its intervals widened by the scores known at its origin; NaN where there are none. */
  widen({ series, origin }: Origin, intervals: Intervals): Intervals {
    const { log, counts, units, floors } = this.#scale;
    return widened(intervals, this.margins(origin), {
      log,
      counts,
      unit: units[series],
      floor: floors[series],
    });
  }

  /** Margins [level][step] that widen the intervals at an origin, in units of the typical change. */
  margins(origin: number): Float64Array[] {
    let margins = this.#margins.get(origin);
    if (margins === undefined) {
      margins = this.#scores.map((scores, l) =>
        Float64Array.from(scores, (list, k) => margin(list, origin, this.levels[l], k + 1)),
      );
      this.#margins.set(origin, margins);
    }
    return margins;
  }

  #up(series: number, value: number): number {
    return up(value, { log: this.#scale.log, floor: this.#scale.floors[series] });
  }
}

/** The scale of the scores of one series. */
export interface SeriesScale {
  log: boolean;
  counts: boolean;
  unit: number;
  floor: number;
}

const up = (value: number, { log, floor }: Pick<SeriesScale, 'log' | 'floor'>): number =>
  log ? Math.log(Math.max(value, floor)) : value;

const down = (value: number, { log, counts }: Pick<SeriesScale, 'log' | 'counts'>): number =>
  log ? Math.exp(value) : counts ? Math.max(0, value) : value;

/** Intervals widened by margins [level][step]; levels are in ascending order, and each interval contains the one before. */
export function widened(
  { lower, upper, ...intervals }: Intervals,
  margins: readonly ArrayLike<number>[],
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const moved = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] => {
    let inner = median; // Negative margins narrow an interval, but never past the median.
    return bounds.map((bound, l) => {
      const outer = bound.map((value, k) => {
        const wide = down(up(value, scale) + sign * margins[l][k] * scale.unit, scale);
        return sign * (wide - inner[k]) < 0 ? inner[k] : wide;
      });
      inner = outer;
      return outer;
    });
  };
  return { ...intervals, lower: moved(lower, -1), upper: moved(upper, 1) };
}

/**
 * Like `widened`, also for steps beyond the last margin. There the model continues from its own forecast, whose error adds
 * to that of the following steps. The errors are treated as independent: their squares add up, chunk by chunk.
 */
export function widenedBeyond(
  intervals: Intervals,
  margins: readonly ArrayLike<number>[],
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const known = margins[0]?.length ?? median.length;
  const repeated = margins.map((margin) => median.map((_, k) => margin[k % known]));
  const wide = widened(intervals, repeated, scale);
  const grown = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] =>
    bounds.map((bound) => {
      const away = bound.map((value, k) => Math.abs(up(value, scale) - up(median[k], scale)));
      for (let k = known; k < away.length; k++) {
        away[k] = Math.hypot(away[k], away[known * Math.floor(k / known) - 1]);
      }
      return bound.map((value, k) =>
        k < known ? value : down(up(median[k], scale) + sign * away[k], scale),
      );
    });
  return { ...wide, lower: grown(wide.lower, -1), upper: grown(wide.upper, 1) };
}

/**
 * The score that a new one at horizon step `step` exceeds with probability at most 1 - level. For n independent scores, it
 * is the one of rank ceil((n + 1) level). Errors of neighbouring origins overlap in all but one row between origin and
 * target, so n scores are worth about n / sqrt(step) independent ones, which the rank accounts for. If the rank exceeds n,
 * the largest score (which covers a share of n / (n + sqrt(step))) is extrapolated to the level with normal quantiles, or is
 * taken as 0 if it is negative.
 */
function margin(list: readonly Score[], origin: number, level: number, step: number): number {
  const seen = Float64Array.from(
    list.filter(({ index }) => index < origin),
    ({ score }) => score,
  ).sort();
  const n = seen.length;
  if (n === 0) return Number.NaN;
  const all = n + Math.sqrt(step);
  const rank = Math.ceil(all * level);
  if (rank <= n) return seen[rank - 1];
  const largest = seen[n - 1];
  // The head's intervals contained every actual value. n scores do not show how much they may be narrowed at this level.
  if (largest <= 0) return 0;
  const share = n / all;
  return largest * Math.max(1, absoluteNormalQuantile(level) / absoluteNormalQuantile(share));
}

/** The value that the absolute value of a standard normal variable exceeds with probability 1 - p. */
const absoluteNormalQuantile = (p: number): number => normalQuantile((1 + p) / 2);
