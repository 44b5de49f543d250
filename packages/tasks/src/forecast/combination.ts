/**
 * Combines the forecasts of several models. `ensemble` is the weighted mean of a network and the two best baselines. The weights are
 * inversely proportional to the squared mean errors on held-out rows (after Bates & Granger 1969). An error counts at an origin only
 * if its row lies before the origin, so weights never use later rows. `per-series` forecasts each series with the model that has the
 * lowest mean error on the held-out rows of the series or, if these are few, of all series.
 */
import { type Intervals, isPointForecast } from './calibration.js';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';

export const ENSEMBLE = 'ensemble';
export const PER_SERIES = 'per-series';

/** Number of baselines in the ensemble, in addition to the network. */
const BASELINES_IN_ENSEMBLE = 2;

/** The weight of each model, by name. The weights sum to 1. */
export type Weights = ReadonlyMap<string, number>;

/** A combined model with its weights for forecasts from the end of the data. */
export interface Combination {
  /** The network among the members. */
  network: string;
  weights: Weights;
  /** The weights of each series, if they differ. */
  bySeries?: readonly Weights[];
}

/** The scaled absolute errors of one model on held-out rows. */
export class HeldOutErrors {
  /** The first origin, a grid index. */
  readonly #first: number;
  /** The errors of all series. */
  readonly #all: CumulativeErrors;
  /** The errors of each series; empty unless `bySeries`. */
  readonly #bySeries: readonly CumulativeErrors[];

  /**
   * @param errorScales scale of each series, by which its errors are divided
   * @param forecasts one forecast for each origin
   * @param bySeries whether to keep the errors of each series too
   */
  constructor(
    panel: Panel,
    errorScales: readonly number[],
    origins: readonly Origin[],
    forecasts: readonly Intervals[],
    bySeries = false,
  ) {
    const horizon = forecasts[0]?.median.length ?? 0;
    this.#first = origins.reduce((first, { origin }) => Math.min(first, origin), Number.POSITIVE_INFINITY);
    const last = origins.reduce((end, { origin }) => Math.max(end, origin), 0);
    const rows = origins.length === 0 ? 0 : last - this.#first + horizon;
    this.#all = new CumulativeErrors(rows);
    this.#bySeries = bySeries ? panel.series.map(() => new CumulativeErrors(rows)) : [];
    for (const [n, { series, origin }] of origins.entries()) {
      const { offset, values } = panel.series[series];
      for (const [k, value] of forecasts[n].median.entries()) {
        const actual = values[origin - offset + k];
        if (actual === undefined || Number.isNaN(actual)) continue;
        const error = Math.abs(actual - value) / errorScales[series];
        for (const errors of [this.#all, this.#bySeries[series]])
          errors?.add(origin - this.#first + k, error);
      }
    }
    for (const errors of [this.#all, ...this.#bySeries]) errors.accumulate();
  }

  /** Returns the mean error on the rows before an origin; NaN if there is none. */
  mean(origin: number): number {
    return this.#all.mean(origin - this.#first);
  }

  /** Returns the number of errors of one series on the rows before an origin, and their mean. Needs `bySeries`. */
  ofSeries({ series, origin }: Origin): { count: number; mean: number } {
    const [errors, end] = [this.#bySeries[series], origin - this.#first];
    return { count: errors.count(end), mean: errors.mean(end) };
  }
}

/** Sums and counts of errors over all rows before a row. */
class CumulativeErrors {
  readonly #sums: Float64Array;
  readonly #counts: Float64Array;

  constructor(rows: number) {
    this.#sums = new Float64Array(rows + 1);
    this.#counts = new Float64Array(rows + 1);
  }

  add(row: number, error: number): void {
    this.#sums[row + 1] += error;
    this.#counts[row + 1]++;
  }

  /** Replaces the entry of each row by the sum of all entries up to this row. Must be called after all errors are added. */
  accumulate(): void {
    for (let row = 1; row < this.#sums.length; row++) {
      this.#sums[row] += this.#sums[row - 1];
      this.#counts[row] += this.#counts[row - 1];
    }
  }

  /** Returns the mean of the errors at the rows before `end`. */
  mean(end: number): number {
    return this.#sums[this.#indexOf(end)] / this.count(end);
  }

  /** Returns the number of errors at the rows before `end`. */
  count(end: number): number {
    return this.#counts[this.#indexOf(end)];
  }

  #indexOf(end: number): number {
    return Math.max(0, Math.min(this.#sums.length - 1, end));
  }
}

/**
 * Returns the weights of the ensemble at an origin, for the network and the two baselines with the lowest errors before the origin.
 * The weights are equal if the error of one of these models is unknown or 0.
 * @param errors errors of all models, by name. If baselines have equal errors, the first is used
 */
export function ensembleWeights(
  errors: ReadonlyMap<string, HeldOutErrors>,
  network: string,
  origin: number,
): Weights {
  const means = new Map(Array.from(errors, ([name, each]) => [name, each.mean(origin)]));
  const errorOf = (name: string) => means.get(name) ?? Number.NaN;
  const ranked = [...errors.keys()]
    .filter((name) => name !== network)
    .sort((a, b) => errorOf(a) - errorOf(b) || 0);
  const members = [network, ...ranked.slice(0, BASELINES_IN_ENSEMBLE)];
  const isKnown = members.every((name) => errorOf(name) > 0);
  const shares = members.map((name) => (isKnown ? errorOf(name) ** -2 : 1));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return new Map(members.map((name, i) => [name, shares[i] / total]));
}

/**
 * Returns the model with the lowest mean error before an origin. If every model has at least `minErrors` errors on the series of the
 * origin, only these count; otherwise the errors on all series do. Returns undefined if no errors are known.
 */
export function bestModel(
  errors: ReadonlyMap<string, HeldOutErrors>,
  origin: Origin,
  minErrors: number,
): string | undefined {
  const ofSeries = Array.from(errors.values(), (each) => each.ofSeries(origin));
  const isEnough = ofSeries.every(({ count }) => count >= minErrors);
  const means = isEnough
    ? ofSeries.map(({ mean }) => mean)
    : Array.from(errors.values(), (each) => each.mean(origin.origin));
  const best = means.reduce(
    (lowest, mean, i) => (mean < (means[lowest] ?? Number.POSITIVE_INFINITY) ? i : lowest),
    -1,
  );
  return [...errors.keys()][best];
}

/** Returns the weighted mean of forecasts and of their interval bounds. */
export function combine(weights: Weights, forecastOf: (model: string) => Intervals): Intervals {
  const parts = Array.from(weights, ([model, weight]) => ({ weight, forecast: forecastOf(model) }));
  const [first] = parts;
  const mean = (select: (forecast: Intervals) => Float64Array): Float64Array =>
    first.forecast.median.map((_, k) =>
      parts.reduce((sum, { weight, forecast }) => sum + weight * select(forecast)[k], 0),
    );
  const median = mean((forecast) => forecast.median);
  if (parts.every(({ forecast }) => forecast.mean === undefined && isPointForecast(forecast)))
    return {
      median,
      lower: first.forecast.lower.map(() => median),
      upper: first.forecast.upper.map(() => median),
    };
  return {
    median,
    lower: first.forecast.lower.map((_, l) => mean(({ lower }) => lower[l])),
    upper: first.forecast.upper.map((_, l) => mean(({ upper }) => upper[l])),
    ...(parts.some(({ forecast }) => forecast.mean !== undefined) && {
      mean: mean((forecast) => forecast.mean ?? forecast.median),
    }),
  };
}

/** Returns weights as text: `lstm 41 %, theta 33 %, ets 26 %`. */
export const weightsText = (weights: Weights): string =>
  Array.from(weights, ([name, weight]) => `${name} ${(100 * weight).toFixed(0)} %`).join(', ');
