/**
 * Stores the conformity scores of calibration.ts by horizon step, estimates the expected size of the scores in several ways,
 * selects the estimate that describes the scores best, and computes the margins of intervals from the scores.
 */
import { normalQuantile } from './distributions.js';
import type { SizesAtOrigins, StepErrors } from './error-sizes.js';
import { valueAtRank } from './sorted.js';

/** How the expected size of the scores is estimated. */
export interface Scaling {
  /** Whether the expected size is a mean in which recent changes count more (score-scale.ts), not the mean of all earlier changes. */
  recent: boolean;
  /** The estimate of the spread at the position in the season by which the expected size is multiplied. Null: none. */
  spread: 'changes' | 'errors' | null;
  /** Whether the spread estimated from errors also depends on the position of the forecast origin (error-sizes.ts). */
  byOrigin: boolean;
  /** Whether the expected size is multiplied by the relative size of the recent errors of the series (error-sizes.ts). */
  bySeries: boolean;
}

const SPREADS: readonly Pick<Scaling, 'spread' | 'byOrigin'>[] = [
  { spread: null, byOrigin: false },
  { spread: 'changes', byOrigin: false },
  { spread: 'errors', byOrigin: false },
  { spread: 'errors', byOrigin: true },
];

/** All scalings. The first one is used unless another one describes the errors better. */
export const SCALINGS: readonly Scaling[] = [false, true].flatMap((bySeries) =>
  [false, true].flatMap((recent) => SPREADS.map((each) => ({ ...each, recent, bySeries }))),
);

/**
 * The scores of one horizon step, in lists with one entry per forecast, because lists of numbers take little memory.
 * Exceptions: `below` and `above` have one such list per level, and `units` has one entry per series.
 */
export class StepScores {
  /** Index of the series. */
  readonly series: number[] = [];
  /** Grid index of the actual value. */
  readonly index: number[] = [];
  /** The mean absolute change before the origin. */
  readonly meanSize: number[] = [];
  /** The same mean with more weight on recent changes (score-scale.ts). */
  readonly recentSize: number[] = [];
  /** The seasonal spread at the actual value, estimated from changes. */
  readonly spread: number[] = [];
  /** Estimates from the errors before the origin (error-sizes.ts), set after the last forecast has been added. */
  errorSizes: SizesAtOrigins = { bySeries: [], byPosition: [], byOrigin: [] };
  /** Whether the forecast is a point forecast, without an interval from the head. */
  readonly isPoint: boolean[] = [];
  /**
   * By level, how far the actual value is below the lower bound, and above the upper bound; negative inside the interval. Not yet
   * divided by the expected size.
   */
  below: readonly number[][];
  above: readonly number[][];
  /** Whether all forecasts are single values, not intervals: the lists of all levels are then one list. */
  #hasOneList = true;

  /** The mean absolute change of each series in all training rows, to compare errors of several series. */
  readonly units: readonly number[];

  constructor(levels: number, units: readonly number[]) {
    this.units = units;
    [this.below, this.above] = [0, 1].map(() => Array<number[]>(levels).fill([]));
  }

  /** Adds the distance of a forecast of a single value from the actual value, positive if the forecast is too high. */
  addPoint(distance: number): void {
    const levels = this.#hasOneList ? Math.min(1, this.below.length) : this.below.length;
    for (let l = 0; l < levels; l++) {
      this.below[l].push(distance);
      this.above[l].push(-distance);
    }
  }

  /** Adds the distances of an actual value from the interval of each level. */
  addInterval(below: readonly number[], above: readonly number[]): void {
    if (this.#hasOneList) {
      this.below = this.below.map((list) => list.slice());
      this.above = this.above.map((list) => list.slice());
      this.#hasOneList = false;
    }
    for (const l of below.keys()) {
      this.below[l].push(below[l]);
      this.above[l].push(above[l]);
    }
  }

  /** Returns the distance of an actual value from the interval of the level with index l; negative inside. */
  scoreOf(l: number, n: number): number {
    return Math.max(this.below[l][n], this.above[l][n]);
  }

  /** Returns the positions of the scores that are known at an origin. */
  knownAt(origin: number): number[] {
    const positions: number[] = [];
    for (let n = 0; n < this.index.length; n++) if (this.index[n] < origin) positions.push(n);
    return positions;
  }

  /** Returns the positions whose rows are not before the median row of all given positions. */
  laterHalf(positions: readonly number[]): number[] {
    const rows = new Int32Array(positions.length);
    for (let i = 0; i < rows.length; i++) rows[i] = this.index[positions[i]];
    const middle = valueAtRank(rows, rows.length >> 1);
    return positions.filter((n) => this.index[n] >= middle);
  }

  /** Returns the errors of point forecasts. */
  errors(): StepErrors {
    const { series, index, isPoint, meanSize } = this;
    const size = new Float64Array(index.length).fill(Number.NaN);
    if (this.below.length > 0)
      for (let n = 0; n < size.length; n++)
        if (isPoint[n]) size[n] = Math.abs(this.scoreOf(0, n)) / meanSize[n];
    return { series, index, size };
  }

  /** Returns all scores of the level with index l, divided by their expected sizes. */
  relativeScores(l: number, scaling: Scaling): Float64Array {
    const scores = new Float64Array(this.index.length);
    for (let n = 0; n < scores.length; n++) scores[n] = this.scoreOf(l, n) / this.sizeOf(n, scaling);
    return scores;
  }

  /** Returns the expected sizes of the errors at some positions. */
  sizesAt(positions: readonly number[], scaling: Scaling): Float64Array {
    const sizes = new Float64Array(positions.length);
    for (let i = 0; i < sizes.length; i++) sizes[i] = this.sizeOf(positions[i], scaling);
    return sizes;
  }

  /** Returns the expected size of an error. */
  sizeOf(n: number, { recent, spread, byOrigin, bySeries }: Scaling): number {
    let size = (recent ? this.recentSize : this.meanSize)[n];
    if (spread === 'changes') size *= this.spread[n];
    if (spread === 'errors') size *= (byOrigin ? this.errorSizes.byOrigin : this.errorSizes.byPosition)[n];
    return bySeries ? size * this.errorSizes.bySeries[n] : size;
  }
}

/** Scalings are compared at up to this many horizon steps. */
const COMPARED_STEPS = 6;

/**
 * Returns the scaling whose margins have the lowest interval score (Gneiting & Raftery 2007) on the known errors of point forecasts,
 * in units of the mean absolute change of each series. Returns the first scaling if the best one does not lower the interval score
 * by a share of more than 0.5 / sqrt(number of errors), or if most forecasts have an interval from the head.
 * @param scalings the scalings to compare
 * @param positionsOf returns the positions of the scores to compare, all known, in the lists of a step
 */
export function bestScaling(
  scalings: readonly Scaling[],
  steps: readonly StepScores[],
  positionsOf: (step: StepScores, k: number) => readonly number[],
  levels: readonly number[],
): Scaling {
  const losses = scalings.map(() => 0);
  const stride = Math.ceil(steps.length / COMPARED_STEPS);
  let [count, pointCount] = [0, 0];
  for (let k = 0; k < steps.length; k += stride) {
    const step = steps[k];
    const positions = positionsOf(step, k);
    const compared = positions.filter((n) => step.isPoint[n]);
    count += positions.length;
    pointCount += compared.length;
    if (compared.length === 0) continue;
    const units = Float64Array.from(compared, (n) => step.units[step.series[n]]);
    const scores = levels.map((_, l) => Float64Array.from(compared, (n) => step.scoreOf(l, n)));
    const relative = new Float64Array(compared.length);
    for (const [i, scaling] of scalings.entries()) {
      const sizes = step.sizesAt(compared, scaling);
      for (const [l, level] of levels.entries()) {
        divide(scores[l], sizes, relative);
        losses[i] += intervalLoss(scores[l], sizes, units, {
          level,
          margin: marginOf(relative, level, k + 1),
        });
      }
    }
  }
  const best = losses.reduce((lowest, loss, i) => (loss < losses[lowest] ? i : lowest), 0);
  const isBetter = losses[best] < (1 - 0.5 / Math.sqrt(pointCount)) * losses[0];
  return scalings[isBetter && pointCount * 2 >= count ? best : 0];
}

/** Writes the quotients of two lists to a third one. */
function divide(dividends: Float64Array, divisors: Float64Array, quotients: Float64Array): void {
  for (let i = 0; i < quotients.length; i++) quotients[i] = dividends[i] / divisors[i];
}

/**
 * Returns the sum of the interval scores of one horizon step, multiplied by (1 - level) / 2.
 * @param scores the scores of one level
 * @param sizes their expected sizes
 * @param units the mean absolute change of the series of each score, in which the interval scores are measured
 * @param margin the margin of the intervals, in units of the expected sizes
 */
function intervalLoss(
  scores: Float64Array,
  sizes: Float64Array,
  units: Float64Array,
  { level, margin }: { level: number; margin: number },
): number {
  let loss = 0;
  for (let i = 0; i < scores.length; i++) {
    const halfWidth = margin * sizes[i];
    loss += ((1 - level) * halfWidth + Math.max(0, scores[i] - halfWidth)) / units[i];
  }
  return loss;
}

/**
 * The lower and the upper bound have separate margins if at least MIN_ERRORS_PER_BOUND errors of the horizon step are known
 * and these errors span at least MIN_HORIZONS_PER_BOUND horizons.
 */
const [MIN_ERRORS_PER_BOUND, MIN_HORIZONS_PER_BOUND] = [200, 10];

/**
 * Returns the margins of the lower and the upper bound for each level. If few errors are known, or if the errors span few horizons,
 * both margins of a level are the same quantile of the scores. Otherwise, each bound has its own quantile, so that the actual value
 * is equally likely to be below and above the interval even if errors are skewed. Errors of a few horizons would show the bias of
 * these horizons instead of skewness, even if they are errors of many series.
 * @param positions the positions of the known errors
 * @param levels the levels, which may be adapted ones
 * @param step the horizon step, from 1
 * @param horizon the number of horizon steps
 */
export function marginsOf(
  stepScores: StepScores,
  positions: readonly number[],
  scaling: Scaling,
  { levels, step, horizon }: { levels: readonly number[]; step: number; horizon: number },
): { lower: number; upper: number }[] {
  const sizes = stepScores.sizesAt(positions, scaling);
  const distances = new Float64Array(positions.length);
  const marginOfDistances = (
    distanceOf: (n: number) => number,
    level: number,
    quantileOf?: typeof normalQuantile,
  ): number => {
    for (let i = 0; i < distances.length; i++) distances[i] = distanceOf(positions[i]) / sizes[i];
    return marginOf(distances, level, step, quantileOf);
  };
  const rows = rowsSpanned(positions, stepScores.index);
  if (positions.length < MIN_ERRORS_PER_BOUND || rows < MIN_HORIZONS_PER_BOUND * horizon)
    return levels.map((level, l) => {
      const margin = marginOfDistances((n) => stepScores.scoreOf(l, n), level);
      return { lower: margin, upper: margin };
    });
  return levels.map((level, l) => {
    const [lower, upper] = [stepScores.below[l], stepScores.above[l]].map((list) =>
      marginOfDistances((n) => list[n], (1 + level) / 2, normalQuantile),
    );
    return { lower, upper };
  });
}

/** Returns the number of rows from the first to the last grid index of some positions. */
function rowsSpanned(positions: readonly number[], index: readonly number[]): number {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const n of positions) {
    first = Math.min(first, index[n]);
    last = Math.max(last, index[n]);
  }
  return 1 + last - first;
}

/** Returns the p quantile of the absolute value of a standard normal variable. */
const absoluteNormalQuantile = (p: number): number => normalQuantile((1 + p) / 2);

/**
 * Returns the score that a new score at horizon step `step` exceeds with a probability of at most 1 - level. For n
 * independent scores, this is the score of rank ceil((n + 1) level). Forecasts from neighbouring origins have almost all
 * steps in common, so n scores are worth about n / sqrt(step) independent ones; the rank is therefore
 * ceil((n + sqrt(step)) level). If it exceeds n, the largest score, which covers a fraction n / (n + sqrt(step)), is
 * extrapolated to the level with normal quantiles; if the largest score is not positive, the result is 0.
 * @param scores the known scores, which are reordered
 * @param quantileOf the quantiles for extrapolation. Default: those of the absolute value of a standard normal variable
 */
export function marginOf(
  scores: Float64Array,
  level: number,
  step: number,
  quantileOf = absoluteNormalQuantile,
): number {
  const n = scores.length;
  if (n === 0) return Number.NaN;
  const total = n + Math.sqrt(step);
  const rank = Math.max(1, Math.ceil(total * level)); // adapted levels can be 0 or below
  if (rank <= n) return valueAtRank(scores, rank - 1);
  const largest = valueAtRank(scores, n - 1);
  // All actual values lie inside the intervals. n scores do not show by how much an interval of this level may be narrowed.
  if (largest <= 0) return 0;
  const covered = n / total;
  return largest * Math.max(1, quantileOf(level) / quantileOf(covered));
}
