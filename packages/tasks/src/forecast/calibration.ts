/**
 * Calibrates prediction intervals from past errors: split conformal prediction or, with a probabilistic head, conformalised
 * quantile regression. For each horizon step, the conformity score of an earlier forecast is the distance of the actual
 * value from the forecast's interval (for a point forecast, an interval of zero width). A new interval is widened by the
 * `level` quantile of these scores. Only errors known at the forecast origin are used.
 *
 * Scores are computed on the scale of the forecast (log, if the plan uses a log transform) and divided by the mean absolute
 * change of the series over one season, so that the scores of many series can be pooled. If the errors of a point forecast depend
 * on the position in the season, its scores are also divided by the spread there (seasonal-spread.ts).
 */
import { normalQuantile } from './distributions.js';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';
import { type SeasonalSpread, spreadAt } from './seasonal-spread.js';

/** A forecast with its intervals. All arrays have the length of the horizon. */
export interface Intervals {
  median: Float64Array;
  /** Interval bounds, one array for each level. */
  lower: Float64Array[];
  upper: Float64Array[];
  /** Only if the head predicts a mean that differs from the median. */
  mean?: Float64Array;
}

/** The scale of the scores of a run. */
export interface ScoreScale {
  /** Scores are computed on logarithms. */
  log: boolean;
  /** Intervals of counts are clipped at 0. */
  counts: boolean;
  /** The size of errors by the position in the season. Default null: the same everywhere. */
  spread?: SeasonalSpread | null;
  /** For each series, the mean absolute change over one season. */
  units: readonly number[];
  /** For each series, the lower limit that values are clipped to before the logarithm. */
  floors: readonly number[];
  /** For each series, its largest value, which limits upper bounds on the logarithmic scale. */
  ceilings: readonly number[];
}

interface Score {
  /** Grid index of the actual value. */
  index: number;
  /** Not divided by the spread. */
  score: number;
  /** The spread at the actual value. */
  spread: number;
}

export class Calibration {
  readonly levels: readonly number[];
  readonly #scale: ScoreScale;
  /** Scores by [level][step]. */
  readonly #scores: Score[][][];
  /** Margins [level][step] by origin; a cache that `learn` clears. */
  readonly #margins = new Map<number, { margins: Float64Array[]; spread: SeasonalSpread | null }>();
  /** Whether the forecasts are points, without intervals of their own. */
  #arePoints = true;

  constructor(levels: readonly number[], horizon: number, scale: ScoreScale) {
    this.levels = levels;
    this.#scale = scale;
    this.#scores = levels.map(() => Array.from({ length: horizon }, () => []));
  }

  /** Adds the scores of a forecast, for the steps whose actual value is known. */
  learn(panel: Panel, { series, origin }: Origin, { lower, upper }: Intervals): void {
    this.#margins.clear();
    const { offset, values } = panel.series[series];
    const spread = spreadAt(this.#scale.spread ?? null, panel);
    for (const [l, scores] of this.#scores.entries()) {
      for (const [k, list] of scores.entries()) {
        const actual = values[origin - offset + k];
        if (actual === undefined || Number.isNaN(actual)) continue;
        const scaled = this.#toScoreScale(series, actual);
        const below = this.#toScoreScale(series, lower[l][k]) - scaled;
        const above = scaled - this.#toScoreScale(series, upper[l][k]);
        this.#arePoints &&= lower[l][k] === upper[l][k];
        const score = Math.max(below, above) / this.#scale.units[series];
        list.push({ index: origin + k, score, spread: spread(origin + k) });
      }
    }
  }

  /** Widens the intervals of a forecast by the scores known at its origin. Bounds are NaN if no scores are known. */
  widen(panel: Panel, { series, origin }: Origin, intervals: Intervals): Intervals {
    const { log, counts, units, floors, ceilings } = this.#scale;
    const at = spreadAt(this.spreadFor(origin), panel);
    return widenIntervals(intervals, this.margins(origin), {
      log,
      counts,
      unit: units[series],
      spread: intervals.median.map((_, k) => at(origin + k)),
      floor: floors[series],
      ceiling: ceilings[series],
    });
  }

  /** Returns the margins [level][step] by which intervals at an origin are widened, in the units of the scores. */
  margins(origin: number): Float64Array[] {
    return this.#knownAt(origin).margins;
  }

  /** Returns the spread by which the margins at an origin are multiplied; null: the errors known there do not follow it. */
  spreadFor(origin: number): SeasonalSpread | null {
    return this.#knownAt(origin).spread;
  }

  #knownAt(origin: number): { margins: Float64Array[]; spread: SeasonalSpread | null } {
    let known = this.#margins.get(origin);
    if (known === undefined) {
      const scores = this.#scores.map((lists) =>
        lists.map((list) => list.filter(({ index }) => index < origin)),
      );
      const { spread = null } = this.#scale;
      const isUsed = spread !== null && this.#arePoints && followsSpread(scores[0]?.flat() ?? []);
      const margins = scores.map((lists, l) =>
        Float64Array.from(lists, (list, k) =>
          marginOf(
            list.map(({ score, spread }) => (isUsed ? score / spread : score)),
            this.levels[l],
            k + 1,
          ),
        ),
      );
      known = { margins, spread: isUsed ? spread : null };
      this.#margins.set(origin, known);
    }
    return known;
  }

  #toScoreScale(series: number, value: number): number {
    return toScoreScale(value, { log: this.#scale.log, floor: this.#scale.floors[series] });
  }
}

/**
 * Returns whether errors follow the spread: whether they are more likely under a Laplace distribution whose scale is
 * proportional to the spread than under one with the same scale everywhere.
 */
function followsSpread(scores: readonly Score[]): boolean {
  if (scores.length === 0) return false;
  const mean = (value: (score: Score) => number): number =>
    scores.reduce((sum, score) => sum + value(score), 0) / scores.length;
  const same = Math.log(mean(({ score }) => score));
  const bySpread =
    Math.log(mean(({ score, spread }) => score / spread)) + mean(({ spread }) => Math.log(spread));
  return bySpread < same;
}

/** The scale of the scores of one series; see {@link ScoreScale}. */
export interface SeriesScale {
  log: boolean;
  counts: boolean;
  unit: number;
  /** The spread at each horizon step. Default: 1. */
  spread?: ArrayLike<number>;
  floor: number;
  ceiling: number;
}

/**
 * On the logarithmic scale, an upper bound is at most this many times the median or the largest value of the series. One forecast
 * near 0 has a huge error there, which would carry over to all bounds.
 */
const MAX_UPPER = 10;
const cappedUpper = (bound: number, median: number, { log, ceiling }: SeriesScale): number =>
  log ? Math.min(bound, MAX_UPPER * Math.max(median, ceiling)) : bound;

/** Converts a value to the scale of the scores. */
const toScoreScale = (value: number, { log, floor }: Pick<SeriesScale, 'log' | 'floor'>): number =>
  log ? Math.log(Math.max(value, floor)) : value;

/** Converts a value from the scale of the scores. Counts are clipped at 0. */
const fromScoreScale = (value: number, { log, counts }: Pick<SeriesScale, 'log' | 'counts'>): number =>
  log ? Math.exp(value) : counts ? Math.max(0, value) : value;

/**
 * Widens intervals by margins [level][step]. Levels are in ascending order; the interval of each level contains that of
 * the previous level.
 */
export function widenIntervals(
  { lower, upper, ...intervals }: Intervals,
  margins: readonly ArrayLike<number>[],
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const moveBounds = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] => {
    let inner = median; // Negative margins narrow an interval, at most to the median.
    return bounds.map((bound, l) => {
      const outer = bound.map((value, k) => {
        const margin = margins[l][k] * scale.unit * (scale.spread?.[k] ?? 1);
        const moved = fromScoreScale(toScoreScale(value, scale) + sign * margin, scale);
        const widened = sign > 0 ? cappedUpper(moved, median[k], scale) : moved;
        return sign * (widened - inner[k]) < 0 ? inner[k] : widened;
      });
      inner = outer;
      return outer;
    });
  };
  return { ...intervals, lower: moveBounds(lower, -1), upper: moveBounds(upper, 1) };
}

/**
 * Like {@link widenIntervals}, for horizons longer than the margins. For the additional steps, the model continues from its
 * own forecast, chunk by chunk. The errors of the chunks are treated as independent, so their squares are added.
 */
export function widenLongHorizon(
  intervals: Intervals,
  margins: readonly ArrayLike<number>[],
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const chunk = margins[0]?.length ?? median.length;
  const repeated = margins.map((margin) => median.map((_, k) => margin[k % chunk]));
  const widened = widenIntervals(intervals, repeated, scale);
  const addErrors = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] =>
    bounds.map((bound) => {
      const center = median.map((value) => toScoreScale(value, scale));
      const distances = bound.map((value, k) => Math.abs(toScoreScale(value, scale) - center[k]));
      for (let k = chunk; k < distances.length; k++) {
        distances[k] = Math.hypot(distances[k], distances[chunk * Math.floor(k / chunk) - 1]);
      }
      return bound.map((value, k) =>
        k < chunk
          ? value
          : cappedUpper(fromScoreScale(center[k] + sign * distances[k], scale), median[k], scale),
      );
    });
  return { ...widened, lower: addErrors(widened.lower, -1), upper: addErrors(widened.upper, 1) };
}

/**
 * Returns the score that a new score at horizon step `step` exceeds with a probability of at most 1 - level. For n
 * independent scores, this is the score of rank ceil((n + 1) level). Forecasts from neighbouring origins have almost all
 * steps in common, so n scores are worth about n / sqrt(step) independent ones; the rank is therefore
 * ceil((n + sqrt(step)) level). If it exceeds n, the largest score, which covers a fraction n / (n + sqrt(step)), is
 * extrapolated to the level with normal quantiles; if the largest score is negative, the result is 0.
 */
function marginOf(scores: readonly number[], level: number, step: number): number {
  const known = Float64Array.from(scores).sort();
  const n = known.length;
  if (n === 0) return Number.NaN;
  const total = n + Math.sqrt(step);
  const rank = Math.ceil(total * level);
  if (rank <= n) return known[rank - 1];
  const largest = known[n - 1];
  // All actual values lay inside the intervals. n scores do not show by how much an interval of this level may be narrowed.
  if (largest <= 0) return 0;
  const covered = n / total;
  return largest * Math.max(1, absoluteNormalQuantile(level) / absoluteNormalQuantile(covered));
}

/** Returns the p quantile of the absolute value of a standard normal variable. */
const absoluteNormalQuantile = (p: number): number => normalQuantile((1 + p) / 2);
