/**
 * `forecast`: reads a table, backtests models, and forecasts with the best of them. A run reads the panel (panel.ts), chooses the
 * settings (plan.ts), trains networks on the rows before the first backtest origin, and compares them with the baselines at every
 * origin (backtest.ts). Intervals are calibrated with the errors known at each origin (calibration.ts). The model with the
 * lowest MASE makes the forecast; if it is a network, it is first retrained on all rows.
 */
import { currentBackend, ready, valueError } from '@unroll/core';
import { checkOptions as checkNamesAndTypes, type OptionTypes } from '@unroll/core/internal';
import { describeFrequency, type Table } from '@unroll/data';
import type { RunEvent } from '../shared/events.js';
import { CELL_NAMES } from '../shared/recurrent-cells.js';
import { CheckpointedTrainer, type RunStore } from '../shared/resume.js';
import { runToEnd } from '../shared/run-to-end.js';
import { leaderboard, type ModelForecasts, type Score } from './backtest.js';
import { FITTED_BASELINES, type FittedBaselineName } from './baselines.js';
import { type CalibratedForecasts, calibratedForecasts } from './calibrated.js';
import { PER_SERIES } from './combination.js';
import { checkCounts, countNotes } from './counts.js';
import type { Origin } from './encoder.js';
import { NetworkForecaster, type RunContext, RunProgress, stagesOf } from './forecaster.js';
import { checkFutureCovariates } from './future.js';
import { type HeadName, makeHead } from './heads.js';
import { ForecastModel, type SeriesForecast } from './model.js';
import { type CellName, type FittedNetwork, networkPlanOf } from './network.js';
import { backtestOrigins, calibrationOrigins } from './origins.js';
import {
  DISCONTINUED,
  type Discontinued,
  type Panel,
  type PanelOptions,
  panelFromTable,
  withoutDiscontinued,
} from './panel.js';
import { type ForecastPlan, type PlanOptions, planForecast } from './plan.js';
import { type PreparedForecast, planEvent, resultEvent, scoresEvent, winnerNotes } from './run-events.js';
import { validationFolds } from './search.js';

export interface ForecastOptions extends PanelOptions, PlanOptions {
  /** Recurrent cells to compare; each is a row of the leaderboard. Default `['lstm']`. */
  cells?: readonly CellName[];
  /**
   * Baselines with fitted parameters to compare, in addition to `naive`, `seasonal-naive` and `drift`. Default: `theta` and
   * `ets`, and `croston-sba` if most series are intermittent.
   */
  baselines?: readonly FittedBaselineName[];
  /**
   * `all`: the best model forecasts all series. `series`: each series is forecast by the model with the lowest error on its
   * held-out rows or, if there are too few of these rows, by the model with the lowest error over all series. Default `all`.
   */
  select?: 'all' | 'series';
  /**
   * `drop`: series that ended at least one horizon, and at least 3 rows, before the last row of the table are left out. `keep`: they
   * are forecast from their own last rows. Default: `drop`, or `keep` if at least half of the series ended that early.
   */
  discontinued?: Discontinued;
  /** Hidden units of each recurrent layer. Default 32. */
  units?: number;
  /** Recurrent layers. Default 1. */
  layers?: number;
  /** What the network outputs for each step: a number, quantiles or the parameters of a distribution. Default `point`. */
  head?: HeadName;
  /** Probabilities of the prediction intervals. With an empty list, there are no intervals. Default `[0.8, 0.95]`. */
  levels?: readonly number[];
  /** Maximum number of epochs; validation chooses the actual number. Default 60. */
  epochs?: number;
  /**
   * Time limit for the training, in seconds. When the number of epochs is chosen, the time that is left is divided equally
   * among the remaining training runs, which limits how many epochs are compared. The later training runs take the chosen
   * number of epochs. Every training run takes at least one epoch. Default: no limit.
   */
  budget?: number;
  /** Seed of the initial weights and of shuffling. Default 0. */
  seed?: number;
  /** Whether networks are retrained before every backtest origin instead of once. Default false. */
  refit?: boolean;
  /** Stores checkpoints: the same call with the same store resumes an interrupted run. Default: no checkpoints. */
  store?: RunStore;
  /** Stops the run: the promise is rejected, or the generator throws, with the reason of the signal. */
  signal?: AbortSignal;
}

/** The result of a backtest. */
export interface ForecastBacktest extends PreparedForecast {
  levels: readonly number[];
  leaderboard: Score[];
  /** The first model of the leaderboard; with `select: 'series'`, `per-series`. */
  winner: string;
  /** The origins of the backtest. */
  origins: Origin[];
  /** The forecasts of every model, in the order of `origins`. */
  backtest: ModelForecasts[];
}

export interface ForecastResult extends ForecastBacktest {
  /** The winner's forecast of each series. */
  forecasts: SeriesForecast[];
  /** The networks that were trained on all rows. Null if the model is a baseline. */
  networks: FittedNetwork[] | null;
  /** The model that made the forecast. It can be saved, and can forecast from newer rows. */
  model: ForecastModel;
  /** Notes on the rows, the model and the series, one sentence each. */
  notes: string[];
}

const DEFAULTS = { units: 32, layers: 1, epochs: 60, seed: 0, learningRate: 3e-3, levels: [0.8, 0.95] };

/**
 * Reads the table and returns the panel and the plan of the run, without training.
 * @throws UnrollError `data` or `value` for an invalid table or invalid options
 */
export function prepareForecast(table: Table, options: ForecastOptions): PreparedForecast {
  checkOptions(options);
  const all = panelFromTable(table, options);
  const included = withoutDiscontinued(all, options.horizon, options.discontinued);
  const panel =
    options.head === undefined
      ? { ...included, notes: [...included.notes, ...countNotes(included)] }
      : included;
  if (options.head === 'negbin') checkCounts(panel);
  const plan = planForecast(panel, { ...options, counts: options.head === 'negbin' });
  checkFutureCovariates(panel, plan.horizon);
  return { panel, plan, frequency: describeFrequency(panel.frequency) };
}

/** A finished backtest, and what the final model needs. */
interface BacktestRun extends Omit<CalibratedForecasts, 'backtest'> {
  result: ForecastBacktest;
  networks: NetworkForecaster[];
}

/** Runs the backtest of all models and yields its events. */
async function* backtestModels(
  table: Table,
  options: ForecastOptions,
): AsyncGenerator<RunEvent, BacktestRun, void> {
  const prepared = prepareForecast(table, options);
  const { panel, plan } = prepared;
  await ready();
  yield { event: 'backend', backend: currentBackend().description };
  yield planEvent(prepared);
  const { context, networks } = setUp(panel, plan, options);
  const { levels } = context;
  for (const network of networks) yield* network.prepare();
  const origins = backtestOrigins(panel, plan, context.refit);
  const forCalibration = calibrationOrigins(panel, plan, context.calibrationCuts[0] ?? plan.cut);
  const { backtest, ...calibration } = await calibratedForecasts(context, networks, origins, forCalibration);
  const scores = leaderboard(panel, plan, origins, backtest, levels);
  yield scoresEvent(scores);
  const winner = context.select === 'series' ? PER_SERIES : scores[0].model;
  const result = { ...prepared, levels, leaderboard: scores, winner, origins, backtest };
  return { result, networks, ...calibration };
}

/** Runs only the backtest, without the final forecast, and yields its events. */
export async function* backtestEvents(
  table: Table,
  options: ForecastOptions,
): AsyncGenerator<RunEvent, ForecastBacktest, void> {
  return (yield* backtestModels(table, options)).result;
}

/** Runs a forecast and yields its events; the return value is the result. */
export async function* forecastEvents(
  table: Table,
  options: ForecastOptions,
): AsyncGenerator<RunEvent, ForecastResult, void> {
  const { result, networks, calibrationOf, combinations, scale } = yield* backtestModels(table, options);
  const { panel, plan, levels, leaderboard: scores, winner } = result;
  const combination = combinations.get(winner);
  const networkName = combination === undefined ? winner : combination.network;
  const network = networks.find(({ name }) => name === networkName);
  const fitted = network === undefined ? null : yield* network.trainFinal();
  const fit = { calibrationOf, combination, scale, networks: fitted, head: options.head ?? 'point' };
  const model = ForecastModel.assemble({ panel, plan, levels, scores, winner, ...fit });
  const { forecasts, notes: forecastNotes } = await model.forecastPanel(panel);
  const names = networks.map(({ name }) => name);
  const notes = [...winnerNotes(winner, scores, names, combination), ...forecastNotes];
  for (const text of notes) yield { event: 'note', text };
  yield resultEvent(result, winner, scores);
  return { ...result, forecasts, networks: fitted, model, notes: [...panel.notes, ...notes] };
}

/**
 * Runs a forecast and returns its result.
 * @param options options of the forecast; `onEvent` is called for every event of the run
 */
export async function forecast(
  table: Table,
  { onEvent, ...options }: ForecastOptions & { onEvent?: (event: RunEvent) => void },
): Promise<ForecastResult> {
  return runToEnd(forecastEvents(table, options), onEvent);
}

const OPTIONS: OptionTypes<ForecastOptions & { onEvent?: unknown }> = {
  target: true,
  time: true,
  series: true,
  frequency: true,
  dates: true,
  timezone: true,
  timeFormat: true,
  past: true,
  future: true,
  static: true,
  horizon: true,
  season: true,
  window: true,
  scaler: true,
  decoding: true,
  calendar: true,
  windows: true,
  step: true,
  cells: 'array',
  baselines: 'array',
  select: true,
  discontinued: true,
  units: true,
  layers: true,
  head: true,
  levels: 'array',
  epochs: true,
  budget: 'number',
  seed: 'integer',
  refit: 'boolean',
  store: true,
  signal: true,
  onEvent: true,
};

function checkOptions(options: ForecastOptions): void {
  checkNamesAndTypes('forecast', options, OPTIONS);
  for (const name of ['units', 'layers', 'epochs'] as const) {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value >= 1)) continue;
    throw valueError(`${name} must be a positive integer, got ${value}.`, { option: name, value });
  }
  const { select } = options;
  if (select !== undefined && select !== 'all' && select !== 'series')
    throw valueError(`select must be all or series, got "${select}".`, { option: 'select', select });
  const { discontinued } = options;
  if (discontinued !== undefined && !DISCONTINUED.includes(discontinued)) {
    throw valueError(`discontinued must be keep or drop, got "${discontinued}".`, {
      option: 'discontinued',
      discontinued,
    });
  }
  for (const cell of options.cells ?? []) {
    if (CELL_NAMES.includes(cell)) continue;
    throw valueError(`cells must contain only ${CELL_NAMES.join(', ')}, got "${cell}".`, {
      option: 'cells',
      cell,
    });
  }
  for (const baseline of options.baselines ?? []) {
    if (FITTED_BASELINES.includes(baseline)) continue;
    throw valueError(`baselines must contain only ${FITTED_BASELINES.join(', ')}, got "${baseline}".`, {
      option: 'baselines',
      baseline,
    });
  }
  for (const level of options.levels ?? []) {
    if (level > 0 && level < 1) continue;
    throw valueError(`levels must be between 0 and 1, got ${level}.`, { option: 'levels', level });
  }
  makeHead(options.head ?? 'point', options.levels ?? DEFAULTS.levels);
}

/** Creates the context of the run and a forecaster for each cell. */
function setUp(
  panel: Panel,
  plan: ForecastPlan,
  options: ForecastOptions,
): { context: RunContext; networks: NetworkForecaster[] } {
  const { signal, refit = false, epochs = DEFAULTS.epochs, head = 'point' } = options;
  const levels = [...new Set(options.levels ?? DEFAULTS.levels)].sort((a, b) => a - b);
  const cells = [...new Set(options.cells ?? ['lstm' as const])];
  // The networks for calibration are trained on the rows before each validation fold of the epoch search, and forecast later rows.
  const calibrationFolds =
    levels.length === 0 ? [] : validationFolds(panel, { ...plan, hasUnsubtractedChannel: false }, plan.cut);
  const calibrationCuts = calibrationFolds.map(({ cut }) => cut).sort((x, y) => x - y);
  const folds = plan.representations.map((each) =>
    validationFolds(panel, networkPlanOf(plan, each), plan.cut),
  );
  const [onlyCut, ...otherCuts] = calibrationCuts;
  const searchCalibrates =
    otherCuts.length === 0 && folds.every((each) => each.length === 1 && each[0].cut === onlyCut);
  const stages = stagesOf(
    searchCalibrates ? 0 : calibrationCuts.length,
    refit ? plan.origins.length : 1,
    plan.representations.length,
  );
  const finalStages = plan.representations.map(() => 'final' as const);
  const progress = new RunProgress([...cells.flatMap(() => stages), ...finalStages]);
  const context: RunContext = {
    ...{ panel, plan, levels, folds, calibrationCuts, searchCalibrates, epochs, refit, signal, progress },
    baselines: options.baselines,
    select: options.select ?? 'all',
  };
  const { units = DEFAULTS.units, layers = DEFAULTS.layers, seed = DEFAULTS.seed } = options;
  const trainer = new CheckpointedTrainer(options.store ?? null, options.budget);
  const networks = cells.map((cell) => {
    const networkOptions = {
      cell,
      units,
      layers,
      seed,
      learningRate: DEFAULTS.learningRate,
      head: makeHead(head, levels),
      trainer,
    };
    return new NetworkForecaster(
      cell,
      context,
      signal === undefined ? networkOptions : { ...networkOptions, signal },
    );
  });
  return { context, networks };
}
