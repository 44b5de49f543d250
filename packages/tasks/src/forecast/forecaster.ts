/**
 * Trains the networks of a run and forecasts with them. There are separate networks for calibration, for the backtest and for the
 * final forecast. If the epoch search has a single fold, its networks are also used for calibration.
 */
import type { EpochEvent as TrainEpoch, TrainEvent, StepEvent as TrainStep } from '@unroll/train';
import {
  type EpochEvent,
  finiteOrNull,
  type RunEvent,
  type StageEvent,
  type StageInfo,
  type StepEvent,
} from '../shared/events.js';
import type { FittedBaselineName } from './baselines.js';
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import { JoinedNetworks, joinNetworks } from './joined-networks.js';
import { type FittedNetwork, fitNetwork, type NetworkOptions, networkPlanOf, type Split } from './network.js';
import { type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { searchEpochs } from './search.js';

/** The stages of a run, and their titles in progress output. */
const STAGES = {
  search: 'choosing epochs',
  calibrate: 'calibrating intervals',
  backtest: 'backtest',
  final: 'final training',
} as const;
export type StageName = keyof typeof STAGES;

/** One training run. */
interface Stage {
  info: StageInfo;
  /** Converts the progress of this training run (0 to 1) to the overall progress. */
  overallProgress(trainingProgress: number): number;
}

/** The data and options that all networks of a run share. */
export interface RunContext {
  panel: Panel;
  plan: ForecastPlan;
  levels: readonly number[];
  /** The validation splits of the epoch search, for each representation. */
  folds: readonly (readonly Required<Split>[])[];
  /**
   * Cutoffs (grid indices of the panel), ascending. For each cutoff, calibration networks are trained on the rows before the
   * cutoff. Empty if there are too few rows.
   */
  calibrationCuts: readonly number[];
  /**
   * Whether the networks of the epoch search are also used for calibration: if the search has a single fold, and the cutoff of
   * this fold is the only one in `calibrationCuts`. Otherwise, separate networks are trained for calibration after the search.
   */
  searchCalibrates: boolean;
  /** The fitted baselines to compare; undefined: the default ones. */
  baselines: readonly FittedBaselineName[] | undefined;
  /** Whether to select one model for all series, or one model for each series. */
  select: 'all' | 'series';
  /** Maximum number of epochs. */
  epochs: number;
  /** Whether to retrain before every backtest origin. */
  refit: boolean;
  signal: AbortSignal | undefined;
  /** Counts the training runs and computes the overall progress. */
  progress: RunProgress;
}

/** Counts the training runs and computes the overall progress, with each training run weighted by its expected duration. */
export class RunProgress {
  readonly #weights: Record<StageName, number> = { search: 6, calibrate: 1, backtest: 1, final: 1 };
  readonly #total: number;
  readonly #count: number;
  #done = 0;
  #started = 0;

  /** @param stages the stage of each training run, in order */
  constructor(stages: readonly StageName[]) {
    this.#count = stages.length;
    this.#total = stages.reduce((sum, name) => sum + this.#weights[name], 0);
  }

  /** Number of training runs that have not started. */
  get left(): number {
    return this.#count - this.#started;
  }

  /** Starts the next training run. */
  next(stage: StageName, model: string): Stage {
    const [doneBefore, weight] = [this.#done, this.#weights[stage]];
    this.#done += weight;
    const number = { training: ++this.#started, trainings: this.#count };
    return {
      info: { stage, title: STAGES[stage], model, ...number },
      overallProgress: (trainingProgress) => (doneBefore + weight * trainingProgress) / this.#total,
    };
  }
}

/**
 * Returns the stage of each training run of one forecaster before its final training, in order.
 * @param calibrations number of cutoffs for calibration
 * @param backtests how often the networks are trained for the backtest
 * @param networks number of networks of the forecaster
 */
export function stagesOf(calibrations: number, backtests: number, networks: number): StageName[] {
  const repeated = (name: StageName, times: number) => Array<StageName>(times * networks).fill(name);
  return [
    ...repeated('search', 1),
    ...repeated('calibrate', calibrations),
    ...repeated('backtest', backtests),
  ];
}

/** Trains the networks of one cell type in every stage of a run: one network for each representation of the plan (network.ts). */
export class NetworkForecaster {
  readonly name: string;
  readonly #context: RunContext;
  readonly #options: NetworkOptions;
  /** Number of epochs of each network, chosen by the search. */
  readonly #epochs: number[] = [];
  /** Trained networks in ascending order of `from`, the first origin from which they may forecast. */
  readonly #fitted: { from: number; networks: JoinedNetworks }[] = [];

  constructor(name: string, context: RunContext, options: NetworkOptions) {
    this.name = name;
    this.#context = context;
    this.#options = options;
  }

  /** Chooses the number of epochs, then trains the networks for calibration and backtest. */
  async *prepare(): AsyncGenerator<RunEvent, void, void> {
    const { panel, plan, folds, epochs, refit, calibrationCuts, searchCalibrates, progress } = this.#context;
    const searched: FittedNetwork[] = [];
    for (const [i, representation] of plan.representations.entries()) {
      const limits = { maxEpochs: epochs, deadline: this.#options.trainer.deadline(progress.left) };
      const networkPlan = networkPlanOf(plan, representation);
      const search = searchEpochs(panel, networkPlan, folds[i], this.#options, limits);
      const choice = yield* this.#runStage('search', search);
      this.#epochs.push(choice.epochs);
      if (choice.network !== null) searched.push(choice.network);
    }
    if (searchCalibrates) this.#add(calibrationCuts[0], searched);
    else for (const cut of calibrationCuts) this.#add(cut, yield* this.#train('calibrate', cut));
    for (const cut of refit ? plan.origins : [plan.cut]) this.#add(cut, yield* this.#train('backtest', cut));
  }

  /** Trains the networks of the final forecast on all rows. */
  trainFinal(): AsyncGenerator<RunEvent, FittedNetwork[], void> {
    return this.#train('final', panelEnd(this.#context.panel));
  }

  /**
   * Returns forecasts from origins that satisfy `canForecast`. For each origin, the latest networks that were trained only on
   * rows before it make the forecast.
   */
  async forecasts(origins: readonly Origin[]): Promise<Intervals[]> {
    const result: Intervals[] = [];
    const groups = new Map<JoinedNetworks, number[]>();
    for (const [n, origin] of origins.entries()) {
      const networks = this.#networksAt(origin)!; // canForecast holds
      const indices = groups.get(networks);
      if (indices === undefined) groups.set(networks, [n]);
      else indices.push(n);
    }
    for (const [networks, indices] of groups) {
      const group = indices.map((n) => origins[n]);
      const intervals = await networks.forecast(this.#context.panel, group);
      for (const [i, n] of indices.entries()) result[n] = intervals[i];
    }
    return result;
  }

  /** Returns whether there are networks that can forecast from the origin. */
  canForecast(origin: Origin): boolean {
    return this.#networksAt(origin)?.canForecast(origin) ?? false;
  }

  #networksAt({ origin }: Origin): JoinedNetworks | undefined {
    return this.#fitted.findLast(({ from }) => from <= origin)?.networks;
  }

  /** Adds networks that were trained on the rows before the cutoff `cut`, for forecasts from origins at or after it. */
  #add(cut: number, networks: readonly FittedNetwork[]): void {
    const { plan, levels } = this.#context;
    const encoders = networks.map(({ encoder }) => encoder);
    const parts = {
      model: joinNetworks(networks),
      encoders,
      representations: plan.representations,
      plan,
      levels,
    };
    this.#fitted.push({ from: cut, networks: new JoinedNetworks({ ...parts, head: this.#options.head }) });
  }

  /** Trains the networks on the rows before the cutoff `cut`. */
  async *#train(stage: StageName, cut: number): AsyncGenerator<RunEvent, FittedNetwork[], void> {
    const { panel, plan } = this.#context;
    const networks: FittedNetwork[] = [];
    for (const [i, representation] of plan.representations.entries()) {
      const events = fitNetwork(
        panel,
        networkPlanOf(plan, representation),
        { cut },
        this.#options,
        this.#epochs[i],
      );
      networks.push(yield* this.#runStage(stage, events));
    }
    return networks;
  }

  /** Runs one training run and converts its events to events of the whole run. Throws if the signal is aborted. */
  async *#runStage<T>(
    name: StageName,
    events: AsyncGenerator<TrainEvent, T, void>,
  ): AsyncGenerator<RunEvent, T, void> {
    const { signal, progress } = this.#context;
    const { info, overallProgress } = progress.next(name, this.name);
    const last: Pick<StageEvent, 'loss' | 'sequencesPerSecond'> = { loss: null, sequencesPerSecond: null };
    try {
      for (;;) {
        signal?.throwIfAborted();
        const next = await events.next();
        signal?.throwIfAborted();
        if (next.done) {
          yield { event: 'stage', ...info, ...last };
          return next.value;
        }
        const { value } = next;
        if (value.type === 'warning') yield { event: 'warning', message: value.message };
        if (value.type !== 'step' && value.type !== 'epoch') continue;
        const { epoch, epochs } = value;
        last.loss = finiteOrNull(value.loss);
        if (value.type === 'step') last.sequencesPerSecond = value.sequencesPerSecond;
        yield progressEvent(value, {
          ...info,
          epoch,
          epochs,
          done: overallProgress(epoch / epochs),
          loss: last.loss,
        });
      }
    } finally {
      await events.return(undefined as T); // Lets an interrupted training run write its checkpoint.
    }
  }
}

/** Converts a step or epoch event of `train` to an event of the run. */
function progressEvent(
  event: TrainStep | TrainEpoch,
  info: Omit<EpochEvent, 'event' | 'validationLoss'>,
): StepEvent | EpochEvent {
  if (event.type === 'step') {
    return { event: 'step', ...info, sequencesPerSecond: event.sequencesPerSecond };
  }
  const { validationLoss } = event;
  if (validationLoss === undefined) return { event: 'epoch', ...info };
  return { event: 'epoch', ...info, validationLoss: finiteOrNull(validationLoss) };
}
