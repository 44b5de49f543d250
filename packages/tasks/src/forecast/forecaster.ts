/**
 * The models of a run as forecasters: each gives uncalibrated intervals at any origin, for the backtest, for its own
 * calibration, and for what comes. Baselines know no training; a network is trained for each of the three.
 */
import type { EpochEvent, StepEvent, TrainEvent, WarningEvent } from '@unroll/train';
import { asIntervals, type Baseline, historyAt } from './backtest.js';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import { askedOf, intervalsOf } from './intervals.js';
import {
  type FittedNetwork,
  fitNetwork,
  type NetworkOptions,
  networkQuantiles,
  VIEWS,
  viewOf,
} from './network.js';
import { endOf, type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { rollOut, type Stand } from './rollout.js';
import { searchEpochs } from './search.js';
import { warmUp } from './transform.js';

/** Where a run is: which model is trained, and for what. */
export interface Stage {
  name: 'search' | 'calibrate' | 'backtest' | 'refit';
  model: string;
  /** From 1, of all trainings of the run. */
  index: number;
  count: number;
  /** Share of the whole run's work that was done when this training began, and that it takes; 0 to 1. */
  before: number;
  share: number;
}

export type TrainingEvent = { stage: Stage } & (StepEvent | EpochEvent | WarningEvent);

/** What a run hands to its networks. */
export interface RunContext {
  panel: Panel;
  plan: ForecastPlan;
  levels: readonly number[];
  /** Grid places, rising, before which networks are trained whose errors calibrate; none where rows are too few. */
  calibrationCuts: readonly number[];
  epochs: number;
  refit: boolean;
  signal: AbortSignal | undefined;
  /** Gives each training its place in the run. */
  schedule: Schedule;
}

/** Trainings of a run, each with its expected share of the work. */
export class Schedule {
  readonly #weights: Record<Stage['name'], number> = { search: 6, calibrate: 1, backtest: 1, refit: 1 };
  readonly #total: number;
  readonly #count: number;
  #done = 0;
  #index = 0;

  constructor(trainings: readonly Stage['name'][]) {
    this.#count = trainings.length;
    this.#total = trainings.reduce((sum, name) => sum + this.#weights[name], 0);
  }

  next(name: Stage['name'], model: string): Stage {
    const share = this.#weights[name] / this.#total;
    const before = this.#done;
    this.#done += share;
    return { name, model, index: ++this.#index, count: this.#count, before, share };
  }
}

/** The trainings that one network of a run will need, in order. */
export function trainingsOf(calibrations: number, backtests: number): Stage['name'][] {
  const each = (name: Stage['name'], times: number) => Array<Stage['name']>(times * VIEWS.length).fill(name);
  return [...each('search', 1), ...each('calibrate', calibrations), ...each('backtest', backtests)];
}

/** A baseline's forecasts. */
export function baselineForecasts(
  { panel, plan, levels }: RunContext,
  rule: Baseline,
  origins: readonly Origin[],
): Intervals[] {
  return origins.map((origin) => asIntervals(rule(historyAt(panel, origin, plan.season)), levels));
}

/** One kind of network through a run. */
export class NetworkForecaster {
  readonly name: string;
  readonly #context: RunContext;
  readonly #options: NetworkOptions;
  /** Passes for each view, once searched. */
  readonly #epochs: number[] = [];
  /** Trained networks, by the grid place of the first origin that they may forecast from. */
  readonly #fitted: { from: number; networks: FittedNetwork[] }[] = [];

  constructor(name: string, context: RunContext, options: NetworkOptions) {
    this.name = name;
    this.#context = context;
    this.#options = options;
  }

  /** Searches for the number of passes and trains what calibration and backtest need. */
  async *prepare(): AsyncGenerator<TrainingEvent, void, void> {
    const { panel, plan, epochs, refit, calibrationCuts } = this.#context;
    for (const absolute of VIEWS) {
      const search = searchEpochs(panel, viewOf(plan, absolute), plan.cut, this.#options, epochs);
      this.#epochs.push(yield* this.#staged('search', search));
    }
    for (const cut of calibrationCuts) yield* this.#train('calibrate', cut);
    for (const cut of refit ? plan.origins : [plan.cut]) yield* this.#train('backtest', cut);
  }

  /** Trains on all rows, for the forecasts of all series from now on, also of those that ended early. */
  async *refit(): AsyncGenerator<TrainingEvent, FittedNetwork[], void> {
    const { panel } = this.#context;
    yield* this.#train('refit', panelEnd(panel), Math.min(...panel.series.map(endOf)));
    return this.#fitted.at(-1)!.networks;
  }

  /** Forecasts at origins, by the networks that were trained latest without seeing rows after them. */
  async forecasts(origins: readonly Origin[]): Promise<Intervals[]> {
    const result: Intervals[] = [];
    const byNetwork = new Map<FittedNetwork[], number[]>();
    for (const [n, { origin }] of origins.entries()) {
      const { networks } = this.#fitted.findLast(({ from }) => from <= origin)!;
      const places = byNetwork.get(networks);
      if (places === undefined) byNetwork.set(networks, [n]);
      else places.push(n);
    }
    for (const [networks, places] of byNetwork) {
      const { panel, plan } = this.#context;
      const own = places.map((n) => origins[n]);
      const intervals = await rollOut(panel, own, { ...plan, rows: warmUp(plan) }, (stand) =>
        this.#block(networks, stand),
      );
      for (const [i, n] of places.entries()) result[n] = intervals[i];
    }
    return result;
  }

  /** The rows that the networks say at once. */
  async #block(networks: readonly FittedNetwork[], stand: Stand): Promise<Intervals[]> {
    const { levels } = this.#context;
    const asked = askedOf(levels, this.#options.head);
    const each: Float64Array[][][] = [];
    for (const network of networks) {
      const there = { ...network, encoder: network.encoder.for(stand) };
      each.push(await networkQuantiles(there, stand.origins, asked));
    }
    return intervalsOf(each, stand.origins.length, levels);
  }

  /** True if all networks can forecast there. */
  reaches(origin: Origin): boolean {
    const found = this.#fitted.findLast(({ from }) => from <= origin.origin);
    return found?.networks.every(({ encoder }) => encoder.reaches(origin)) ?? false;
  }

  async *#train(name: Stage['name'], cut: number, from = cut): AsyncGenerator<TrainingEvent, void, void> {
    const { panel, plan } = this.#context;
    const networks: FittedNetwork[] = [];
    for (const [i, absolute] of VIEWS.entries()) {
      const events = fitNetwork(panel, viewOf(plan, absolute), { cut }, this.#options, this.#epochs[i]);
      networks.push(yield* this.#staged(name, events));
    }
    this.#fitted.push({ from, networks });
  }

  /** Passes training events on with their stage, and stops when the signal says so. */
  async *#staged<T>(
    name: Stage['name'],
    events: AsyncGenerator<TrainEvent, T, void>,
  ): AsyncGenerator<TrainingEvent, T, void> {
    const { signal, schedule } = this.#context;
    const stage = schedule.next(name, this.name);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const next = await events.next();
        signal?.throwIfAborted();
        if (next.done) return next.value;
        if (next.value.type !== 'end') yield { stage, ...next.value };
      }
    } finally {
      await events.return(undefined as T); // A training that was stopped keeps its checkpoint.
    }
  }
}
