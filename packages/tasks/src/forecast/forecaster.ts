/**
 * The models of a run as forecasters: each gives uncalibrated intervals at any origin, for the backtest, for its own
 * calibration, and for what comes. Baselines know no training; a network is trained for each of the three.
 */
import type { TrainEvent, EpochEvent as TrainEpoch, StepEvent as TrainStep } from '@unroll/train';
import {
  type EpochEvent,
  finiteOrNull,
  type RunEvent,
  type StageEvent,
  type StageFacts,
  type StepEvent,
} from '../shared/events.js';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import { Ensemble, joinNetworks } from './ensemble.js';
import { type FittedNetwork, fitNetwork, type NetworkOptions, VIEWS, viewOf } from './network.js';
import { type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { searchEpochs } from './search.js';

/** What a network is trained for, and how people read it. */
const STAGES = {
  search: 'how long to train',
  calibrate: 'intervals',
  backtest: 'backtest',
  refit: 'all rows',
} as const;
export type StageName = keyof typeof STAGES;

/** A training of the run: its place, and the share of the whole work that is done with a share of its own. */
interface Stage {
  facts: StageFacts;
  doneAt(share: number): number;
}

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
  readonly #weights: Record<StageName, number> = { search: 6, calibrate: 1, backtest: 1, refit: 1 };
  readonly #total: number;
  readonly #count: number;
  #done = 0;
  #index = 0;

  constructor(trainings: readonly StageName[]) {
    this.#count = trainings.length;
    this.#total = trainings.reduce((sum, name) => sum + this.#weights[name], 0);
  }

  next(stage: StageName, model: string): Stage {
    const [before, weight] = [this.#done, this.#weights[stage]];
    this.#done += weight;
    const place = { training: ++this.#index, trainings: this.#count };
    return {
      facts: { stage, title: STAGES[stage], model, ...place },
      doneAt: (share) => (before + weight * share) / this.#total,
    };
  }
}

/** The trainings that one network of a run will need, in order. */
export function trainingsOf(calibrations: number, backtests: number): StageName[] {
  const each = (name: StageName, times: number) => Array<StageName>(times * VIEWS.length).fill(name);
  return [...each('search', 1), ...each('calibrate', calibrations), ...each('backtest', backtests)];
}

/** One kind of network through a run. */
export class NetworkForecaster {
  readonly name: string;
  readonly #context: RunContext;
  readonly #options: NetworkOptions;
  /** Passes for each view, once searched. */
  readonly #epochs: number[] = [];
  /** Trained networks, by the grid place of the first origin that they may forecast from. */
  readonly #fitted: { from: number; ensemble: Ensemble }[] = [];

  constructor(name: string, context: RunContext, options: NetworkOptions) {
    this.name = name;
    this.#context = context;
    this.#options = options;
  }

  /** Searches for the number of passes and trains what calibration and backtest need. */
  async *prepare(): AsyncGenerator<RunEvent, void, void> {
    const { panel, plan, epochs, refit, calibrationCuts } = this.#context;
    for (const absolute of VIEWS) {
      const search = searchEpochs(panel, viewOf(plan, absolute), plan.cut, this.#options, epochs);
      this.#epochs.push(yield* this.#staged('search', search));
    }
    for (const cut of calibrationCuts) yield* this.#fit('calibrate', cut);
    for (const cut of refit ? plan.origins : [plan.cut]) yield* this.#fit('backtest', cut);
  }

  /** The networks trained on all rows, for the forecasts of what comes. */
  refit(): AsyncGenerator<RunEvent, FittedNetwork[], void> {
    return this.#train('refit', panelEnd(this.#context.panel));
  }

  /** Forecasts at origins that are reached, by the networks trained latest without seeing rows after them. */
  async forecasts(origins: readonly Origin[]): Promise<Intervals[]> {
    const result: Intervals[] = [];
    const groups = new Map<Ensemble, number[]>();
    for (const [n, origin] of origins.entries()) {
      const ensemble = this.#ensembleAt(origin)!; // origins lie behind the first training's rows
      const places = groups.get(ensemble);
      if (places === undefined) groups.set(ensemble, [n]);
      else places.push(n);
    }
    for (const [ensemble, places] of groups) {
      const own = places.map((n) => origins[n]);
      const intervals = await ensemble.forecast(this.#context.panel, own);
      for (const [i, n] of places.entries()) result[n] = intervals[i];
    }
    return result;
  }

  /** True if all networks can forecast there. */
  reaches(origin: Origin): boolean {
    return this.#ensembleAt(origin)?.reaches(origin) ?? false;
  }

  #ensembleAt({ origin }: Origin): Ensemble | undefined {
    return this.#fitted.findLast(({ from }) => from <= origin)?.ensemble;
  }

  /** Trains for forecasts from grid place `cut` on. */
  async *#fit(stage: StageName, cut: number): AsyncGenerator<RunEvent, void, void> {
    const networks = yield* this.#train(stage, cut);
    const { plan, levels } = this.#context;
    const encoders = networks.map(({ encoder }) => encoder);
    const parts = { model: joinNetworks(networks), encoders, views: VIEWS, plan, levels };
    this.#fitted.push({ from: cut, ensemble: new Ensemble({ ...parts, head: this.#options.head }) });
  }

  /** A network of each view, trained on the rows before grid place `cut`. */
  async *#train(stage: StageName, cut: number): AsyncGenerator<RunEvent, FittedNetwork[], void> {
    const { panel, plan } = this.#context;
    const networks: FittedNetwork[] = [];
    for (const [i, absolute] of VIEWS.entries()) {
      const events = fitNetwork(panel, viewOf(plan, absolute), { cut }, this.#options, this.#epochs[i]);
      networks.push(yield* this.#staged(stage, events));
    }
    return networks;
  }

  /** Reports a training as a stage of the run, and stops when the signal says so. */
  async *#staged<T>(
    name: StageName,
    events: AsyncGenerator<TrainEvent, T, void>,
  ): AsyncGenerator<RunEvent, T, void> {
    const { signal, schedule } = this.#context;
    const { facts, doneAt } = schedule.next(name, this.name);
    const last: Pick<StageEvent, 'loss' | 'sequencesPerSecond'> = { loss: null, sequencesPerSecond: null };
    try {
      for (;;) {
        signal?.throwIfAborted();
        const next = await events.next();
        signal?.throwIfAborted();
        if (next.done) {
          yield { event: 'stage', ...facts, ...last };
          return next.value;
        }
        const { value } = next;
        if (value.type === 'warning') yield { event: 'warning', message: value.message };
        if (value.type !== 'step' && value.type !== 'epoch') continue;
        const { epoch, epochs } = value;
        last.loss = finiteOrNull(value.loss);
        if (value.type === 'step') last.sequencesPerSecond = value.sequencesPerSecond;
        yield progressOf(value, { ...facts, epoch, epochs, done: doneAt(epoch / epochs), loss: last.loss });
      }
    } finally {
      await events.return(undefined as T); // A training that was stopped keeps its checkpoint.
    }
  }
}

function progressOf(
  event: TrainStep | TrainEpoch,
  facts: Omit<EpochEvent, 'event' | 'validationLoss'>,
): StepEvent | EpochEvent {
  if (event.type === 'step') {
    return { event: 'step', ...facts, sequencesPerSecond: event.sequencesPerSecond };
  }
  const { validationLoss } = event;
  if (validationLoss === undefined) return { event: 'epoch', ...facts };
  return { event: 'epoch', ...facts, validationLoss: finiteOrNull(validationLoss) };
}
