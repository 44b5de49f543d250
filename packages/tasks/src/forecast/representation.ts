/**
 * Chooses how the target is represented for the two networks: the lag of the changes, and the reference that is subtracted from a
 * window. To compare the candidates, linear models take the place of networks: a ridge regression from the scaled window to the
 * scaled horizon, fitted on the first training rows and scored on the last ones. Linear models are fitted in milliseconds, and the
 * representation that is best for a linear model also suits a network, because the series varies least in it. The forecast is the
 * mean of the forecasts of two networks, so pairs of candidates are scored by the mean of their forecasts.
 */
import type { Representation } from './network.js';
import { fillGaps, rowsWithKnownHorizon, subsample } from './rows.js';
import {
  type PreparedSeries,
  type Reference,
  type TransformPlan,
  WindowTransform,
  warmUp,
} from './transform.js';

type Candidate = Pick<Representation, 'lag'> & { reference: Reference };
type ChoicePlan = Omit<TransformPlan, 'hasUnsubtractedChannel' | 'lag' | 'reference'> & {
  season: number;
  chunk: number;
  lag: number;
};

/** At most this many series, training windows and scored forecasts are used. */
const MAX_SERIES = 200;
const MAX_WINDOWS = 3000;
const MAX_SCORED = 1000;
/** With fewer scored forecasts, there is no choice; with fewer training windows, a candidate is left out. */
const MIN_SCORED = 12;
/** Penalties of the ridge regression, relative to the number of windows. The penalty with the lowest error is used. */
const PENALTIES = [0.01, 0.1, 1];
/** A choice other than the default must lower the error by at least this share. */
const MIN_GAIN = 0.02;

/** One series, split into rows to fit and rows to score. */
interface SplitSeries {
  values: Float64Array;
  /** First scored row. */
  split: number;
  /** Mean absolute change over one season, by which the errors are divided. */
  unit: number;
}

/** A row of a series at which a forecast starts. */
interface Start {
  series: number;
  row: number;
}

export interface RepresentationChoice {
  representations: Representation[];
  /** Why these representations were chosen; empty if there are too few rows for a comparison. */
  reason: string;
  /** Error of the linear models on the held-out rows; NaN if there are too few rows. */
  error: number;
}

/**
 * Chooses the representation of the target for each of the two networks.
 * @param training the training rows of each series
 * @param plan plan with the default lag
 * @param lags lags of the candidates
 */
export function chooseRepresentations(
  training: readonly Float64Array[],
  plan: ChoicePlan,
  lags: readonly number[],
): RepresentationChoice {
  const defaultCandidate: Candidate = { lag: plan.lag, reference: 'last' };
  const candidates = lags.flatMap((lag) =>
    (lag === 1 ? REFERENCES_OF_VALUES : REFERENCES_OF_CHANGES).map((reference) => ({ lag, reference })),
  );
  const series = splitSeries(training, plan);
  const longest = warmUp({ ...plan, lag: Math.max(...lags) });
  const scored = startsOf(series, plan, longest, MAX_SCORED, 'score');
  const errors = new Map<string, Float64Array[]>();
  for (const candidate of scored.length < MIN_SCORED ? [] : candidates) {
    const forecasts = linearForecasts(series, plan, candidate, scored);
    if (forecasts !== null) errors.set(nameOf(candidate), forecasts);
  }
  const pairOf = (first: Candidate, second: Candidate): Representation[] => [
    { ...first, hasUnsubtractedChannel: false },
    { ...second, hasUnsubtractedChannel: true },
  ];
  const defaultForecasts = errors.get(nameOf(defaultCandidate));
  if (defaultForecasts === undefined)
    return { representations: pairOf(defaultCandidate, defaultCandidate), reason: '', error: Number.NaN };
  const compared = candidates.filter((candidate) => errors.has(nameOf(candidate)));
  const pairs = compared.flatMap((a, i) => compared.slice(i).map((b) => [a, b] as const));
  const scoreOf = (a: Candidate, b: Candidate): number =>
    meanError(
      series,
      scored,
      errors.get(nameOf(a)) ?? defaultForecasts,
      errors.get(nameOf(b)) ?? defaultForecasts,
    );
  const defaultError = scoreOf(defaultCandidate, defaultCandidate);
  let best = {
    pair: [defaultCandidate, defaultCandidate] as readonly [Candidate, Candidate],
    error: defaultError,
  };
  for (const pair of pairs) {
    const error = scoreOf(...pair);
    if (error < best.error) best = { pair, error };
  }
  const gain = 1 - best.error / defaultError;
  if (!(gain >= MIN_GAIN)) {
    const reason = 'no other representation lowers the held-out error of a linear model';
    return { representations: pairOf(defaultCandidate, defaultCandidate), reason, error: defaultError };
  }
  return {
    representations: pairOf(...best.pair),
    error: best.error,
    reason: `the held-out error of a linear model is ${(100 * gain).toFixed(0)} % lower than with ${describeRepresentation(defaultCandidate)}`,
  };
}

/** The references of a window: the last element or the mean; for changes, also 0, because changes vary around 0. */
const REFERENCES_OF_VALUES: readonly Reference[] = ['last', 'mean'];
const REFERENCES_OF_CHANGES: readonly Reference[] = ['last', 'mean', 'zero'];

const nameOf = ({ lag, reference }: Candidate): string => `${lag} ${reference}`;

/** Describes the representation of one network for the plan and the report. */
export function describeRepresentation({
  lag,
  reference = 'last',
}: Pick<Representation, 'lag' | 'reference'>): string {
  const what = lag === 1 ? 'values' : `seasonal differences (lag ${lag})`;
  const subtracted = {
    last: ', each minus the last one',
    mean: ', each minus their mean',
    zero: '',
  }[reference];
  return `${what}${subtracted}`;
}

function splitSeries(training: readonly Float64Array[], { season, horizon }: ChoicePlan): SplitSeries[] {
  const stride = Math.ceil(training.length / MAX_SERIES);
  return training
    .filter((_, i) => i % stride === 0)
    .map((values) => {
      const filled = fillGaps(values, season);
      const lag = Math.min(season, Math.max(1, values.length - 1));
      const changes = Array.from(filled.subarray(lag), (value, t) => Math.abs(value - filled[t]));
      const unit = changes.reduce((sum, change) => sum + change, 0) / changes.length;
      const split = values.length - Math.max(horizon, Math.round(values.length / 5));
      return { values, split, unit: unit > 0 ? unit : Number.NaN };
    })
    .filter(({ unit }) => !Number.isNaN(unit));
}

/**
 * Returns about `sampleSize` of the rows to fit or to score, or all of them if there are fewer.
 * @param warmUpRows number of rows that must precede a forecast
 */
function startsOf(
  series: readonly SplitSeries[],
  { horizon }: ChoicePlan,
  warmUpRows: number,
  sampleSize: number,
  part: 'fit' | 'score',
): readonly Start[] {
  const all = series.flatMap(({ values, split }, s) => {
    const rows =
      part === 'fit'
        ? rowsWithKnownHorizon(values.subarray(0, Math.max(0, split)), warmUpRows, horizon)
        : rowsWithKnownHorizon(values, Math.max(warmUpRows, split), horizon);
    return rows.map((row) => ({ series: s, row }));
  });
  return subsample(all, sampleSize);
}

/** Returns the forecast [horizon] of a linear model from each of the scored rows; null if the model cannot be fitted. */
function linearForecasts(
  series: readonly SplitSeries[],
  plan: ChoicePlan,
  candidate: Candidate,
  scored: readonly Start[],
): Float64Array[] | null {
  const candidatePlan = { ...plan, ...candidate, hasUnsubtractedChannel: false };
  const fitted = series.map(({ values, split }) => {
    const filled = fillGaps(values, plan.season);
    const training = filled.subarray(0, Math.max(0, split));
    if (training.length < warmUp(candidatePlan)) return null;
    const transform = WindowTransform.fit(training, candidatePlan);
    return { transform, prepared: transform.prepare(filled) };
  });
  const canForecast = ({ series: s }: Start) => fitted[s] !== null;
  const starts = startsOf(series, plan, warmUp(candidatePlan), MAX_WINDOWS, 'fit').filter(canForecast);
  if (starts.length < MIN_SCORED || !scored.every(canForecast)) return null;
  const fitOf = ({ series: s }: Start) =>
    fitted[s] as { transform: WindowTransform; prepared: PreparedSeries };
  const inputs = (start: Start) => withBias(fitOf(start).transform.input(fitOf(start).prepared, start.row));
  const targets = (start: Start) => fitOf(start).transform.targets(fitOf(start).prepared, start.row);
  const models = ridge(starts.map(inputs), starts.map(targets), PENALTIES);
  const scoredInputs = scored.map(inputs);
  let best: { error: number; forecasts: Float64Array[] } | null = null;
  for (const weights of models) {
    const forecasts = scored.map((start, n) => {
      const { transform, prepared } = fitOf(start);
      return transform.output(prepared, start.row, product(scoredInputs[n], weights));
    });
    const error = meanError(series, scored, forecasts, forecasts);
    if (best === null || error < best.error) best = { error, forecasts };
  }
  return best?.forecasts ?? null;
}

function withBias(input: Float64Array): Float64Array {
  const result = new Float64Array(input.length + 1).fill(1);
  result.set(input);
  return result;
}

/** Returns the mean absolute error of the mean of two forecasts, divided by the unit of each series. */
function meanError(
  series: readonly SplitSeries[],
  scored: readonly Start[],
  a: readonly Float64Array[],
  b: readonly Float64Array[],
): number {
  let total = 0;
  for (const [n, { series: s, row }] of scored.entries()) {
    const { values, unit } = series[s];
    for (const [k, value] of a[n].entries())
      total += Math.abs((value + b[n][k]) / 2 - values[row + k]) / unit / a[n].length;
  }
  return total / scored.length;
}

/** Returns weights [penalty][output][input] of a ridge regression. The last input is the constant 1 and has no penalty. */
function ridge(
  inputs: readonly Float64Array[],
  targets: readonly Float64Array[],
  penalties: readonly number[],
): Float64Array[][] {
  const width = inputs[0].length;
  const outputs = targets[0].length;
  const gram = new Float64Array(width * width);
  const moments = Array.from({ length: outputs }, () => new Float64Array(width));
  for (const [n, x] of inputs.entries()) {
    for (let i = 0; i < width; i++) {
      for (let j = 0; j <= i; j++) gram[i * width + j] += x[i] * x[j];
      for (let k = 0; k < outputs; k++) moments[k][i] += x[i] * targets[n][k];
    }
  }
  return penalties.map((penalty) => {
    const penalised = gram.slice();
    for (let i = 0; i < width; i++)
      penalised[i * width + i] += i < width - 1 ? penalty * inputs.length : 1e-9;
    const factor = cholesky(penalised, width);
    return moments.map((moment) => solve(factor, moment, width));
  });
}

/** Returns the lower triangular factor L of a positive definite matrix L Lᵀ [width, width]. */
function cholesky(matrix: Float64Array, width: number): Float64Array {
  const factor = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * width + j];
      for (let k = 0; k < j; k++) sum -= factor[i * width + k] * factor[j * width + k];
      factor[i * width + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / factor[j * width + j];
    }
  }
  return factor;
}

/** Returns the solution x of L Lᵀ x = b. */
function solve(factor: Float64Array, b: Float64Array, width: number): Float64Array {
  const x = b.slice();
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < i; k++) x[i] -= factor[i * width + k] * x[k];
    x[i] /= factor[i * width + i];
  }
  for (let i = width - 1; i >= 0; i--) {
    for (let k = i + 1; k < width; k++) x[i] -= factor[k * width + i] * x[k];
    x[i] /= factor[i * width + i];
  }
  return x;
}

/** Returns the product of weights [output][input] and an input. */
function product(input: Float64Array, weights: readonly Float64Array[]): Float64Array {
  const result = new Float64Array(weights.length);
  for (const [k, row] of weights.entries())
    for (let i = 0; i < row.length; i++) result[k] += row[i] * input[i];
  return result;
}
