/**
 * Stores the conformity scores of calibration.ts by horizon step, estimates the expected size of the scores in several ways,
 * selects the estimate that describes the scores best, and computes the margins of intervals from the scores.
 */
import { normalQuantile } from './distributions.js';
import type { SizesAtOrigins, StepErrors } from './error-sizes.js';

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
    for (const [n, index] of this.index.entries()) if (index < origin) positions.push(n);
    return positions;
  }

  /** Returns the positions whose rows are not before the median row of all given positions. */
  laterHalf(positions: readonly number[]): number[] {
    const rows = Int32Array.from(positions, (n) => this.index[n]).sort();
    const middle = rows[rows.length >> 1];
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
 * @param positions positions of the scores to compare, all known, in the lists of each step
 */
export function bestScaling(
  scalings: readonly Scaling[],
  steps: readonly StepScores[],
  positions: readonly (readonly number[])[],
  levels: readonly number[],
): Scaling {
  const losses = scalings.map(() => 0);
  const stride = Math.ceil(steps.length / COMPARED_STEPS);
  let [count, pointCount] = [0, 0];
  for (let k = 0; k < steps.length; k += stride) {
    const step = steps[k];
    const compared = positions[k].filter((n) => step.isPoint[n]);
    count += positions[k].length;
    pointCount += compared.length;
    if (compared.length === 0) continue;
    const scores = levels.map((_, l) => Float64Array.from(compared, (n) => step.scoreOf(l, n)));
    const units = Float64Array.from(compared, (n) => step.units[step.series[n]]);
    for (const [i, scaling] of scalings.entries()) {
      const sizes = Float64Array.from(compared, (n) => step.sizeOf(n, scaling));
      for (const [l, level] of levels.entries())
        losses[i] += intervalLoss(scores[l], sizes, units, { level, step: k + 1 });
    }
  }
  const best = losses.reduce((lowest, loss, i) => (loss < losses[lowest] ? i : lowest), 0);
  const isBetter = losses[best] < (1 - 0.5 / Math.sqrt(pointCount)) * losses[0];
  return scalings[isBetter && pointCount * 2 >= count ? best : 0];
}

/**
 * Returns the sum of the interval scores of one horizon step, multiplied by (1 - level) / 2.
 * @param scores the scores of one level
 * @param sizes their expected sizes
 * @param units the mean absolute change of the series of each score, in which the interval scores are measured
 * @param step the horizon step, from 1
 */
function intervalLoss(
  scores: Float64Array,
  sizes: Float64Array,
  units: Float64Array,
  { level, step }: { level: number; step: number },
): number {
  const margin = marginOf(
    scores.map((score, i) => score / sizes[i]),
    level,
    step,
  );
  let loss = 0;
  for (const [i, score] of scores.entries()) {
    const halfWidth = margin * sizes[i];
    loss += ((1 - level) * halfWidth + Math.max(0, score - halfWidth)) / units[i];
  }
  return loss;
}

/**
 * The lower and the upper bound have separate margins if at least MIN_ERRORS_PER_BOUND errors of the horizon step are known
 * and these errors span at least MIN_HORIZONS_PER_BOUND horizons.
 */
const [MIN_ERRORS_PER_BOUND, MIN_HORIZONS_PER_BOUND] = [200, 10];

/**
 * Returns the margins of the lower and the upper bound of a level. If few errors are known, or if the errors span few horizons,
 * both margins are the same quantile of the scores. Otherwise, each bound has its own quantile, so that the actual value is
 * equally likely to be below and above the interval even if errors are skewed. Errors of a few horizons would show the bias of
 * these horizons instead of skewness, even if they are errors of many series.
 * @param positions the positions of the known errors
 * @param l the index of the level
 * @param level the level itself, or an adapted one
 * @param step the horizon step, from 1
 * @param horizon the number of horizon steps
 */
export function marginsOf(
  stepScores: StepScores,
  positions: readonly number[],
  scaling: Scaling,
  { l, level, step, horizon }: { l: number; level: number; step: number; horizon: number },
): { lower: number; upper: number } {
  const sizes = positions.map((n) => stepScores.sizeOf(n, scaling));
  const rows = rowsSpanned(positions.map((n) => stepScores.index[n]));
  if (positions.length < MIN_ERRORS_PER_BOUND || rows < MIN_HORIZONS_PER_BOUND * horizon) {
    const scores = positions.map((n, i) => stepScores.scoreOf(l, n) / sizes[i]);
    const margin = marginOf(scores, level, step);
    return { lower: margin, upper: margin };
  }
  const [lower, upper] = [stepScores.below[l], stepScores.above[l]].map((distances) =>
    marginOf(
      positions.map((n, i) => distances[n] / sizes[i]),
      (1 + level) / 2,
      step,
      normalQuantile,
    ),
  );
  return { lower, upper };
}

/** Returns the number of rows from the first to the last grid index. */
const rowsSpanned = (index: readonly number[]): number =>
  1 +
  index.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) -
  index.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);

/** Returns the p quantile of the absolute value of a standard normal variable. */
const absoluteNormalQuantile = (p: number): number => normalQuantile((1 + p) / 2);

/**
 * Returns the score that a new score at horizon step `step` exceeds with a probability of at most 1 - level. For n
 * independent scores, this is the score of rank ceil((n + 1) level). Forecasts from neighbouring origins have almost all
 * steps in common, so n scores are worth about n / sqrt(step) independent ones; the rank is therefore
 * ceil((n + sqrt(step)) level). If it exceeds n, the largest score, which covers a fraction n / (n + sqrt(step)), is
 * extrapolated to the level with normal quantiles; if the largest score is not positive, the result is 0.
 * @param quantileOf the quantiles for extrapolation. Default: those of the absolute value of a standard normal variable
 */
export function marginOf(
  scores: ArrayLike<number>,
  level: number,
  step: number,
  quantileOf = absoluteNormalQuantile,
): number {
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
  return largest * Math.max(1, quantileOf(level) / quantileOf(covered));
}
