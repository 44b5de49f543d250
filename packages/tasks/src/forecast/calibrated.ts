/**
 * Makes the backtest forecasts of all models and calibrates their intervals. Each model forecasts from earlier origins, and these
 * errors calibrate its intervals and weight the combined models (combination.ts).
 */
import type { ModelForecasts } from './backtest.js';
import { baselineFits, baselineForecasts, isFitted, leaderboardBaselines } from './baselines.js';
import { Calibration, type Intervals, type ScoreScale } from './calibration.js';
import {
  type Combination,
  combine,
  ENSEMBLE,
  ensembleWeights,
  HeldOutErrors,
  type Weights,
} from './combination.js';
import type { Origin } from './encoder.js';
import type { NetworkForecaster, RunContext } from './forecaster.js';
import { scoreScale } from './origins.js';

/** The backtest forecasts of all models, and the calibration of their intervals. */
export interface CalibratedForecasts {
  backtest: ModelForecasts[];
  /** By model. */
  calibrations: Map<string, Calibration>;
  /** The combined models, by name. */
  combinations: Map<string, Combination>;
  scale: ScoreScale;
}

/** The forecasts of one model before calibration. */
interface ModelRun {
  model: string;
  /** Indices of the calibration origins from which the model can forecast. */
  indices: readonly number[];
  /** Forecasts from these. */
  earlier: readonly Intervals[];
  /** Forecasts from the backtest origins. */
  backtest: readonly Intervals[];
}

/**
 * Makes the backtest forecasts of all models. Baselines come first: if two models have the same score, the simpler one wins.
 * @param origins of the backtest
 * @param earlierOrigins of calibration
 */
export async function calibratedForecasts(
  context: RunContext,
  networks: readonly NetworkForecaster[],
  origins: readonly Origin[],
  earlierOrigins: readonly Origin[],
): Promise<CalibratedForecasts> {
  const { panel, plan } = context;
  const all = earlierOrigins.map((_, n) => n);
  const options = {
    season: plan.season,
    levels: context.levels,
    fits: baselineFits(panel, plan, earlierOrigins),
  };
  const runs: ModelRun[] = [];
  for (const [model, baseline] of leaderboardBaselines(panel, plan, context.baselines)) {
    const [earlier, backtest] = [earlierOrigins, origins].map((from) =>
      baselineForecasts(panel, baseline, from, options),
    );
    runs.push({ model, indices: all, earlier, backtest });
  }
  const networkRuns: ModelRun[] = [];
  for (const network of networks) {
    const indices = all.filter((n) => network.canForecast(earlierOrigins[n]));
    const earlier = await network.forecasts(indices.map((n) => earlierOrigins[n]));
    networkRuns.push({ model: network.name, indices, earlier, backtest: await network.forecasts(origins) });
  }
  const combined = combinedRuns(context, runs, networkRuns, origins, earlierOrigins);
  const scale = scoreScale(panel, plan);
  return {
    ...calibrate(context, scale, [...runs, ...networkRuns, ...combined.runs], origins, earlierOrigins),
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
  earlierOrigins: readonly Origin[],
): Pick<CalibratedForecasts, 'backtest' | 'calibrations'> {
  const calibrations = new Map<string, Calibration>();
  const calibrated = runs.map(({ model, indices, earlier, backtest }): ModelForecasts => {
    const calibration = new Calibration(levels, plan.horizon, scale);
    for (const [i, n] of indices.entries()) calibration.learn(panel, earlierOrigins[n], earlier[i]);
    calibrations.set(model, calibration);
    const forecasts = backtest.map((forecast, n) => calibration.widen(origins[n], forecast));
    return { model, forecasts };
  });
  return { backtest: calibrated, calibrations };
}

/** Makes the forecasts of the combined models: none without a fitted baseline. */
function combinedRuns(
  context: RunContext,
  baselineRuns: readonly ModelRun[],
  networkRuns: readonly ModelRun[],
  origins: readonly Origin[],
  earlierOrigins: readonly Origin[],
): { runs: ModelRun[]; combinations: Map<string, Combination> } {
  const combinations = new Map<string, Combination>();
  if (!baselineRuns.some(({ model }) => isFitted(model))) return { runs: [], combinations };
  const { panel, plan } = context;
  const { units } = scoreScale(panel, { ...plan, log: false });
  const errorsOf = ({ indices, earlier }: ModelRun) =>
    new HeldOutErrors(
      panel,
      units,
      indices.map((n) => earlierOrigins[n]),
      earlier,
    );
  const network = bestNetwork(networkRuns, errorsOf, plan.cut);
  const members = [...baselineRuns, network].map((run) => alignedWith(run, network.indices));
  const errors = new Map(members.map((run) => [run.model, errorsOf(run)]));
  const weightsAt = memoised((origin) => ensembleWeights(errors, network.model, origin));
  const weigh = (weights: Weights, select: (run: ModelRun) => Intervals): Intervals =>
    combine(weights, (name) => select(members.find(({ model }) => model === name) ?? network));
  const run: ModelRun = {
    model: ENSEMBLE,
    indices: network.indices,
    earlier: network.indices.map((n, i) =>
      weigh(weightsAt(earlierOrigins[n].origin), ({ earlier }) => earlier[i]),
    ),
    backtest: origins.map(({ origin }, n) => weigh(weightsAt(origin), ({ backtest }) => backtest[n])),
  };
  combinations.set(ENSEMBLE, { network: network.model, weights: weightsAt(Number.POSITIVE_INFINITY) });
  return { runs: [run], combinations };
}

/** Returns the network with the lowest errors before the backtest; the first one if no errors are known. */
function bestNetwork(
  runs: readonly ModelRun[],
  errorsOf: (run: ModelRun) => HeldOutErrors,
  cut: number,
): ModelRun {
  if (runs.length === 1) return runs[0];
  const errors = runs.map((run) => errorsOf(run).mean(cut));
  return runs[errors.reduce((best, error, i) => (error < errors[best] ? i : best), 0)];
}

/** Returns a run with only the calibration origins of `indices`, which must be a subset of its own. */
function alignedWith(run: ModelRun, indices: readonly number[]): ModelRun {
  if (run.indices === indices) return run;
  const positions = new Map(run.indices.map((n, i) => [n, i]));
  return { ...run, indices, earlier: indices.map((n) => run.earlier[positions.get(n) ?? 0]) };
}

function memoised<T>(compute: (origin: number) => T): (origin: number) => T {
  const cache = new Map<number, T>();
  return (origin) => {
    const known = cache.get(origin) ?? compute(origin);
    cache.set(origin, known);
    return known;
  };
}
