/**
 * Resumes an interrupted run, which consists of several training runs. Each training run stores its checkpoint under its number. If
 * the run is started again with the same data and options, it repeats the same training runs in the same order: completed training
 * runs are restored, and the interrupted one resumes. Everything between training runs is recomputed, with the same results.
 */
import type { Model } from '@unroll/core';
import {
  type Callback,
  decodeCheckpoint,
  type EpochEvent,
  encodeCheckpoint,
  type JsonValue,
  type Run,
  type TrainEvent,
  type TrainOptions,
  train,
} from '@unroll/train';
import { emptyHistory, record } from '@unroll/train/internal';

/** Storage for the checkpoints of one run. */
export interface RunStore {
  /** Returns the bytes that are stored under a name; null if nothing is stored. */
  read(name: string): Promise<Uint8Array | null>;
  /** Stores bytes under a name, atomically. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** Writing checkpoints takes at most this share of the training time. */
const MAX_TIME_SHARE = 0.05;
/** Within an epoch, a checkpoint is written only if it has been due for longer than this. */
const MAX_OVERDUE_MS = 10_000;

/** Trains the models of one run, one after another, and stores a checkpoint of each training run. */
export class CheckpointedTrainer {
  readonly #store: RunStore | null;
  readonly #budget: number;
  #count = 0;
  /** The time (of `performance.now`) by which all training runs must end; null before the first call of `deadline`. */
  #end: number | null = null;

  /** @param store null: no checkpoints @param budget seconds for all training runs. Default: no limit */
  constructor(store: RunStore | null, budget = Infinity) {
    this.#store = store;
    this.#budget = budget;
  }

  /** Returns the time (of `performance.now`) by which the next training run must end. @param left number of training runs left */
  deadline(left: number): number {
    const now = performance.now();
    this.#end ??= now + 1000 * this.#budget;
    return now + (this.#end - now) / left;
  }

  /**
   * Trains like `train`, but resumes from a stored checkpoint. Epochs before the interruption are reported again.
   * @param callbacks callbacks such as `earlyStopping`, whose states are part of the checkpoint. Default: none
   */
  async *train(
    model: Model,
    options: TrainOptions,
    callbacks: readonly Callback[] = [],
  ): AsyncGenerator<TrainEvent, void, void> {
    const store = this.#store;
    if (store === null) return yield* trainWith(train(model, options), callbacks);
    const name = `training-${++this.#count}`;
    const bytes = await store.read(name);
    const saved = bytes === null ? null : decodeCheckpoint(bytes);
    const epochs = (saved?.callbacks.epochs?.json ?? []) as unknown as EpochEvent[];
    yield* epochs.slice();
    const run = train(model, saved === null ? options : { ...options, resume: saved.run });
    for (const callback of callbacks) {
      const state = saved?.callbacks[callback.name];
      if (state !== undefined) callback.restore?.(state, run);
    }
    let nextSave = performance.now();
    const save = async (): Promise<void> => {
      const start = performance.now();
      const checkpoint = await checkpointOf(run, epochs, callbacks);
      if (checkpoint !== null) await store.write(name, checkpoint);
      const end = performance.now();
      nextSave = end + (end - start) / MAX_TIME_SHARE;
    };
    try {
      for await (const event of trainWith(run, callbacks)) {
        if (event.type === 'epoch') epochs.push(event);
        const maxOverdue = event.type === 'epoch' ? 0 : MAX_OVERDUE_MS;
        if (event.type !== 'end' && performance.now() > nextSave + maxOverdue) await save();
        yield event;
      }
    } finally {
      await save(); // The training has ended, or Ctrl-C has stopped it.
    }
  }
}

/** Runs a training run and calls the callbacks with each event before it is yielded. */
async function* trainWith(run: Run, callbacks: readonly Callback[]): AsyncGenerator<TrainEvent, void, void> {
  for await (const event of run) {
    for (const callback of callbacks) await callback.onEvent(event, run);
    yield event;
  }
}

/** Returns a checkpoint of the training run; null if there is no snapshot yet. */
async function checkpointOf(
  run: Run,
  epochs: readonly EpochEvent[],
  callbacks: readonly Callback[],
): Promise<Uint8Array | null> {
  const snapshot = await run.snapshot();
  if (snapshot === null) return null;
  const history = emptyHistory();
  for (const event of epochs) record(history, event);
  const states = callbacks.flatMap((callback) =>
    callback.state ? [[callback.name, callback.state()] as const] : [],
  );
  return encodeCheckpoint({
    run: snapshot,
    callbacks: { ...Object.fromEntries(states), epochs: { json: epochs as unknown as JsonValue } },
    history,
  });
}
