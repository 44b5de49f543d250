/** Early stopping: ends a run that no longer improves, and restores the best weights. */
import { checkOptions } from '@unroll/core/internal';
import type { EpochEvent } from '../events.js';
import { restoreWeights } from '../snapshot.js';
import type { Callback, CallbackState, RunControl, SavedTensor } from './callback.js';
import { isBetter, MONITOR_OPTIONS, type MonitorOptions, modeOf, monitored } from './monitor.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without an improvement to wait for. Default 0: the first such epoch ends the run. */
  patience?: number;
  /** Smallest change that counts as an improvement. Default 0. */
  minDelta?: number;
  /**
   * Restore the weights of the best epoch when the run ends (not when it is aborted). Default true.
   */
  restoreBestWeights?: boolean;
  /** Value that the metric must improve on. Default none. */
  baseline?: number;
  /** Epochs at the start that are not monitored. Default 0. */
  startFromEpoch?: number;
}

interface State {
  best: number | null;
  bestEpoch: number;
  /** Epochs since the best one. */
  wait: number;
}

/** @throws UnrollError `value` if the run has no metric of the monitored name */
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
