/**
 * Finds level shifts in a series: rows at which the series becomes higher or lower by about the same amount for all later rows.
 * The statistic of row t is J = median(d[t], ..., d[t + m - 1]) - median of the w values of d before t, where d is the change
 * over one season (without a season, the value). Row t is a shift if |J| is many times the median of |J| at earlier rows, if d
 * changes by at least J / 2 from row t - 1 to row t, and if d differs from the earlier median by at least J / 2 in the m rows from t
 * on. The search is causal: whether a shift is known at a row depends only on the rows before it.
 */
import { quantile } from '@unroll/data';

/** A level shift. */
export interface LevelShift {
  /** First row of the new level. */
  row: number;
  /** The shift is known at forecast origins at or after this row. */
  knownAt: number;
  /** Size of the shift, as a difference or, on logarithms, the logarithm of a ratio. */
  size: number;
}

/** An unusual last row or two, which may be outliers or the beginning of a new level. */
export type OpenShift = Pick<LevelShift, 'row' | 'size'>;

/** Numbers of rows after a shift that are used to find it, m above. Small shifts are found only with the larger numbers. */
const ROWS_AFTER = [3, 6, 12];
/** Numbers of rows since an open shift, m above. */
const OPEN_ROWS = [1, 2];
/** Factor of the threshold, by m. It is larger for small m, because a few unusual rows are often a temporary change. */
const FACTORS = new Map([
  [1, 2.5],
  [2, 2.5],
  [3, 2.5],
  [6, 1.5],
  [12, 1.5],
]);
/** Rows before a shift, w above. */
const ROWS_BEFORE = 8;
/** |J| is compared with |J| at this many earlier rows. If fewer than MIN_COMPARED_ROWS are known, no shift is found. */
const COMPARED_ROWS = 100;
const MIN_COMPARED_ROWS = 10;
/**
 * The threshold is the largest of these multiples: of the median of |J|, of the 95 % quantile of |J| (rows of the peak season may
 * vary more than others), and of the mean change from row to row.
 */
const MIN_RATIO = 6;
const MIN_RATIO_TO_LARGE = 2.5;
const MIN_RATIO_TO_STEP = 0.5;
/**
 * |J| must also exceed |J| at each of this many rows before the compared rows: when a quiet period ends, the series often
 * varies as much again as before that period, without a level shift.
 */
export const REMEMBERED_ROWS = 2000;

/** Returns the number of rows that a search needs before the rows of interest, in addition to `REMEMBERED_ROWS`. */
export const searchedRows = (season: number): number =>
  2 * season + COMPARED_ROWS + ROWS_BEFORE + ROWS_AFTER[ROWS_AFTER.length - 1];

/** Searches one series for level shifts. */
export class ShiftSearch {
  /**
   * The shifts in the order in which they become known. A second shift at the same row is a correction: the sizes of both must be
   * added.
   */
  readonly shifts: readonly LevelShift[];
  /** Open shifts by the origin at which they are known. */
  readonly #open = new Map<number, OpenShift>();
  readonly #season: number;
  /** The series, with the rows before each shift moved to the level after it. */
  readonly #z: Float64Array;
  /** J by m; NaN where it is undefined. */
  readonly #statistics: ReadonlyMap<number, Float64Array>;

  /** @param z values or logarithms, without gaps */
  constructor(z: Float64Array, season: number) {
    this.#z = z.slice();
    this.#season = season;
    const all = [...OPEN_ROWS, ...ROWS_AFTER];
    this.#statistics = new Map(all.map((after) => [after, new Float64Array(z.length).fill(Number.NaN)]));
    const shifts: LevelShift[] = [];
    for (let end = 1; end <= z.length; end++) {
      this.#updateStatistics(end);
      shifts.push(...this.#foundAt(end, shifts));
      const open = this.#findOpenShift(end);
      if (open !== undefined) this.#open.set(end, open);
    }
    this.shifts = shifts;
  }

  /** Returns the open shift at a forecast origin; undefined if there is none. */
  openShiftAt(origin: number): OpenShift | undefined {
    return this.#open.get(origin);
  }

  #findOpenShift(end: number): OpenShift | undefined {
    const after = OPEN_ROWS.findLast((rows) => this.#isShift(end - rows, rows));
    return after === undefined ? undefined : { row: end - after, size: this.#statistic(end - after, after) };
  }

  /** Returns the shift, or the correction of a shift, that becomes known at row `end`, and moves the rows before it. */
  #foundAt(end: number, known: readonly LevelShift[]): LevelShift[] {
    for (const after of ROWS_AFTER) {
      const row = end - after;
      const isKnown = known.some((shift) => Math.abs(shift.row - row) < ROWS_BEFORE);
      const isCorrection = known.at(-1)?.row === row && after > ROWS_AFTER[0];
      if (!isCorrection && (isKnown || !this.#isShift(row, after))) continue;
      const size = this.#statistic(row, after);
      this.#move(row, size, end);
      return [{ row, knownAt: end, size }];
    }
    return [];
  }

  /** Moves the rows before a shift to the level after it. */
  #move(row: number, size: number, end: number): void {
    for (let t = 0; t < row; t++) this.#z[t] += size;
    for (const [after, values] of this.#statistics)
      for (let t = Math.max(0, row - after); t + after <= end; t++) values[t] = this.#statistic(t, after);
  }

  /** Computes the statistics that become known at row `end`. */
  #updateStatistics(end: number): void {
    for (const [after, values] of this.#statistics) {
      const row = end - after;
      if (row >= 0) values[row] = this.#statistic(row, after);
    }
  }

  #isShift(row: number, after: number): boolean {
    const statistic = this.#statistics.get(after)?.[row] ?? Number.NaN;
    if (Number.isNaN(statistic) || statistic === 0) return false;
    const sign = Math.sign(statistic);
    const half = Math.abs(statistic) / 2;
    const before = this.#medianChange(row - ROWS_BEFORE, row);
    if (sign * (this.#change(row) - this.#change(row - 1)) < half) return false;
    for (let t = row; t < row + after; t++) if (sign * (this.#change(t) - before) < half) return false;
    return (
      !this.#isEcho(row, after, sign) &&
      Math.abs(statistic) > (FACTORS.get(after) ?? 1) * this.#threshold(row, after) &&
      Math.abs(statistic) > this.#largestBefore(row - after - COMPARED_ROWS, after)
    );
  }

  /** Returns the largest |J| at the last `REMEMBERED_ROWS` before a row; 0 if there are none. */
  #largestBefore(row: number, after: number): number {
    const values = this.#statistics.get(after) ?? new Float64Array();
    return values
      .subarray(Math.max(0, row - REMEMBERED_ROWS), Math.max(0, row))
      .reduce((largest, value) => (Number.isNaN(value) ? largest : Math.max(largest, Math.abs(value))), 0);
  }

  /** Returns the threshold of |J| at a row; infinite if too few earlier |J| are known, or if most rows equal the previous row. */
  #threshold(row: number, after: number): number {
    const first = Math.max(0, row - after - COMPARED_ROWS);
    const values = this.#statistics.get(after) ?? new Float64Array();
    const known = new Float64Array(Math.max(0, row - after - first));
    let count = 0;
    for (let t = first; t < row - after; t++)
      if (!Number.isNaN(values[t])) known[count++] = Math.abs(values[t]);
    if (count < MIN_COMPARED_ROWS) return Number.POSITIVE_INFINITY;
    const steps = row - first;
    let [sum, unequal] = [0, 0];
    for (let t = first + 1; t < row; t++) {
      const step = Math.abs(this.#z[t] - this.#z[t - 1]);
      sum += step;
      if (step > 0) unequal++;
    }
    if (unequal * 2 < steps) return Number.POSITIVE_INFINITY;
    const sorted = known.subarray(0, count).sort();
    return Math.max(
      MIN_RATIO * quantile(sorted, 0.5),
      MIN_RATIO_TO_LARGE * quantile(sorted, 0.95),
      MIN_RATIO_TO_STEP * (sum / steps),
    );
  }

  /**
   * Returns whether an unusual change over one season is caused by the value one season earlier, for example by an outlier there,
   * while the value at the row is as usual.
   */
  #isEcho(row: number, after: number, sign: number): boolean {
    if (this.#season === 1) return false;
    const change = (t: number) => this.#medianValue(t, t + after) - this.#medianValue(t - after, t);
    const [now, last] = [change(row), change(row - this.#season)];
    const earlier = row - 2 * this.#season;
    if (earlier - after < 0) return sign * now < 0 || Math.abs(now) < Math.abs(last);
    const usual = change(earlier);
    return Math.abs(now - usual) < Math.abs(last - usual);
  }

  /** Returns J. */
  #statistic(row: number, after: number): number {
    const first = row - ROWS_BEFORE;
    if (first < (this.#season > 1 ? this.#season : 0)) return Number.NaN;
    return this.#medianChange(row, row + after) - this.#medianChange(first, row);
  }

  #change(t: number): number {
    return this.#season === 1 ? this.#z[t] : this.#z[t] - this.#z[t - this.#season];
  }

  #medianChange(from: number, to: number): number {
    const changes = new Float64Array(to - from); // Float64Array.from takes several times as long
    for (let t = from; t < to; t++) changes[t - from] = this.#change(t);
    return median(changes);
  }

  #medianValue(from: number, to: number): number {
    return median(this.#z.slice(from, to));
  }
}

/** Returns the median of a few values, which it sorts by insertion: faster than `sort` for so few. */
function median(values: Float64Array): number {
  for (let i = 1; i < values.length; i++) {
    const value = values[i];
    let to = i;
    for (; to > 0 && values[to - 1] > value; to--) values[to] = values[to - 1];
    values[to] = value;
  }
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}
