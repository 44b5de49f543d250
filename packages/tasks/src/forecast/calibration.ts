/**
 * Calibrates prediction intervals from past errors: split conformal prediction or, with a probabilistic head, conformalised
 * quantile regression. For each horizon step, the conformity score of an earlier forecast is the distance of the actual
 * value from the forecast's interval (for a point forecast, an interval of zero width). A new interval is widened by the
 * `level` quantile of these scores; with many errors, each bound has its own quantile. Only errors known at the forecast origin are
 * used.
 *
 * Scores are computed on the scale of the forecast (log, if the plan uses a log transform) and divided by their expected size, so
 * that the scores of many rows and series can be pooled. The expected size is the mean absolute change of the series, where a change
 * is the difference from the value one season earlier. Three refinements are used if they describe the errors of point forecasts
 * better: recent changes count more (score-scale.ts); the size also depends on the position in the season, estimated from changes
 * (seasonal-spread.ts) or from errors (error-sizes.ts), which can also depend on the position of the forecast origin; and, in a
 * panel, on the recent errors of the series (error-sizes.ts). The level adapts to recent coverage (adaptive-levels.ts).
 */
import { AdaptiveLevels, partOfHorizon } from './adaptive-levels.js';
import type { Origin } from './encoder.js';
import { ErrorSizes } from './error-sizes.js';
import type { Panel } from './panel.js';
import { type SeasonalSpread, spreadAt } from './seasonal-spread.js';
import { bestScaling, marginsOf, SCALINGS, type Scaling, StepScores } from './step-scores.js';

/** A forecast with its intervals. All arrays have the length of the horizon. */
export interface Intervals {
  median: Float64Array;
  /** Interval bounds, one array for each level. */
  lower: Float64Array[];
  upper: Float64Array[];
  /** Only if the head predicts a mean that differs from the median. */
  mean?: Float64Array;
}

/** Converts a point forecast to intervals of zero width. */
export function asIntervals(median: Float64Array, levels: readonly number[]): Intervals {
  return { median, lower: levels.map(() => median), upper: levels.map(() => median) };
}

/** Returns whether all bounds of a forecast are its median, the same array, as in the results of `asIntervals`. */
export const isPointForecast = ({ median, lower, upper }: Intervals): boolean =>
  lower.every((bound) => bound === median) && upper.every((bound) => bound === median);

/** The scale of the scores of a run. */
export interface ScoreScale {
  /** Whether scores are computed on logarithms. */
  log: boolean;
  /** For each series, whether interval bounds are clipped at 0, because no training value is negative. */
  nonNegative: readonly boolean[];
  /** The expected size of errors by position in the season, estimated from changes. Default null: the same at all positions. */
  spread?: SeasonalSpread | null;
  /** Number of rows of the season for which the size of errors is estimated from errors. Default: 1 (no season). */
  season?: number;
  /** Number of rows of a longer season, which consists of several seasons. Default: `season` (there is none). */
  longSeason?: number;
  /** For each series, the mean absolute change in the training rows. */
  units: readonly number[];
  /**
   * Returns two means of the absolute changes of a series before an origin (a grid index): of all changes, and one in which recent
   * changes count more. Default: both are the unit of the series.
   */
  sizesAt?: (series: number, origin: number) => { mean: number; recent: number };
  /** For each series, the lower limit that values are clipped to before the logarithm. */
  floors: readonly number[];
  /** For each series, the largest training value, which limits upper bounds on the logarithmic scale. */
  ceilings: readonly number[];
  /** Levels adapt to the coverage of about this many rows. Default: they are the nominal levels. */
  adaptationRows?: number;
}

export class Calibration {
  readonly levels: readonly number[];
  readonly #scale: ScoreScale;
  readonly #steps: readonly StepScores[];
  /** Margins by origin; a cache that `learn` clears. */
  readonly #margins = new Map<number, MarginsAtOrigin>();
  /** A cache that `learn` clears. */
  readonly #levelsByScaling = new Map<Scaling, AdaptiveLevels>();
  /** Estimates from the errors; null if they must be computed again. */
  #errorSizes: ErrorSizes | null = null;
  #panel: Panel | null = null;

  constructor(levels: readonly number[], horizon: number, scale: ScoreScale) {
    this.levels = levels;
    this.#scale = scale;
    this.#steps = Array.from({ length: horizon }, () => new StepScores(levels.length, scale.units));
  }

  /** Adds the scores of a forecast, for the steps whose actual value is known. */
  learn(panel: Panel, at: Origin, forecast: Intervals): void {
    this.#margins.clear();
    this.#levelsByScaling.clear();
    this.#errorSizes = null;
    this.#panel = panel;
    const { series, origin } = at;
    const { lower, upper } = forecast;
    const { offset, values } = panel.series[series];
    const sizes = this.#sizesAt(series, origin);
    const spread = spreadAt(this.#scale.spread ?? null, panel);
    const isPoint = isPointForecast(forecast);
    for (const [k, step] of this.#steps.entries()) {
      const actual = values[origin - offset + k];
      if (actual === undefined || Number.isNaN(actual)) continue;
      step.series.push(series);
      step.index.push(origin + k);
      step.meanSize.push(sizes.mean);
      step.recentSize.push(sizes.recent);
      step.spread.push(spread(at, k));
      step.isPoint.push(isPoint || this.levels.every((_, l) => !(lower[l][k] < upper[l][k])));
      const scaled = this.#toScoreScale(series, actual);
      const first = lower[0]?.[k];
      if (isPoint || this.levels.every((_, l) => lower[l][k] === first && upper[l][k] === first)) {
        step.addPoint(this.#toScoreScale(series, first) - scaled);
      } else {
        const distances = (bounds: readonly Float64Array[], sign: 1 | -1): number[] =>
          bounds.map((bound) => sign * (this.#toScoreScale(series, bound[k]) - scaled));
        step.addInterval(distances(lower, 1), distances(upper, -1));
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
      spread: intervals.median.map((_, k) => spreadOf({ series, origin }, k)),
      floor: floors[series],
      ceiling: ceilings[series],
    });
  }

  /** Returns the margins by which intervals at an origin are widened, in the units of the scores. */
  margins(origin: number): Margins {
    return this.#marginsAndScalingAt(origin).margins;
  }

  /** Returns the factors of the margins at an origin: the expected size of errors, and its spread by position in the season (null: 1). */
  scaleAt({ series, origin }: Origin): { unit: number; spread: SeasonalSpread | null } {
    const { scaling, spread } = this.#marginsAndScalingAt(origin);
    const { mean, recent } = this.#sizesAt(series, origin);
    const unit = scaling.recent ? recent : mean;
    const ofErrors = scaling.bySeries ? (this.#errorSizesAt(origin)?.ofSeries(series) ?? 1) : 1;
    return { unit: unit * ofErrors, spread };
  }

  /** Returns the scalings that can be used. @param sizes the estimates from errors */
  #scalings(sizes: ErrorSizes | null): Scaling[] {
    const hasSpread = { changes: (this.#scale.spread ?? null) !== null, errors: sizes?.hasSpread ?? false };
    const isPanel = this.#scale.units.length > 1;
    return SCALINGS.filter(
      ({ spread, bySeries }) => (spread === null || hasSpread[spread]) && (isPanel || !bySeries),
    );
  }

  /** Returns the spread that a scaling uses; null if it uses none. */
  #spreadOf({ spread, byOrigin }: Scaling, sizes: ErrorSizes | null): SeasonalSpread | null {
    if (spread === 'changes') return this.#scale.spread ?? null;
    return spread === 'errors' ? (sizes?.spread(byOrigin) ?? null) : null;
  }

  /** Returns the estimates from the errors known at an origin; null if no errors have been learned. */
  #errorSizesAt(origin: number): ErrorSizes | null {
    if (this.#panel === null) return null;
    if (this.#errorSizes === null) {
      const errors = this.#steps.map((step) => step.errors());
      const { season = 1, longSeason } = this.#scale;
      this.#errorSizes = new ErrorSizes(this.#panel, season, errors, longSeason);
      for (const [k, sizes] of this.#errorSizes.atOrigins().entries()) this.#steps[k].errorSizes = sizes;
    }
    this.#errorSizes.moveTo(origin);
    return this.#errorSizes;
  }

  #sizesAt(series: number, origin: number): { mean: number; recent: number } {
    const { units, sizesAt } = this.#scale;
    return sizesAt?.(series, origin) ?? { mean: units[series], recent: units[series] };
  }

  /** Returns the margins of forecasts from an origin, and the scaling that they use. Cached. */
  #marginsAndScalingAt(origin: number): MarginsAtOrigin {
    let known = this.#margins.get(origin);
    if (known === undefined) {
      const sizes = this.#errorSizesAt(origin);
      const positions = this.#steps.map((step) => step.knownAt(origin));
      // The spread at early errors was estimated from few errors, so it would seem worse than it is for new forecasts.
      const compared = (step: StepScores, k: number): readonly number[] =>
        sizes?.hasSpread ? step.laterHalf(positions[k]) : positions[k];
      const scaling = bestScaling(this.#scalings(sizes), this.#steps, compared, this.levels);
      const levelAt = this.#levelsAt(origin, scaling);
      const bySteps = this.#steps.map((step, k) =>
        marginsOf(step, positions[k], scaling, {
          levels: this.levels.map((_, l) => levelAt(l, k)),
          step: k + 1,
          horizon: this.#steps.length,
        }),
      );
      const margins = {
        lower: this.levels.map((_, l) => Float64Array.from(bySteps, (byLevel) => byLevel[l].lower)),
        upper: this.levels.map((_, l) => Float64Array.from(bySteps, (byLevel) => byLevel[l].upper)),
      };
      known = { margins, scaling, spread: this.#spreadOf(scaling, sizes) };
      this.#margins.set(origin, known);
    }
    return known;
  }

  /** Returns a function from the indices of a nominal level and a horizon step to the level of the quantile used as margin. */
  #levelsAt(origin: number, scaling: Scaling): (l: number, k: number) => number {
    const { adaptationRows } = this.#scale;
    if (adaptationRows === undefined) return (l) => this.levels[l];
    let adapted = this.#levelsByScaling.get(scaling);
    if (adapted === undefined) {
      const outcomes = this.#steps.map((step) => ({
        index: step.index,
        scores: this.levels.map((_, l) => step.relativeScores(l, scaling)),
      }));
      adapted = new AdaptiveLevels(outcomes, this.levels, 1 / adaptationRows);
      this.#levelsByScaling.set(scaling, adapted);
    }
    const levels = adapted;
    return (l, k) => levels.levelAt(origin, l, partOfHorizon(k, this.#steps.length));
  }

  #toScoreScale(series: number, value: number): number {
    return toScoreScale(value, { log: this.#scale.log, floor: this.#scale.floors[series] });
  }
}

/** The margins of forecasts from an origin, the scaling that they use, and its spread. */
interface MarginsAtOrigin {
  margins: Margins;
  scaling: Scaling;
  spread: SeasonalSpread | null;
}

/** The scale of the scores of one series; see {@link ScoreScale}. */
export interface SeriesScale {
  log: boolean;
  /** Whether bounds are clipped at 0 (at the median, if that is negative). */
  nonNegative: boolean;
  /** The expected size of the errors of the series, by which margins are multiplied. */
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

/** The margins by which the bounds of intervals are moved outwards, both [level][step]. */
export interface Margins {
  lower: readonly ArrayLike<number>[];
  upper: readonly ArrayLike<number>[];
}

/**
 * Widens intervals by margins; negative margins narrow them. Levels are in ascending order; the interval of each level contains the
 * interval of the previous level.
 */
export function widenIntervals(
  { lower, upper, ...intervals }: Intervals,
  margins: Margins,
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const moveBounds = (side: 'lower' | 'upper', bounds: readonly Float64Array[]): Float64Array[] => {
    const sign = side === 'upper' ? 1 : -1;
    let inner = median; // Negative margins narrow an interval, at most to the median.
    return bounds.map((bound, l) => {
      const outer = bound.map((value, k) => {
        const margin = margins[side][l][k] * scale.unit * (scale.spread?.[k] ?? 1);
        const moved = fromScoreScale(toScoreScale(value, scale) + sign * margin, scale);
        const widened = sign > 0 ? cappedUpper(moved, median[k], scale) : moved;
        return sign * (widened - inner[k]) < 0 ? inner[k] : widened;
      });
      inner = outer;
      return outer;
    });
  };
  return { ...intervals, lower: moveBounds('lower', lower), upper: moveBounds('upper', upper) };
}

/**
 * Widens intervals like {@link widenIntervals}, but the intervals may have more steps than the margins. For the additional steps,
 * the model continues from its own forecast, chunk by chunk. The errors of the chunks are treated as independent, so their squares
 * are added.
 */
export function calibrateIntervals(intervals: Intervals, margins: Margins, scale: SeriesScale): Intervals {
  const { median } = intervals;
  const chunk = margins.lower[0]?.length ?? median.length;
  const repeat = (byLevel: readonly ArrayLike<number>[]) =>
    byLevel.map((margin) => median.map((_, k) => margin[k % chunk]));
  const repeated = { lower: repeat(margins.lower), upper: repeat(margins.upper) };
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
      const widenedBound = (sign < 0 ? widened.lower : widened.upper)[l];
      return widenedBound.map((value, k) => {
        if (k < chunk) return value;
        const laterBound = cappedUpper(
          fromScoreScale(center[k] + sign * distances[k], scale),
          median[k],
          scale,
        );
        return sign * (laterBound - median[k]) < 0 ? median[k] : laterBound;
      });
    });
  return { ...widened, lower: addErrors(unclipped.lower, -1), upper: addErrors(unclipped.upper, 1) };
}
