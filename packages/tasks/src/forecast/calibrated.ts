/**
 * Makes the backtest forecasts of all models and calibrates their intervals. Each model also forecasts from the calibration
 * origins (origins.ts). The errors of these forecasts calibrate the intervals of the model and determine the weights of the
 * combined models (combination.ts).
 */
import type { ModelForecasts } from './backtest.js';
import { baselineFits, baselineForecasts, isFitted, leaderboardBaselines } from './baselines.js';
import { Calibration, type Intervals, type ScoreScale } from './calibration.js';
import {
  bestModel,
  type Combination,
  combine,
  ENSEMBLE,
  ensembleWeights,
  HeldOutErrors,
  PER_SERIES,
  type Weights,
} from './combination.js';
import type { Origin } from './encoder.js';
import type { NetworkForecaster, RunContext } from './forecaster.js';
import { meanChanges, scoreScale } from './score-scale.js';

/** The backtest forecasts of all models, and the calibration of their intervals. */
export interface CalibratedForecasts {
  backtest: ModelForecasts[];
  /** Returns the calibration of a model. It is computed at each call: the scores of all models would take much memory. */
  calibrationOf: (model: string) => Calibration;
  /** The combined models, by name. */
  combinations: Map<string, Combination>;
  scale: ScoreScale;
}

/** The forecasts of one model before calibration. */
interface ModelRun {
  model: string;
  /** Indices of the calibration origins from which the model can forecast. */
  indices: readonly number[];
  /** Forecasts from these origins. */
  calibrationForecasts: readonly Intervals[];
  /** Forecasts from the backtest origins. */
  backtest: readonly Intervals[];
}

/**
 * Returns the backtest forecasts of all models. Baselines come first: if two models have the same score, the simpler one wins.
 * @param origins origins of the backtest
 * @param calibrationOrigins origins of the forecasts for calibration
 */
export async function calibratedForecasts(
  context: RunContext,
  networks: readonly NetworkForecaster[],
  origins: readonly Origin[],
  calibrationOrigins: readonly Origin[],
): Promise<CalibratedForecasts> {
  const { panel, plan } = context;
  const allIndices = calibrationOrigins.map((_, n) => n);
  const options = {
    season: plan.season,
    log: plan.log,
    levels: context.levels,
    fits: baselineFits(panel, plan, calibrationOrigins),
  };
  const runs: ModelRun[] = [];
  // One call for all origins, in the order of time, makes every fit only once.
  const allOrigins = [...calibrationOrigins, ...origins];
  const order = [...allOrigins.keys()].sort((a, b) => allOrigins[a].origin - allOrigins[b].origin);
  const ordered = order.map((n) => allOrigins[n]);
  for (const [model, baseline] of leaderboardBaselines(panel, plan, context.baselines)) {
    const forecasts = new Array<Intervals>(order.length);
    for (const [i, forecast] of baselineForecasts(panel, baseline, ordered, options).entries())
      forecasts[order[i]] = forecast;
    runs.push({
      model,
      indices: allIndices,
      calibrationForecasts: forecasts.slice(0, calibrationOrigins.length),
      backtest: forecasts.slice(calibrationOrigins.length),
    });
  }
  const networkRuns: ModelRun[] = [];
  for (const network of networks) {
    const indices = allIndices.filter((n) => network.canForecast(calibrationOrigins[n]));
    const calibrationForecasts = await network.forecasts(indices.map((n) => calibrationOrigins[n]));
    networkRuns.push({
      model: network.name,
      indices,
      calibrationForecasts,
      backtest: await network.forecasts(origins),
    });
  }
  const combined = combinedRuns(context, runs, networkRuns, origins, calibrationOrigins);
  const scale = scoreScale(panel, plan);
  return {
    ...calibrate(context, scale, [...runs, ...networkRuns, ...combined.runs], origins, calibrationOrigins),
    combinations: combined.combinations,
    scale,
  };
}

/** Calibrates the intervals of all models. A backtest forecast uses the errors that are known at its origin. */
function calibrate(
  { panel, plan, levels }: RunContext,
  scale: ScoreScale,
  runs: readonly ModelRun[],
  origins: readonly Origin[],
  calibrationOrigins: readonly Origin[],
): Pick<CalibratedForecasts, 'backtest' | 'calibrationOf'> {
  const calibrationOf = (model: string): Calibration => {
    const calibration = new Calibration(levels, plan.horizon, scale);
    const { indices, calibrationForecasts } = runs.find((run) => run.model === model)!; // every leaderboard model has a run
    for (const [i, n] of indices.entries())
      calibration.learn(panel, calibrationOrigins[n], calibrationForecasts[i]);
    return calibration;
  };
  const calibrated = runs.map(({ model, backtest }): ModelForecasts => {
    const calibration = calibrationOf(model);
    return { model, forecasts: backtest.map((each, n) => calibration.widen(panel, origins[n], each)) };
  });
  return { backtest: calibrated, calibrationOf };
}

/** Makes the forecasts of the combined models: `ensemble` if there is a fitted baseline, `per-series` if the options ask for it. */
function combinedRuns(
  context: RunContext,
  baselineRuns: readonly ModelRun[],
  networkRuns: readonly ModelRun[],
  origins: readonly Origin[],
  calibrationOrigins: readonly Origin[],
): { runs: ModelRun[]; combinations: Map<string, Combination> } {
  const { panel, plan } = context;
  const isPerSeries = context.select === 'series';
  const errorScales = meanChanges(panel, plan);
  const errorsOf = ({ indices, calibrationForecasts }: ModelRun) => {
    const from = indices.map((n) => calibrationOrigins[n]);
    return new HeldOutErrors(panel, errorScales, from, calibrationForecasts, isPerSeries);
  };
  const network = bestNetwork(networkRuns, errorsOf, plan.cut);
  const members = [...baselineRuns, network].map((run) => alignedWith(run, network.indices));
  const errors = new Map(members.map((run) => [run.model, errorsOf(run)]));
  const combinedRun = (model: string, weightsAt: (origin: Origin) => Weights): ModelRun => {
    const weigh = (weights: Weights, select: (run: ModelRun) => Intervals): Intervals =>
      combine(weights, (name) => select(members.find((run) => run.model === name) ?? network));
    return {
      model,
      indices: network.indices,
      calibrationForecasts: network.indices.map((n, i) =>
        weigh(weightsAt(calibrationOrigins[n]), ({ calibrationForecasts }) => calibrationForecasts[i]),
      ),
      backtest: origins.map((origin, n) => weigh(weightsAt(origin), ({ backtest }) => backtest[n])),
    };
  };
  const runs: ModelRun[] = [];
  const combinations = new Map<string, Combination>();
  const ensembleAt = memoised((origin) => ensembleWeights(errors, network.model, origin));
  const end = Number.POSITIVE_INFINITY;
  if (baselineRuns.some(({ model }) => isFitted(model))) {
    runs.push(combinedRun(ENSEMBLE, ({ origin }) => ensembleAt(origin)));
    combinations.set(ENSEMBLE, { network: network.model, weights: ensembleAt(end) });
  }
  if (isPerSeries) {
    const candidates = new Map([...errors, ...runs.map((run) => [run.model, errorsOf(run)] as const)]);
    const minErrors = plan.horizon * Math.max(MIN_ROWS_PER_SERIES, 2 * plan.horizon);
    const weightsAt = (origin: Origin, requiredErrors = minErrors): Weights => {
      const best = bestModel(candidates, origin, requiredErrors) ?? network.model;
      return best === ENSEMBLE ? ensembleAt(origin.origin) : new Map([[best, 1]]);
    };
    runs.push(combinedRun(PER_SERIES, (origin) => weightsAt(origin)));
    const bySeries = panel.series.map((_, series) => weightsAt({ series, origin: end }));
    // No series has infinitely many errors, so these are the weights of the best model over all series.
    const weights = weightsAt({ series: 0, origin: end }, Number.POSITIVE_INFINITY);
    combinations.set(PER_SERIES, { network: network.model, weights, bySeries });
  }
  return { runs, combinations };
}

/**
 * A series gets its own model only if every model was tested on at least this many rows of the series, and on at least twice as
 * many rows as the horizon has steps.
 */
const MIN_ROWS_PER_SERIES = 12;

/** Returns the run of the network with the lowest mean error before the backtest; the first run if no errors are known. */
function bestNetwork(
  runs: readonly ModelRun[],
  errorsOf: (run: ModelRun) => HeldOutErrors,
  cut: number,
): ModelRun {
  if (runs.length === 1) return runs[0];
  const errors = runs.map((run) => errorsOf(run).mean(cut));
  return runs[errors.reduce((best, error, i) => (error < errors[best] ? i : best), 0)];
}

/** Returns a run with only the calibration origins `indices`, which must be a subset of the indices of `run`. */
function alignedWith(run: ModelRun, indices: readonly number[]): ModelRun {
  if (run.indices === indices) return run;
  const positions = new Map(run.indices.map((n, i) => [n, i]));
  return {
    ...run,
    indices,
    calibrationForecasts: indices.map((n) => run.calibrationForecasts[positions.get(n) ?? 0]),
  };
}

function memoised<T>(compute: (origin: number) => T): (origin: number) => T {
  const cache = new Map<number, T>();
  return (origin) => {
    const result = cache.get(origin) ?? compute(origin);
    cache.set(origin, result);
    return result;
  };
}
