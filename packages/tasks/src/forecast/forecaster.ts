/**
 * The networks of a run as forecasters: each makes uncalibrated forecasts at any origin, for calibration, the backtest and
 * the final forecast, and is trained separately for each of the three.
 */
import type { EpochEvent as TrainEpoch, TrainEvent, StepEvent as TrainStep } from '@unroll/train';
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

/** The stages of a run, and their names in progress output. */
const STAGES = {
  search: 'choosing epochs',
  calibrate: 'calibrating intervals',
  backtest: 'backtest',
  refit: 'final training',
} as const;
export type StageName = keyof typeof STAGES;

/** One training of the run; `doneAt` maps its own progress (0 to 1) to the progress of the run. */
interface Stage {
  facts: StageFacts;
  doneAt(share: number): number;
}

/** What all networks of a run share. */
export interface RunContext {
  panel: Panel;
  plan: ForecastPlan;
  levels: readonly number[];
  /** Ascending grid indices before which the calibration networks are trained; none if there are too few rows. */
  calibrationCuts: readonly number[];
  epochs: number;
  refit: boolean;
  signal: AbortSignal | undefined;
  /** Numbers the trainings of the run. */
  schedule: Schedule;
}

/** The trainings of a run, each with its expected share of the work. */
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
    const number = { training: ++this.#index, trainings: this.#count };
    return {
      facts: { stage, title: STAGES[stage], model, ...number },
      doneAt: (share) => (before + weight * share) / this.#total,
    };
  }
}

/** The trainings of one network of a run, in order. */
export function trainingsOf(calibrations: number, backtests: number): StageName[] {
  const each = (name: StageName, times: number) => Array<StageName>(times * VIEWS.length).fill(name);
  return [...each('search', 1), ...each('calibrate', calibrations), ...each('backtest', backtests)];
}

/** A network with one type of cell, through all stages of a run. */
export class NetworkForecaster {
  readonly name: string;
  readonly #context: RunContext;
  readonly #options: NetworkOptions;
  /** Epochs for each view, set by the search. */
  readonly #epochs: number[] = [];
  /** Trained networks, by the grid index of their first valid origin. */
  readonly #fitted: { from: number; ensemble: Ensemble }[] = [];

  constructor(name: string, context: RunContext, options: NetworkOptions) {
    this.name = name;
    this.#context = context;
    this.#options = options;
  }

  /** Chooses the number of epochs, then trains the networks for calibration and backtest. */
  async *prepare(): AsyncGenerator<RunEvent, void, void> {
    const { panel, plan, epochs, refit, calibrationCuts } = this.#context;
    for (const absolute of VIEWS) {
      const search = searchEpochs(panel, viewOf(plan, absolute), plan.cut, this.#options, epochs);
      this.#epochs.push(yield* this.#staged('search', search));
    }
    for (const cut of calibrationCuts) yield* this.#fit('calibrate', cut);
    for (const cut of refit ? plan.origins : [plan.cut]) yield* this.#fit('backtest', cut);
  }

  /** Trains the networks of the final forecast on all rows. */
  refit(): AsyncGenerator<RunEvent, FittedNetwork[], void> {
    return this.#train('refit', panelEnd(this.#context.panel));
  }

  /** Forecasts at origins that satisfy `canForecast`, by the latest networks that have not seen the rows after them. */
  async forecasts(origins: readonly Origin[]): Promise<Intervals[]> {
    const result: Intervals[] = [];
    const groups = new Map<Ensemble, number[]>();
    for (const [n, origin] of origins.entries()) {
      const ensemble = this.#ensembleAt(origin)!; // canForecast holds
      const indices = groups.get(ensemble);
      if (indices === undefined) groups.set(ensemble, [n]);
      else indices.push(n);
    }
    for (const [ensemble, indices] of groups) {
      const own = indices.map((n) => origins[n]);
      const intervals = await ensemble.forecast(this.#context.panel, own);
      for (const [i, n] of indices.entries()) result[n] = intervals[i];
    }
    return result;
  }

  /** True if all networks can forecast from the origin. */
  canForecast(origin: Origin): boolean {
    return this.#ensembleAt(origin)?.canForecast(origin) ?? false;
  }

  #ensembleAt({ origin }: Origin): Ensemble | undefined {
    return this.#fitted.findLast(({ from }) => from <= origin)?.ensemble;
  }

  /** Trains networks for forecasts from grid index `cut`. */
  async *#fit(stage: StageName, cut: number): AsyncGenerator<RunEvent, void, void> {
    const networks = yield* this.#train(stage, cut);
    const { plan, levels } = this.#context;
    const encoders = networks.map(({ encoder }) => encoder);
    const parts = { model: joinNetworks(networks), encoders, views: VIEWS, plan, levels };
    this.#fitted.push({ from: cut, ensemble: new Ensemble({ ...parts, head: this.#options.head }) });
  }

  /** A network for each view, trained on the rows before grid index `cut`. */
  async *#train(stage: StageName, cut: number): AsyncGenerator<RunEvent, FittedNetwork[], void> {
    const { panel, plan } = this.#context;
    const networks: FittedNetwork[] = [];
    for (const [i, absolute] of VIEWS.entries()) {
      const events = fitNetwork(panel, viewOf(plan, absolute), { cut }, this.#options, this.#epochs[i]);
      networks.push(yield* this.#staged(stage, events));
    }
    return networks;
  }

  /** Reports a training as a stage of the run, and stops when the signal is aborted. */
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
      await events.return(undefined as T); // A stopped training saves its checkpoint.
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
