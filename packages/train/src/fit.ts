/** `fit`: runs `train` to its end, with callbacks. */
import { type Model, ready, UnrollError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import { openCheckpoints } from '#checkpoints';
import type { Callback, RunControl } from './callbacks/callback.js';
import type { CheckpointFiles } from './callbacks/checkpoints-node.js';
import { checkMonitor } from './callbacks/monitor.js';
import type { Checkpoint } from './checkpoint.js';
import type { TrainEvent } from './events.js';
import { emptyHistory, type History, record } from './history.js';
import { DATA, RUN, type Run, type RunOptions, type TrainingData, train } from './train.js';

export interface FitExtras {
  /** Consumers of the events, called in this order. A function gets every event. */
  callbacks?: readonly (Callback | Callback['onEvent'])[];
  /** Called with every event, after the callbacks. */
  onEvent?: (event: TrainEvent) => void;
  /** Called with the text of every warning. Default: `console.warn`. */
  onWarning?: (message: string) => void;
  /**
   * Folder for checkpoints (Node only): `last.safetensors` after every epoch and when the run ends. Default:
   * none.
   */
  checkpointDir?: string;
  /** Write a checkpoint also after every so many steps. Default: after epochs only. */
  checkpointSteps?: number;
  /**
   * True: resume from the checkpoint in `checkpointDir`, or start if there is none. Or a checkpoint to resume
   * from. Default false.
   */
  resume?: boolean | Checkpoint;
}

/** The further options of `fit`. */
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
 * Trains `model` to the end and returns the metrics of every epoch, including those of the run it resumed.
 * @throws UnrollError as for `train`; a `nan` error names the last good checkpoint
 */
export async function fit(model: Model, options: FitOptions): Promise<History> {
  checkOptions('fit', options, { ...RUN, ...DATA, ...FIT_OPTIONS });
  const {
    callbacks: given = [],
    onEvent,
    onWarning,
    checkpointDir,
    checkpointSteps,
    resume,
    ...rest
  } = options;
  await ready(); // before reading the data, which may be plain arrays
  const callbacks = withNames(given);
  const files = checkpointDir === undefined ? null : openCheckpoints(checkpointDir, checkpointSteps ?? null);
  if (files) callbacks.push(files);
  const saved = await checkpointFor(resume ?? false, callbacks);
  const run = train(model, saved ? { ...rest, resume: saved.run } : rest);
  const metrics = [...run.metricNames, ...callbacks.flatMap((callback) => callback.metrics ?? [])];
  for (const { monitors } of callbacks) checkMonitor(monitors, metrics);
  const history = saved ? structuredClone(saved.history) : emptyHistory();
  const warn = onWarning ?? ((message: string) => console.warn(message));
  for (const message of restore(callbacks, saved, run)) warn(message);
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

/** The checkpoint to resume from; null if there is none. */
async function checkpointFor(
  resume: boolean | Checkpoint,
  callbacks: readonly Callback[],
): Promise<Checkpoint | null> {
  if (typeof resume === 'object') return resume;
  if (!resume) return null;
  const files = callbacks.find((callback): callback is CheckpointFiles => 'load' in callback);
  if (files) return files.load();
  throw new UnrollError('value', 'resume: true needs checkpointDir, the folder to resume from.');
}

/** Wraps functions as callbacks. Names must be unique, because a checkpoint stores states by name. */
function withNames(given: readonly (Callback | Callback['onEvent'])[]): Callback[] {
  const callbacks = given.map((one, i) =>
    typeof one === 'function' ? { name: `function${i}`, onEvent: one } : one,
  );
  const names = callbacks.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return callbacks;
  throw new UnrollError(
    'value',
    `Two callbacks are named "${twice}", but checkpoints store their states by name. Rename one.`,
    { name: twice },
  );
}

/** Restores the callbacks from their saved states; returns their warnings. */
function restore(callbacks: readonly Callback[], saved: Checkpoint | null, run: RunControl): string[] {
  return callbacks.flatMap((callback) => {
    const state = saved?.callbacks[callback.name];
    const message = state ? (callback.restore?.(state, run) ?? null) : null;
    return message === null ? [] : [message];
  });
}

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

function withLastSaved(error: unknown, callbacks: readonly Callback[]): unknown {
  if (!(error instanceof UnrollError) || error.code !== 'nan') return error;
  const location = callbacks
    .map((callback) => callback.lastSaved?.() ?? null)
    .find((found) => found !== null);
  if (location === undefined) return error;
  return new UnrollError(error.code, `${error.message} The last good checkpoint is ${location}.`, {
    ...error.data,
    checkpoint: location,
  });
}
