/** The options of all tasks for limiting, resuming and stopping a run. */
import type { OptionTypes } from '@unroll/core/internal';
import type { RunStore } from './resume.js';

export interface RunControl {
  /** Time for the training, in seconds. Training ends with the epoch in which the time runs out. Default: no limit. */
  budget?: number;
  /** Stores checkpoints: the same call with the same store resumes an interrupted run. Default: no checkpoints. */
  store?: RunStore;
  /** Stops the run: the promise is rejected, or the generator throws, with the reason of the signal. */
  signal?: AbortSignal;
}

export const RUN_CONTROL: OptionTypes<RunControl & { onEvent?: unknown }> = {
  budget: 'number',
  store: true,
  signal: true,
  onEvent: true,
};
