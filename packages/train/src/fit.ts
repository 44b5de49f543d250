/** `fit`: runs `train` to the end and calls the callbacks. */
import { type Model, ready, UnrollError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { openCheckpoints } from '#checkpoints';
import type { Callback, RunControl } from './callbacks/callback.js';
import type { CheckpointFiles } from './callbacks/checkpoints-node.js';
import { checkMonitor } from './callbacks/monitor.js';
import type { Checkpoint } from './checkpoint.js';
import type { TrainEvent } from './events.js';
import { emptyHistory, type History, record } from './history.js';
import { DATA_OPTIONS, RUN_OPTIONS, type Run, type RunOptions, type TrainingData, train } from './train.js';

export interface FitExtras {
  /** Callbacks, called in the order of the list with every event. A function is used as `onEvent`. */
  callbacks?: readonly (Callback | Callback['onEvent'])[];
  /** Called with every event, after the callbacks. */
  onEvent?: (event: TrainEvent) => void;
  /** Called with the text of every warning. Default: `console.warn`. */
  onWarning?: (message: string) => void;
  /**
   * Folder for checkpoints (Node only). `last.safetensors` is written after every epoch and when the run ends. Default:
   * no checkpoints.
   */
  checkpointDir?: string;
  /** Also write a checkpoint each time this many steps of an epoch are done. Default: after epochs only. */
  checkpointSteps?: number;
  /**
   * The checkpoint to resume from. True: the last one in `checkpointDir`, or a new run if there is none. False: a new run.
   * Default false.
   */
  resume?: boolean | Checkpoint;
}

/** Types of the options that `fit` has in addition to those of `train`, for checks. */
export const FIT_OPTIONS: OptionTypes<FitExtras> = {
  callbacks: 'array',
  onEvent: 'function',
  onWarning: 'function',
  checkpointDir: 'string',
  checkpointSteps: 'count',
  resume: true,
};

export type FitOptions = Omit<RunOptions, 'resume'> & TrainingData & FitExtras;

/**
 * Trains `model` to the end and returns the metrics of every epoch. If the run was resumed, they include the epochs before
 * the checkpoint.
 * @throws UnrollError as for `train`; a `nan` error names the last good checkpoint
 */
export async function fit(model: Model, options: FitOptions): Promise<History> {
  checkOptions('fit', options, { ...RUN_OPTIONS, ...DATA_OPTIONS, ...FIT_OPTIONS });
  const {
    callbacks: callbackList = [],
    onEvent,
    onWarning,
    checkpointDir,
    checkpointSteps,
    resume,
    ...runOptions
  } = options;
  await ready(); // before reading the data, which may be plain arrays
  const callbacks = toCallbacks(callbackList);
  const files = checkpointDir === undefined ? null : openCheckpoints(checkpointDir, checkpointSteps ?? null);
  if (files) callbacks.push(files);
  const saved = await checkpointFor(resume ?? false, callbacks);
  const run = train(model, saved ? { ...runOptions, resume: saved.run } : runOptions);
  const metrics = [...run.metricNames, ...callbacks.flatMap((callback) => callback.metrics ?? [])];
  for (const { monitors } of callbacks) checkMonitor(monitors, metrics);
  const history = saved ? structuredClone(saved.history) : emptyHistory();
  const warn = onWarning ?? ((message: string) => console.warn(message));
  for (const message of restoreCallbacks(callbacks, saved, run)) warn(message);
  const snapshot = (): Promise<Checkpoint | null> => checkpointOf(run, callbacks, history);
  try {
    for await (const event of run) {
      record(history, event);
      if (event.type === 'warning') warn(event.message);
      for (const callback of callbacks) await callback.onEvent(event, run);
      onEvent?.(event);
      for (const callback of callbacks) await callback.afterEvent?.(event, run, snapshot);
    }
  } catch (error) {
    throw withLastSaved(error, callbacks);
  }
  return history;
}

/** Returns the checkpoint to resume from; null for a new run. */
async function checkpointFor(
  resume: boolean | Checkpoint,
  callbacks: readonly Callback[],
): Promise<Checkpoint | null> {
  if (typeof resume === 'object') return resume;
  if (!resume) return null;
  const files = callbacks.find((callback): callback is CheckpointFiles => 'load' in callback);
  if (files) return files.load();
  throw new UnrollError('value', 'resume: true needs checkpointDir, the folder with the checkpoint.');
}

/** Wraps functions as callbacks. @throws UnrollError `value` if two callbacks have the same name */
function toCallbacks(callbackList: readonly (Callback | Callback['onEvent'])[]): Callback[] {
  const callbacks = callbackList.map((callback, i) =>
    typeof callback === 'function' ? { name: `function${i}`, onEvent: callback } : callback,
  );
  const names = callbacks.map(({ name }) => name);
  const duplicate = names.find((name, i) => names.indexOf(name) !== i);
  if (duplicate === undefined) return callbacks;
  throw new UnrollError(
    'value',
    `Two callbacks are named "${duplicate}", but checkpoints store their states by name. Rename one.`,
    { name: duplicate },
  );
}

/** Restores the callbacks from a checkpoint and returns their warnings. */
function restoreCallbacks(
  callbacks: readonly Callback[],
  saved: Checkpoint | null,
  run: RunControl,
): string[] {
  return callbacks.flatMap((callback) => {
    const state = saved?.callbacks[callback.name];
    const message = state ? (callback.restore?.(state, run) ?? null) : null;
    return message === null ? [] : [message];
  });
}

/** Returns a checkpoint of the run and its callbacks; null before the model is built. */
async function checkpointOf(
  run: Run,
  callbacks: readonly Callback[],
  history: History,
): Promise<Checkpoint | null> {
  const snapshot = await run.snapshot();
  if (snapshot === null) return null;
  const states = callbacks.flatMap((callback) =>
    callback.state ? [[callback.name, callback.state()] as const] : [],
  );
  return { run: snapshot, callbacks: Object.fromEntries(states), history };
}

/** Adds the location of the last checkpoint to a `nan` error; returns other errors unchanged. */
function withLastSaved(error: unknown, callbacks: readonly Callback[]): unknown {
  if (!(error instanceof UnrollError) || error.code !== 'nan') return error;
  const location = callbacks
    .map((callback) => callback.lastSaved?.() ?? null)
    .find((candidate) => candidate !== null);
  if (location === undefined) return error;
  return new UnrollError(error.code, `${error.message} The last good checkpoint is ${location}.`, {
    ...error.data,
    checkpoint: location,
  });
}
