/**
 * `forecast`: from a table to a tested forecast. The series is read and laid out (series.ts, plan.ts); a network is
 * trained on the rows before the first backtest origin and forecasts from every origin beside the baselines
 * (backtest.ts); whichever has the least MASE is fitted again on all rows and forecasts what comes.
 */
import { UnrollError, valueError } from '@unroll/core';
import { describeFrequency, type Table } from '@unroll/data';
import type { EpochEvent, StepEvent, TrainEvent, WarningEvent } from '@unroll/train';
import { baselines, historiesAt, leaderboard, type ModelForecasts, type Score } from './backtest.js';
import {
  type FittedNetwork,
  fitNetwork,
  type NetworkOptions,
  networkForecasts,
  searchEpochs,
  VIEWS,
} from './network.js';
import { type ForecastPlan, type PlanOptions, planForecast } from './plan.js';
import { filled, futureTimes, type Series, type SeriesOptions, seriesFromTable } from './series.js';

export interface ForecastOptions extends SeriesOptions, PlanOptions {
  /** Hidden units of the LSTM. Default 32. */
  units?: number;
  /** Most passes over the training windows; fewer are taken where validation says so. Default 60. */
  epochs?: number;
  /** Seed of the weights and of the order of the examples. Default 0. */
  seed?: number;
  /** Train again before every backtest origin instead of once. Default false. */
  refit?: boolean;
  /** Stops the run: the promise or generator then throws the signal's reason. */
  signal?: AbortSignal;
}

export interface ForecastResult {
  series: Series;
  plan: ForecastPlan;
  /** "monthly" */
  frequency: string;
  leaderboard: Score[];
  /** The first model of the leaderboard: the one whose forecast this is. */
  winner: string;
  /** The forecast, in the unit of the target. */
  forecast: { time: string[]; mean: Float64Array };
  /** What every model said at every origin. */
  backtest: ModelForecasts[];
  /** The networks fitted on all rows; their mean is the forecast of "lstm". */
  networks: FittedNetwork[];
}

/** Where a run is: `search` for the number of passes, `backtest` training, `refit` on all rows. */
export interface Stage {
  name: 'search' | 'backtest' | 'refit';
  /** From 1. */
  index: number;
  count: number;
}

export type ForecastEvent =
  | { type: 'plan'; series: Series; plan: ForecastPlan; frequency: string }
  | ({ stage: Stage } & (StepEvent | EpochEvent | WarningEvent))
  | { type: 'leaderboard'; leaderboard: Score[] }
  | { type: 'result'; result: ForecastResult };

/** Name of the network on the leaderboard. */
const NETWORK = 'lstm';
const DEFAULTS = { units: 32, epochs: 60, seed: 0, learningRate: 3e-3 };

/** Runs a forecast, telling of every step; the last event carries the result. */
export async function* forecastEvents(
  table: Table,
  options: ForecastOptions,
): AsyncGenerator<ForecastEvent, void, void> {
  checkOptions(options);
  const series = seriesFromTable(table, options);
  const plan = planForecast(series, options);
  const frequency = describeFrequency(series.frequency);
  yield { type: 'plan', series, plan, frequency };
  const run = new NetworkRun(series, plan, options);
  const forecasts = yield* run.backtest();
  // Baselines first: where two models do equally well, the simpler one wins.
  const backtest = [...backtestBaselines(series, plan), { model: NETWORK, forecasts }];
  const scores = leaderboard(series.values, plan, backtest);
  yield { type: 'leaderboard', leaderboard: scores };
  const whole = filled(series.values, plan.season);
  const networks = yield* run.train('refit', whole);
  const winner = scores[0]!.model;
  const rule = baselines(plan).get(winner);
  const mean = rule === undefined ? (await networkForecasts(networks, [whole]))[0]! : rule(whole);
  const forecast = { time: futureTimes(series, plan.horizon), mean };
  const result = { series, plan, frequency, leaderboard: scores, winner, forecast, backtest, networks };
  yield { type: 'result', result };
}

/** Runs a forecast to its end. */
export async function forecast(
  table: Table,
  options: ForecastOptions & { onEvent?: (event: ForecastEvent) => void },
): Promise<ForecastResult> {
  for await (const event of forecastEvents(table, options)) {
    options.onEvent?.(event);
    if (event.type === 'result') return event.result;
  }
  throw new UnrollError('state', 'The run ended without a result.');
}

function checkOptions(options: ForecastOptions): void {
  for (const name of ['units', 'epochs'] as const) {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value >= 1)) continue;
    throw valueError(`The ${name} must be a whole number from 1, and it is ${value}.`, {
      option: name,
      value,
    });
  }
}

/** The trainings of one run: a search for the number of passes, the backtest's, and the last on all rows. */
class NetworkRun {
  readonly #series: Series;
  readonly #plan: ForecastPlan;
  readonly #options: ForecastOptions;
  readonly #network: NetworkOptions;
  /** Passes for each view, once searched. */
  readonly #epochs: number[] = [];
  readonly #count: number;
  #index = 0;

  constructor(series: Series, plan: ForecastPlan, options: ForecastOptions) {
    this.#series = series;
    this.#plan = plan;
    this.#options = options;
    const { units = DEFAULTS.units, seed = DEFAULTS.seed, signal } = options;
    const batchSize = plan.trainingRows > 2000 ? 64 : 16;
    const { learningRate } = DEFAULTS;
    this.#network = { units, seed, batchSize, learningRate, ...(signal === undefined ? {} : { signal }) };
    this.#count = VIEWS.length * (2 + (options.refit ? plan.origins.length : 1));
  }

  /** The networks' forecasts from every origin. */
  async *backtest(): AsyncGenerator<ForecastEvent, Float64Array[], void> {
    const histories = historiesAt(this.#series.values, this.#plan);
    for (const absolute of VIEWS) {
      const most = this.#options.epochs ?? DEFAULTS.epochs;
      const events = searchEpochs(histories[0]!, { ...this.#plan, absolute }, this.#network, most);
      this.#epochs.push(yield* this.#staged('search', events));
    }
    if (!this.#options.refit)
      return networkForecasts(yield* this.train('backtest', histories[0]!), histories);
    const forecasts: Float64Array[] = [];
    for (const history of histories) {
      forecasts.push(...(await networkForecasts(yield* this.train('backtest', history), [history])));
    }
    return forecasts;
  }

  /** Networks trained on all windows of `values`. */
  async *train(
    name: Stage['name'],
    values: Float64Array,
  ): AsyncGenerator<ForecastEvent, FittedNetwork[], void> {
    const networks: FittedNetwork[] = [];
    for (const [i, absolute] of VIEWS.entries()) {
      const events = fitNetwork(values, { ...this.#plan, absolute }, this.#network, this.#epochs[i]!);
      networks.push(yield* this.#staged(name, events));
    }
    return networks;
  }

  /** Passes training events on with their stage, and stops when the signal says so. */
  async *#staged<T>(
    name: Stage['name'],
    events: AsyncGenerator<TrainEvent, T, void>,
  ): AsyncGenerator<ForecastEvent, T, void> {
    const stage = { name, index: ++this.#index, count: this.#count };
    const { signal } = this.#options;
    for (;;) {
      signal?.throwIfAborted();
      const next = await events.next();
      signal?.throwIfAborted();
      if (next.done) return next.value;
      if (next.value.type !== 'end') yield { stage, ...next.value };
    }
  }
}

function backtestBaselines(series: Series, plan: ForecastPlan): ModelForecasts[] {
  const histories = historiesAt(series.values, plan);
  return Array.from(baselines(plan), ([model, rule]) => ({ model, forecasts: histories.map(rule) }));
}
