/**
 * Adapts the levels of prediction intervals to recent coverage (adaptive conformal inference, Gibbs & Candès 2021). The margin of
 * an interval is a quantile of earlier conformity scores (calibration.ts). If errors grow or shrink over time, the quantile at
 * the nominal level covers too little or too much. Therefore the level is updated after each row:
 *
 *   level += rate / sqrt(step) * (share of the scores at this row that exceed their margins - (1 - nominal level))
 *
 * The margin of a score is the one known at its forecast origin. Each third of the horizon has its own level; `step` is the mean of
 * its horizon steps, counted from 1. Errors at horizon step h are correlated over about h rows, so that n of them are worth about
 * n / sqrt(h) independent errors.
 */
import { sortedByIndex } from './sorted.js';

/** The scores of one horizon step, divided by their expected size. */
export interface StepOutcomes {
  /** For each score, the grid index (panel.ts) of the actual value. */
  index: readonly number[];
  /** By level, one score for each index. */
  scores: readonly Float64Array[];
}

/** A score is compared with its margin if at least this many scores were known at its origin. */
const MIN_SCORES = 20;
/** 1 - level stays between these multiples of its nominal value. */
const [MIN_OUTSIDE, MAX_OUTSIDE] = [0.25, 2];
/** Number of parts of the horizon. Each has its own level, and its own size of errors at each position (error-sizes.ts). */
export const PARTS = 3;

/** Returns the index of the part of the horizon that a step belongs to. @param step horizon step, from 0 */
export const partOfHorizon = (step: number, horizon: number): number => Math.floor((PARTS * step) / horizon);

export class AdaptiveLevels {
  /** The grid index of entry 0 of the histories. */
  readonly #start: number;
  /** The adapted level for forecasts from each origin, by part of the horizon and by nominal level. */
  readonly #histories: readonly Float64Array[][];

  /**
   * @param steps the outcomes of each horizon step
   * @param levels the nominal levels
   * @param rate the factor `rate` of the formula above
   */
  constructor(steps: readonly StepOutcomes[], levels: readonly number[], rate: number) {
    const last = steps.reduce((end, { index }) => index.reduce((a, b) => Math.max(a, b), end), -1);
    const first = steps.reduce(
      (start, { index }, k) => index.reduce((a, b) => Math.min(a, b - k), start),
      last + 1,
    );
    this.#start = first;
    const rows = last + 2 - first;
    this.#histories = Array.from({ length: PARTS }, (_, part) => {
      const inPart = [...steps.entries()].filter(([k]) => partOfHorizon(k, steps.length) === part);
      const step = 1 + inPart.reduce((sum, [k]) => sum + k, 0) / inPart.length;
      const ranksByStep = inPart.map(([k, stepOutcomes]) => rankedByLevel(stepOutcomes, k));
      return levels.map((level, l) => {
        const outcomes = inPart.map(([k], i) => ({ k, ...ranksByStep[i][l] }));
        return levelHistory(outcomes, level, rate / Math.sqrt(step), { first, rows });
      });
    });
  }

  /** Returns the level of a part of the horizon for forecasts from an origin. @param l the index of the nominal level */
  levelAt(origin: number, l: number, part: number): number {
    const history = this.#histories[part][l];
    return history[Math.max(0, Math.min(origin - this.#start, history.length - 1))];
  }
}

/** The rank of each score among the scores known at its origin, in the order of the actual values. */
interface RankedOutcomes {
  /** The grid index of the actual value. */
  index: Int32Array;
  /** The share of smaller scores; NaN if too few scores are known. Intervals whose level is higher contain the actual value. */
  rank: Float64Array;
  /** The rank that a score above all known scores would have. If the level is higher, no score could exceed its margin. */
  highest: Float64Array;
}

/** Ranks the scores of step k (from 0) for each level. The scores of a point forecast are the same at all levels. */
function rankedByLevel({ index, scores }: StepOutcomes, k: number): RankedOutcomes[] {
  const result: RankedOutcomes[] = [];
  for (const [l, values] of scores.entries()) {
    const isSame = l > 0 && values.every((value, n) => value === scores[l - 1][n]);
    result.push(isSame ? result[l - 1] : ranked(index, values, k));
  }
  return result;
}

function ranked(index: readonly number[], values: Float64Array, k: number): RankedOutcomes {
  const sorted = values.toSorted();
  /** For each score, the number of smaller scores. */
  const smaller = new Int32Array(values.length); // Int32Array.from takes several times as long
  for (let n = 0; n < smaller.length; n++) smaller[n] = lowerBound(sorted, values[n]);
  const timeOrder = sortedByIndex(index);
  const known = new PrefixCounts(values.length);
  const rank = new Float64Array(values.length).fill(Number.NaN);
  const highest = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < timeOrder.length; i++) {
    const n = timeOrder[i];
    // The origin is index[n] - k. Scores of actual values before it are known there.
    for (; index[timeOrder[count]] < index[n] - k; count++) known.add(smaller[timeOrder[count]]);
    const total = count + Math.sqrt(k + 1);
    if (count >= MIN_SCORES) rank[i] = known.countBelow(smaller[n]) / total;
    highest[i] = count / total;
  }
  return { index: timeOrder.map((n) => index[n]), rank, highest };
}

/** Returns the number of sorted values that are smaller than a value. */
function lowerBound(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts numbers from 0 to `size` - 1, and returns quickly how many are below a limit (a Fenwick tree). */
class PrefixCounts {
  readonly #tree: Int32Array;

  constructor(size: number) {
    this.#tree = new Int32Array(size + 1);
  }

  add(number: number): void {
    for (let i = number + 1; i < this.#tree.length; i += i & -i) this.#tree[i]++;
  }

  countBelow(number: number): number {
    let sum = 0;
    for (let i = number; i > 0; i -= i & -i) sum += this.#tree[i];
    return sum;
  }
}

/** Returns the adapted level for forecasts from each of `rows` origins; the first origin is `first`. */
function levelHistory(
  outcomes: readonly ({ k: number } & RankedOutcomes)[],
  level: number,
  rate: number,
  { first, rows }: { first: number; rows: number },
): Float64Array {
  const history = new Float64Array(rows);
  const next = outcomes.map(() => 0);
  let current = level;
  for (let row = 0; row < rows; row++) {
    let [outside, count] = [0, 0];
    for (const [s, { k, index, rank, highest }] of outcomes.entries()) {
      // The actual values of the row before the origin are known.
      for (; index[next[s]] < first + row; next[s]++) {
        const value = rank[next[s]];
        const levelAtOrigin = history[row - 1 - k];
        if (Number.isNaN(value) || highest[next[s]] < levelAtOrigin) continue;
        count++;
        if (value >= levelAtOrigin) outside++;
      }
    }
    if (count > 0) current += rate * (outside / count - (1 - level));
    const least = 1 - MAX_OUTSIDE * (1 - level);
    current = Math.min(1 - MIN_OUTSIDE * (1 - level), Math.max(least, current));
    history[row] = current;
  }
  return history;
}
