/**
 * Estimates the size of errors from earlier errors: how large the errors of each series are compared with its changes, and how they
 * depend on the position in the season, such as the hour of the day, and in a longer season, such as the hour of the week. Recent
 * errors count more. A smooth series with a strong trend, for example, has large changes over one season but small errors, and errors
 * at night can be small in summer and large in winter. The size at a position also differs between parts of the horizon, and it can
 * depend on the position of the forecast origin: exponential smoothing follows the last rows before it.
 */
import { PARTS, partOfHorizon } from './adaptive-levels.js';
import type { Panel } from './panel.js';
import { limitedSize, MIN_ERROR_SEASONS, type SeasonalSpread } from './seasonal-spread.js';
import { sortedByIndex } from './sorted.js';

/** The absolute errors of one horizon step. */
export interface StepErrors {
  series: readonly number[];
  /** The grid index of the row of each error. */
  index: readonly number[];
  /** In units of the mean absolute change of the series before the origin. NaN: not used. */
  size: Float64Array;
}

/** Errors are divided by the mean of the earlier errors of their horizon step, if at least this many are known. */
const MIN_STEP_ERRORS = 20;
/**
 * Series: the weight of an error halves after this many horizons or this many rows, whichever is longer; the mean over all errors
 * counts as the errors of this many horizons or this many rows.
 */
const [SERIES_HALF_LIFE_HORIZONS, SERIES_HALF_LIFE_ROWS] = [4, 24];
const [SERIES_PRIOR_HORIZONS, SERIES_PRIOR_ROWS] = [2, 12];
/**
 * Positions: the weight of an error halves after this many seasons (in the longer season: of its own seasons); the prior size counts as
 * the errors of this many rows.
 */
const [POSITION_HALF_LIFE_SEASONS, POSITION_PRIOR_ROWS] = [20, 20];
/**
 * Factors of positions in a part of the horizon, and of the origin: the weight of an error halves after this many seasons. The prior
 * of these factors, and of those of the longer season, counts as the errors of this many rows of all series.
 */
const [FACTOR_HALF_LIFE_SEASONS, FACTOR_PRIOR_ROWS] = [100, 5];
/** With fewer horizon steps, the parts of the horizon and the origins hardly differ from the positions, so they have no factors. */
const MIN_FACTOR_STEPS = PARTS;

/** Estimates for every error of one horizon step, at the origin of its forecast. */
export interface SizesAtOrigins {
  /** Of the series of the error. */
  bySeries: ArrayLike<number>;
  /** Of the position of the error, without a factor of the origin; 1 while the errors span too few seasons. */
  byPosition: ArrayLike<number>;
  /** The same with the factor of the origin. */
  byOrigin: ArrayLike<number>;
}

/** The estimates at a row: only the errors of earlier rows are used. */
export class ErrorSizes {
  readonly #panel: Panel;
  readonly #season: number;
  readonly #longSeason: number;
  readonly #steps: readonly StepErrors[];
  readonly #events: Events;
  /** The row of the estimates: the errors of earlier rows are used. */
  #row = Number.NEGATIVE_INFINITY;
  #state: State;

  /**
   * @param season number of rows; 1 if there is no season
   * @param steps all errors, by horizon step
   * @param longSeason number of rows of a season that consists of several seasons. Default: there is none
   */
  constructor(panel: Panel, season: number, steps: readonly StepErrors[], longSeason = season) {
    this.#panel = panel;
    this.#season = season;
    this.#longSeason = longSeason;
    this.#steps = steps;
    this.#events = new Events(steps);
    this.#state = this.#newState();
  }

  #newState(): State {
    return new State(this.#panel.series.length, this.#season, this.#longSeason, this.#steps.length);
  }

  /** Moves the estimates to a row. Moving backwards starts again from the first error. */
  moveTo(row: number): void {
    if (row < this.#row) this.#state = this.#newState();
    this.#row = row;
    const { order, rows, steps, positions } = this.#events;
    for (let k = this.#state.added; k < order.length; k++) {
      const i = order[k];
      if (rows[i] >= row) break;
      const { series, size } = this.#steps[steps[i]];
      this.#state.add(series[positions[i]], steps[i], rows[i], size[positions[i]]);
    }
  }

  /** Returns the size of the errors of a series, relative to its changes and to all series. */
  ofSeries(series: number): number {
    return this.#state.ofSeries(series);
  }

  /** Whether there is a season, and the errors span enough seasons to estimate the spread by position. */
  get hasSpread(): boolean {
    return this.#state.hasSpread;
  }

  /**
   * Returns the spread by position in the season; null if it cannot be estimated.
   * @param byOrigin whether the size also depends on the position of the origin
   */
  spread(byOrigin: boolean): SeasonalSpread | null {
    if (!this.hasSpread) return null;
    const { start, series } = this.#panel;
    const state = this.#state;
    const atPositions = (sizeAt: (position: number) => number, season = this.#season): number[] =>
      Array.from({ length: season }, (_, position) => sizeAt(position));
    const ofSeries = (s: number) => atPositions((position) => state.ofPosition(s, position));
    const factors = Array.from({ length: PARTS }, (_, part) =>
      atPositions((position) => state.inPart(part, position, byOrigin)),
    );
    return {
      season: this.#season,
      start,
      byPosition: ofSeries(ALL_SERIES),
      byPart: { horizon: this.#steps.length, factors },
      ...(byOrigin && { byOrigin: atPositions((position) => state.ofOrigin(position)) }),
      ...(this.#longSeason > this.#season && {
        byLongPosition: atPositions((position) => state.ofLongPosition(position), this.#longSeason),
      }),
      ...(series.length > 1 && {
        bySeries: Object.fromEntries(series.map(({ id }, s) => [id, ofSeries(s)] as const)),
      }),
    };
  }

  /** Returns the estimates of each horizon step. */
  atOrigins(): SizesAtOrigins[] {
    const sizes = this.#steps.map(({ index }) => ({
      bySeries: new Float64Array(index.length),
      byPosition: new Float64Array(index.length).fill(1),
      byOrigin: new Float64Array(index.length).fill(1),
    }));
    const { steps, rows, positions } = this.#events;
    const origins = rows.map((row, i) => row - steps[i]);
    for (const i of sortedByIndex(origins)) {
      this.moveTo(origins[i]);
      const step = steps[i];
      const n = positions[i];
      const series = this.#steps[step].series[n];
      sizes[step].bySeries[n] = this.#state.ofSeries(series);
      if (!this.#state.hasSpread) continue;
      const { byPosition, byOrigin } = this.#state.sizesOf(series, rows[i], step);
      sizes[step].byPosition[n] = byPosition;
      sizes[step].byOrigin[n] = byOrigin;
    }
    return sizes;
  }
}

/** The errors of all steps in one list. */
class Events {
  /** The step of each error, from 0, its position in the lists of the step, and its row. */
  readonly steps: Int32Array;
  readonly positions: Int32Array;
  readonly rows: Int32Array;
  /** The errors in the order of their rows. */
  readonly order: Int32Array;

  constructor(steps: readonly StepErrors[]) {
    const count = steps.reduce((sum, { index }) => sum + index.length, 0);
    [this.steps, this.positions, this.rows] = [0, 1, 2].map(() => new Int32Array(count));
    let i = 0;
    for (const [step, { index }] of steps.entries()) {
      for (let n = 0; n < index.length; n++, i++) {
        this.steps[i] = step;
        this.positions[i] = n;
        this.rows[i] = index[n];
      }
    }
    this.order = sortedByIndex(this.rows);
  }
}

/** The estimate for all series together, instead of one series. */
const ALL_SERIES = -1;

class State {
  /** Number of errors added, also of those that are not used. */
  added = 0;
  readonly #season: number;
  readonly #longSeason: number;
  readonly #seriesCount: number;
  readonly #horizon: number;
  /** Sum and number of the errors of each step. */
  readonly #stepSums: Float64Array;
  readonly #stepCounts: Float64Array;
  /** Of each series. */
  readonly #series: RecentMeans;
  /** Of each position, of all series and then of each series (with several series); and over all positions. */
  readonly #positions: RecentMeans;
  readonly #totals: RecentMeans;
  /** Of each position in the longer season, of each position in each part of the horizon, and of each position of the origin. */
  readonly #longPositions: RecentFactors;
  readonly #parts: readonly RecentFactors[];
  /** Of each position in each part of the horizon, in addition to the factor of the origin. */
  readonly #partsWithOrigin: readonly RecentFactors[];
  readonly #origins: RecentFactors;
  #firstRow = Number.NaN;
  #lastRow = Number.NaN;
  #count = 0;

  constructor(seriesCount: number, season: number, longSeason: number, horizon: number) {
    this.#season = season;
    this.#longSeason = longSeason;
    this.#seriesCount = seriesCount;
    this.#horizon = horizon;
    this.#stepSums = new Float64Array(horizon);
    this.#stepCounts = new Float64Array(horizon);
    const halfLife = Math.max(SERIES_HALF_LIFE_HORIZONS * horizon, SERIES_HALF_LIFE_ROWS);
    this.#series = new RecentMeans(seriesCount, halfLife);
    const groups = season < 2 ? 0 : seriesCount > 1 ? 1 + seriesCount : 1;
    this.#positions = new RecentMeans(groups * season, POSITION_HALF_LIFE_SEASONS * season);
    this.#totals = new RecentMeans(groups, POSITION_HALF_LIFE_SEASONS * season);
    this.#longPositions = new RecentFactors(longSeason, POSITION_HALF_LIFE_SEASONS * longSeason);
    const halfLifeOfFactors = FACTOR_HALF_LIFE_SEASONS * season;
    [this.#parts, this.#partsWithOrigin] = [0, 1].map(() =>
      Array.from({ length: PARTS }, () => new RecentFactors(season, halfLifeOfFactors)),
    );
    this.#origins = new RecentFactors(season, halfLifeOfFactors);
  }

  add(series: number, step: number, row: number, size: number): void {
    this.added++;
    if (Number.isNaN(size)) return;
    const known = this.#stepCounts[step];
    const relative = (size * known) / this.#stepSums[step];
    this.#stepSums[step] += size;
    this.#stepCounts[step]++;
    if (known < MIN_STEP_ERRORS || !Number.isFinite(relative)) return;
    if (this.hasSpread) this.#addToFactors(series, step, row, relative);
    if (this.#count === 0) this.#firstRow = row;
    this.#lastRow = row;
    this.#count++;
    this.#series.add(series, row, relative);
    if (this.#season < 2) return;
    this.#addToGroup(0, row, relative);
    if (this.#seriesCount > 1) this.#addToGroup(1 + series, row, relative);
  }

  /** Adds an error to each factor, in units of the product of the factors that it is multiplied by in `sizesOf`. */
  #addToFactors(series: number, step: number, row: number, size: number): void {
    const [position, longPosition] = [row % this.#season, row % this.#longSeason];
    const [part, origin] = [partOfHorizon(step, this.#horizon), (row - step) % this.#season];
    const relative = size / this.ofPosition(series, position);
    const inRow = relative / this.ofLongPosition(longPosition);
    const fromOrigin = inRow / this.ofOrigin(origin);
    if (this.#longSeason > this.#season) this.#longPositions.add(longPosition, row, relative);
    if (this.#horizon >= MIN_FACTOR_STEPS) {
      this.#origins.add(origin, row, inRow);
      this.#parts[part].add(position, row, inRow);
      this.#partsWithOrigin[part].add(position, row, fromOrigin);
    }
  }

  /** Adds an error to the positions of all series (group 0), or of one series (group 1 + series). */
  #addToGroup(group: number, row: number, size: number): void {
    this.#positions.add(group * this.#season + (row % this.#season), row, size);
    this.#totals.add(group, row, size);
  }

  get #rows(): number {
    return this.#lastRow + 1 - this.#firstRow;
  }

  /** Number of errors of one row of a series; at least 1. */
  get #errorsPerRow(): number {
    return Math.max(1, this.#count / (this.#seriesCount * this.#rows));
  }

  get hasSpread(): boolean {
    return this.#season > 1 && this.#rows >= MIN_ERROR_SEASONS * this.#season;
  }

  ofSeries(series: number): number {
    if (this.#count === 0) return 1;
    const rows = Math.max(SERIES_PRIOR_HORIZONS * this.#horizon, SERIES_PRIOR_ROWS);
    return limitedSize(this.#series.mean(series, this.#lastRow, 1, rows * this.#errorsPerRow));
  }

  /** The size of an error at a row, without and with the factor of the origin. */
  sizesOf(series: number, row: number, step: number): { byPosition: number; byOrigin: number } {
    const position = row % this.#season;
    const size = this.ofPosition(series, position) * this.ofLongPosition(row % this.#longSeason);
    const part = partOfHorizon(step, this.#horizon);
    const ofOrigin = this.ofOrigin((row - step) % this.#season);
    return {
      byPosition: limitedSize(size * this.inPart(part, position, false)),
      byOrigin: limitedSize(size * this.inPart(part, position, true) * ofOrigin),
    };
  }

  /** The factor of a position in the longer season; 1 if there is none. */
  ofLongPosition(position: number): number {
    return this.#longPositions.factor(position, this.#lastRow, this.#priorOfFactors);
  }

  /** The factor of a position in a part of the horizon, without or with a factor of the origin. */
  inPart(part: number, position: number, byOrigin: boolean): number {
    const factors = byOrigin ? this.#partsWithOrigin : this.#parts;
    return factors[part].factor(position, this.#lastRow, this.#priorOfFactors / PARTS);
  }

  /** The factor of a position of the origin. */
  ofOrigin(position: number): number {
    return this.#origins.factor(position, this.#lastRow, this.#priorOfFactors);
  }

  /** The number of errors that the prior of the factors counts as. */
  get #priorOfFactors(): number {
    return FACTOR_PRIOR_ROWS * this.#errorsPerRow * this.#seriesCount;
  }

  /** The size at a position, relative to all positions; the sizes of a series are shrunk towards those of all series. */
  ofPosition(series: number, position: number): number {
    const priorErrors = POSITION_PRIOR_ROWS * this.#errorsPerRow;
    const sizeIn = (group: number, prior: number): number => {
      const mean = this.#totals.mean(group, this.#lastRow, 0, 0);
      if (!(mean > 0)) return prior; // no errors are known, or all are 0
      const cell = group * this.#season + position;
      return limitedSize(this.#positions.mean(cell, this.#lastRow, prior * mean, priorErrors) / mean);
    };
    const ofAll = sizeIn(0, 1);
    return series === ALL_SERIES || this.#seriesCount === 1 ? ofAll : sizeIn(1 + series, ofAll);
  }
}

/** Means in which the weights of earlier values decrease exponentially. */
class RecentMeans {
  readonly #decay: number;
  /** The weighted sum of the values and the sum of the weights, both at the row of the last value. */
  readonly #sums: Float64Array;
  readonly #weights: Float64Array;
  readonly #rows: Float64Array;

  constructor(count: number, halfLife: number) {
    this.#decay = 0.5 ** (1 / halfLife);
    [this.#sums, this.#weights, this.#rows] = [0, 1, 2].map(() => new Float64Array(count));
  }

  /** Adds a value of a row, at or after the rows of earlier values. */
  add(i: number, row: number, value: number): void {
    const decay = this.#decay ** (row - this.#rows[i]);
    this.#sums[i] = decay * this.#sums[i] + value;
    this.#weights[i] = decay * this.#weights[i] + 1;
    this.#rows[i] = row;
  }

  /** Returns the mean at a row, shrunk towards `prior`, which counts as `priorWeight` values of that row. */
  mean(i: number, row: number, prior: number, priorWeight: number): number {
    const decay = this.#decay ** (row - this.#rows[i]);
    return (decay * this.#sums[i] + priorWeight * prior) / (decay * this.#weights[i] + priorWeight);
  }
}

/** The mean values of several positions relative to their common mean, with more weight on recent values. */
class RecentFactors {
  readonly #positions: RecentMeans;
  readonly #total: RecentMeans;

  constructor(count: number, halfLife: number) {
    this.#positions = new RecentMeans(count, halfLife);
    this.#total = new RecentMeans(1, halfLife);
  }

  add(position: number, row: number, value: number): void {
    this.#positions.add(position, row, value);
    this.#total.add(0, row, value);
  }

  /** Returns a factor at a row, shrunk towards 1, which counts as `priorWeight` values. 1 if no values are known, or all are 0. */
  factor(position: number, row: number, priorWeight: number): number {
    const mean = this.#total.mean(0, row, 0, 0);
    return mean > 0 ? limitedSize(this.#positions.mean(position, row, mean, priorWeight) / mean) : 1;
  }
}
