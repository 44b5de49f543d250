/** Early stopping: ends a run when a metric stops improving, and restores the weights of the best epoch. */
import { checkOptions } from '@unroll/core/internal';
import type { EpochEvent } from '../events.js';
import { restoreWeights } from '../snapshot.js';
import type { Callback, CallbackState, RunControl, SavedTensor } from './callback.js';
import { isBetter, MONITOR_OPTIONS, type MonitorOptions, modeOf, monitored } from './monitor.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /**
   * Number of epochs without an improvement after which the run ends. Default 0, which, like 1, ends the run at the first
   * epoch without an improvement.
   */
  patience?: number;
  /** An improvement must exceed this difference. Default 0. */
  minDelta?: number;
  /** Restore the weights of the best epoch when the run ends (not when it is aborted). Default true. */
  restoreBestWeights?: boolean;
  /** Only values better than this count as an improvement. Default: any value. */
  baseline?: number;
  /** Number of epochs at the start of the run that are ignored. Default 0. */
  startFromEpoch?: number;
}

interface State {
  /** The best value so far, or the baseline; null: none yet. */
  best: number | null;
  /** 0: none yet. */
  bestEpoch: number;
  /** Number of epochs since the best epoch. */
  wait: number;
}

/**
 * Returns a callback that ends the run when a metric stops improving.
 * @throws UnrollError `value` for an unknown or invalid option
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  checkOptions('earlyStopping', options, {
    patience: 'nonNegativeInteger',
    minDelta: 'number',
    restoreBestWeights: 'boolean',
    baseline: 'number',
    startFromEpoch: 'nonNegativeInteger',
    ...MONITOR_OPTIONS,
  });
  const {
    monitor,
    mode,
    patience = 0,
    minDelta = 0,
    restoreBestWeights = true,
    startFromEpoch = 0,
  } = options;
  let state: State = { best: options.baseline ?? null, bestEpoch: 0, wait: 0 };
  let weights: Record<string, SavedTensor> | null = null;

  const onEpoch = async (event: EpochEvent, run: RunControl): Promise<void> => {
    if (event.epoch <= startFromEpoch) return;
    const { name, value } = monitored(event, monitor);
    if (isBetter(value, state.best, modeOf(name, mode), minDelta)) {
      state = { best: value, bestEpoch: event.epoch, wait: 0 };
      if (restoreBestWeights) weights = await run.weights();
      return;
    }
    state.wait++;
    if (state.wait >= patience) run.stop();
  };
  return {
    name: 'earlyStopping',
    monitors: monitor,
    async onEvent(event, run) {
      if (event.type === 'epoch') await onEpoch(event, run);
      else if (event.type === 'end' && event.completed) {
        if (weights) restoreWeights(run.parameters, weights);
      }
    },
    state(): CallbackState {
      return weights ? { json: { ...state }, tensors: weights } : { json: { ...state } };
    },
    restore({ json, tensors }) {
      state = json as unknown as State;
      weights = tensors ? { ...tensors } : null;
      return null;
    },
  };
}
