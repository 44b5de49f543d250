/**
 * Calibrates prediction intervals from past errors: split conformal prediction or, with a probabilistic head, conformalised
 * quantile regression. For each horizon step, the conformity score of an earlier forecast is the distance of the actual
 * value from the forecast's interval (for a point forecast, an interval of zero width). A new interval is widened by the
 * `level` quantile of these scores. Only errors known at the forecast origin are used.
 *
 * Scores are computed on the scale of the forecast (log, if the plan uses a log transform) and divided by their expected size, so
 * that the scores of many rows and series can be pooled. The expected size is the mean change of the series over one season. If this
 * describes the errors of point forecasts better, it is the size of recent changes instead (score-scale.ts), and it also depends on
 * the position in the season (seasonal-spread.ts). The level adapts to recent coverage (adaptive-levels.ts).
 */
import { AdaptiveLevels, partOfHorizon } from './adaptive-levels.js';
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
  /** Whether scores are computed on logarithms. */
  log: boolean;
  /** For each series, whether interval bounds are clipped at 0, because no training value is negative. */
  nonNegative: readonly boolean[];
  /** The size of errors at each position in the season. Default null: the same everywhere. */
  spread?: SeasonalSpread | null;
  /** For each series, the mean absolute change over one season. */
  units: readonly number[];
  /**
   * Returns the mean of all changes of a series before an origin (a grid index), and the size of recent changes. Default: both are
   * the unit of the series.
   */
  sizesAt?: (series: number, origin: number) => { mean: number; recent: number };
  /** For each series, the lower limit that values are clipped to before the logarithm. */
  floors: readonly number[];
  /** For each series, the largest training value, which limits upper bounds on the logarithmic scale. */
  ceilings: readonly number[];
  /** Levels adapt to the coverage of about this many rows. Default: they are the nominal levels. */
  adaptationRows?: number;
}

/** How the expected size of the scores is estimated. */
export interface Scaling {
  /** Whether the expected size is the size of recent changes instead of the mean of all earlier changes. */
  recent: boolean;
  /** Whether the expected size is multiplied by the spread at the position in the season. */
  spread: boolean;
}

/** All scalings. The first one is used unless another one describes the errors better. */
const SCALINGS: readonly Scaling[] = [
  { recent: false, spread: false },
  { recent: false, spread: true },
  { recent: true, spread: false },
  { recent: true, spread: true },
];

/** The scores of one horizon step. All lists have one entry per forecast; lists of numbers take little memory. */
class StepScores {
  /** Grid index of the actual value. */
  readonly index: number[] = [];
  /** The mean change of the series in all training rows, to compare errors of several series. */
  readonly unit: number[] = [];
  /** The sizes of the changes before the origin. */
  readonly meanSize: number[] = [];
  readonly recentSize: number[] = [];
  /** The spread at the actual value. */
  readonly spread: number[] = [];
  /** Whether the forecast is a point forecast, without an interval from the head. */
  readonly isPoint: boolean[] = [];
  /** The scores by level, not yet divided by their expected size. */
  readonly scores: readonly number[][];

  constructor(levels: number) {
    this.scores = Array.from({ length: levels }, () => []);
  }

  /** Returns the positions of the scores that are known at an origin. */
  knownAt(origin: number): number[] {
    return this.index.flatMap((index, n) => (index < origin ? [n] : []));
  }

  /** Returns the expected size of an error. */
  sizeOf(n: number, { recent, spread }: Scaling): number {
    return (recent ? this.recentSize : this.meanSize)[n] * (spread ? this.spread[n] : 1);
  }
}

export class Calibration {
  readonly levels: readonly number[];
  readonly #scale: ScoreScale;
  readonly #steps: readonly StepScores[];
  /** Margins [level][step] by origin; a cache that `learn` clears. */
  readonly #margins = new Map<number, { margins: Float64Array[]; scaling: Scaling }>();
  /** A cache that `learn` clears. */
  readonly #levelsByScaling = new Map<Scaling, AdaptiveLevels>();

  constructor(levels: readonly number[], horizon: number, scale: ScoreScale) {
    this.levels = levels;
    this.#scale = scale;
    this.#steps = Array.from({ length: horizon }, () => new StepScores(levels.length));
  }

  /** Adds the scores of a forecast, for the steps whose actual value is known. */
  learn(panel: Panel, { series, origin }: Origin, { lower, upper }: Intervals): void {
    this.#margins.clear();
    this.#levelsByScaling.clear();
    const { offset, values } = panel.series[series];
    const sizes = this.#sizesAt(series, origin);
    const spread = spreadAt(this.#scale.spread ?? null, panel);
    for (const [k, step] of this.#steps.entries()) {
      const actual = values[origin - offset + k];
      if (actual === undefined || Number.isNaN(actual)) continue;
      step.index.push(origin + k);
      step.unit.push(this.#scale.units[series]);
      step.meanSize.push(sizes.mean);
      step.recentSize.push(sizes.recent);
      step.spread.push(spread(origin + k));
      step.isPoint.push(this.levels.every((_, l) => !(lower[l][k] < upper[l][k])));
      const scaled = this.#toScoreScale(series, actual);
      for (const [l, scores] of step.scores.entries()) {
        const below = this.#toScoreScale(series, lower[l][k]) - scaled;
        const above = scaled - this.#toScoreScale(series, upper[l][k]);
        scores.push(Math.max(below, above));
      }
    }
  }

  /** Widens the intervals of a forecast by the scores known at its origin. Bounds are NaN if no scores are known. */
  widen(panel: Panel, { series, origin }: Origin, intervals: Intervals): Intervals {
    const { log, nonNegative, floors, ceilings } = this.#scale;
    const { unit, spread } = this.scaleAt({ series, origin });
    const spreadOf = spreadAt(spread, panel);
    return widenIntervals(intervals, this.margins(origin), {
      ...{ log, unit, nonNegative: nonNegative[series] },
      spread: intervals.median.map((_, k) => spreadOf(origin + k)),
      floor: floors[series],
      ceiling: ceilings[series],
    });
  }

  /** Returns the margins [level][step] by which intervals at an origin are widened, in the units of the scores. */
  margins(origin: number): Float64Array[] {
    return this.#knownAt(origin).margins;
  }

  /** Returns the unit of a series and the spread by which the margins at an origin are multiplied. */
  scaleAt({ series, origin }: Origin): { unit: number; spread: SeasonalSpread | null } {
    const { scaling } = this.#knownAt(origin);
    const { spread = null } = this.#scale;
    const { mean, recent } = this.#sizesAt(series, origin);
    return { unit: scaling.recent ? recent : mean, spread: scaling.spread ? spread : null };
  }

  #sizesAt(series: number, origin: number): { mean: number; recent: number } {
    const { units, sizesAt } = this.#scale;
    return sizesAt?.(series, origin) ?? { mean: units[series], recent: units[series] };
  }

  #knownAt(origin: number): { margins: Float64Array[]; scaling: Scaling } {
    let known = this.#margins.get(origin);
    if (known === undefined) {
      const positions = this.#steps.map((step) => step.knownAt(origin));
      const scaling = bestScaling(this.#steps, positions, this.levels);
      const levelAt = this.#levelsAt(origin, scaling);
      const margins = this.levels.map((_, l) =>
        Float64Array.from(this.#steps, (step, k) => {
          const scores = step.scores[l];
          return marginOf(
            positions[k].map((n) => scores[n] / step.sizeOf(n, scaling)),
            levelAt(l, k),
            k + 1,
          );
        }),
      );
      known = { margins, scaling };
      this.#margins.set(origin, known);
    }
    return known;
  }

  /** Returns a function of a level and a step, both given by index: the level whose quantile of the scores is the margin. */
  #levelsAt(origin: number, scaling: Scaling): (l: number, k: number) => number {
    const { adaptationRows } = this.#scale;
    if (adaptationRows === undefined) return (l) => this.levels[l];
    let adapted = this.#levelsByScaling.get(scaling);
    if (adapted === undefined) {
      const outcomes = this.#steps.map((step) => ({
        index: step.index,
        scores: step.scores.map((scores) =>
          Float64Array.from(scores, (score, n) => score / step.sizeOf(n, scaling)),
        ),
      }));
      adapted = new AdaptiveLevels(outcomes, this.levels, 1 / adaptationRows);
      this.#levelsByScaling.set(scaling, adapted);
    }
    const levels = adapted;
    return (l, k) => levels.at(origin, l, partOfHorizon(k, this.#steps.length));
  }

  #toScoreScale(series: number, value: number): number {
    return toScoreScale(value, { log: this.#scale.log, floor: this.#scale.floors[series] });
  }
}

/** Scalings are compared at up to this many horizon steps. */
const COMPARED_STEPS = 6;

/**
 * Returns the scaling whose margins have the lowest interval score (Gneiting & Raftery 2007) on the known errors of point forecasts,
 * in units of the mean change of each series. Returns the first scaling if the best one does not lower the interval score by a share
 * of more than 0.5 / sqrt(number of errors), or if most forecasts have an interval from the head.
 * @param positions positions of the known scores in the lists of each step
 */
function bestScaling(
  steps: readonly StepScores[],
  positions: readonly (readonly number[])[],
  levels: readonly number[],
): Scaling {
  const losses = SCALINGS.map(() => 0);
  const stride = Math.ceil(steps.length / COMPARED_STEPS);
  let [count, pointCount] = [0, 0];
  for (let k = 0; k < steps.length; k += stride) {
    const step = steps[k];
    const compared = positions[k].filter((n) => step.isPoint[n]);
    count += positions[k].length;
    pointCount += compared.length;
    if (compared.length === 0) continue;
    for (const [i, scaling] of SCALINGS.entries())
      losses[i] += intervalLoss(step, compared, scaling, levels, k + 1);
  }
  const best = losses.reduce((lowest, loss, i) => (loss < losses[lowest] ? i : lowest), 0);
  const isBetter = losses[best] < (1 - 0.5 / Math.sqrt(pointCount)) * losses[0];
  return SCALINGS[isBetter && pointCount * 2 >= count ? best : 0];
}

/**
 * Returns the sum of the interval scores of one horizon step over the levels, each score multiplied by half the probability that the
 * value is outside of the interval.
 */
function intervalLoss(
  stepScores: StepScores,
  positions: readonly number[],
  scaling: Scaling,
  levels: readonly number[],
  step: number,
): number {
  const sizes = positions.map((n) => stepScores.sizeOf(n, scaling));
  let loss = 0;
  for (const [l, level] of levels.entries()) {
    const scores = positions.map((n) => stepScores.scores[l][n]);
    const margin = marginOf(
      scores.map((score, i) => score / sizes[i]),
      level,
      step,
    );
    for (const [i, n] of positions.entries()) {
      const halfWidth = margin * sizes[i];
      loss += ((1 - level) * halfWidth + Math.max(0, scores[i] - halfWidth)) / stepScores.unit[n];
    }
  }
  return loss;
}

/** The scale of the scores of one series; see {@link ScoreScale}. */
export interface SeriesScale {
  log: boolean;
  /** Whether bounds are clipped at 0 (at the median, if that is negative). */
  nonNegative: boolean;
  unit: number;
  /** The spread at each horizon step. Default: 1. */
  spread?: ArrayLike<number>;
  floor: number;
  ceiling: number;
}

/**
 * On the logarithmic scale, an upper bound is at most this many times the median or the largest value of the series, whichever is
 * larger. A single forecast near 0 has a huge error on this scale, which would widen all intervals.
 */
const MAX_UPPER = 10;
const cappedUpper = (bound: number, median: number, { log, ceiling }: SeriesScale): number =>
  log ? Math.min(bound, MAX_UPPER * Math.max(median, ceiling)) : bound;

/** Converts a value to the scale of the scores. */
const toScoreScale = (value: number, { log, floor }: Pick<SeriesScale, 'log' | 'floor'>): number =>
  log ? Math.log(Math.max(value, floor)) : value;

/** Converts a value from the scale of the scores, and clips it at 0 if the series has no negative values. */
const fromScoreScale = (
  value: number,
  { log, nonNegative }: Pick<SeriesScale, 'log' | 'nonNegative'>,
): number => (log ? Math.exp(value) : nonNegative ? Math.max(0, value) : value);

/**
 * Widens intervals by margins [level][step]. Levels are in ascending order; the interval of each level contains the interval of
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
 * Widens intervals like {@link widenIntervals}, but the horizon may be longer than the margins. For the additional steps, the model
 * continues from its own forecast, chunk by chunk. The errors of the chunks are treated as independent, so their squares are added.
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
  // Bounds that were clipped at 0 would make the errors of the following chunks too small.
  const unclipped = widenIntervals(intervals, repeated, { ...scale, nonNegative: false });
  const center = median.map((value) => toScoreScale(value, scale));
  const addErrors = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] =>
    bounds.map((bound, l) => {
      const distances = bound.map((value, k) => Math.abs(toScoreScale(value, scale) - center[k]));
      for (let k = chunk; k < distances.length; k++) {
        distances[k] = Math.hypot(distances[k], distances[chunk * Math.floor(k / chunk) - 1]);
      }
      const near = (sign < 0 ? widened.lower : widened.upper)[l];
      return near.map((value, k) => {
        if (k < chunk) return value;
        const far = cappedUpper(fromScoreScale(center[k] + sign * distances[k], scale), median[k], scale);
        return sign * (far - median[k]) < 0 ? median[k] : far;
      });
    });
  return { ...widened, lower: addErrors(unclipped.lower, -1), upper: addErrors(unclipped.upper, 1) };
}

/**
 * Returns the score that a new score at horizon step `step` exceeds with a probability of at most 1 - level. For n
 * independent scores, this is the score of rank ceil((n + 1) level). Forecasts from neighbouring origins have almost all
 * steps in common, so n scores are worth about n / sqrt(step) independent ones; the rank is therefore
 * ceil((n + sqrt(step)) level). If it exceeds n, the largest score, which covers a fraction n / (n + sqrt(step)), is
 * extrapolated to the level with normal quantiles; if the largest score is not positive, the result is 0.
 */
function marginOf(scores: readonly number[], level: number, step: number): number {
  const known = Float64Array.from(scores).sort();
  const n = known.length;
  if (n === 0) return Number.NaN;
  const total = n + Math.sqrt(step);
  const rank = Math.ceil(total * level);
  if (rank <= n) return known[rank - 1];
  const largest = known[n - 1];
  // All actual values lie inside the intervals. n scores do not show by how much an interval of this level may be narrowed.
  if (largest <= 0) return 0;
  const covered = n / total;
  return largest * Math.max(1, absoluteNormalQuantile(level) / absoluteNormalQuantile(covered));
}

/** Returns the p quantile of the absolute value of a standard normal variable. */
const absoluteNormalQuantile = (p: number): number => normalQuantile((1 + p) / 2);
