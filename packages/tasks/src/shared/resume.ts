/**
 * Resumes an interrupted run. Every training of a run stores a checkpoint under its number. Called again with the same data
 * and options, the run repeats the same trainings in the same order: completed ones are restored, the interrupted one
 * resumes. Everything between trainings is recomputed and gives the same numbers.
 */
import type { Model } from '@unroll/core';
import {
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
  /** The bytes stored under the name; null if there are none. */
  read(name: string): Promise<Uint8Array | null>;
  /** Writes atomically. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** Checkpoints take at most this share of the time. */
const SHARE = 0.05;
/** During epochs longer than this, checkpoints are also written before the end of the epoch. */
const LONG_MS = 10_000;

/** The trainings of one run, with checkpoints in its store. */
export class CheckpointedTrainings {
  readonly #store: RunStore | null;
  #count = 0;

  constructor(store: RunStore | null) {
    this.#store = store;
  }

  /** Like `train`. Epochs that were trained before the run was resumed are reported again. */
  async *train(model: Model, options: TrainOptions): AsyncGenerator<TrainEvent, void, void> {
    const store = this.#store;
    if (store === null) return yield* train(model, options);
    const name = `training-${++this.#count}`;
    const bytes = await store.read(name);
    const saved = bytes === null ? null : decodeCheckpoint(bytes);
    const epochs = (saved?.callbacks.epochs?.json ?? []) as unknown as EpochEvent[];
    yield* epochs.slice();
    const run = train(model, saved === null ? options : { ...options, resume: saved.run });
    let due = performance.now();
    const save = async (): Promise<void> => {
      const began = performance.now();
      const checkpoint = await checkpointOf(run, epochs);
      if (checkpoint !== null) await store.write(name, checkpoint);
      const now = performance.now();
      due = now + (now - began) / SHARE;
    };
    try {
      for await (const event of run) {
        if (event.type === 'epoch') epochs.push(event);
        const patience = event.type === 'epoch' ? 0 : LONG_MS;
        if (event.type !== 'end' && performance.now() > due + patience) await save();
        yield event;
      }
    } finally {
      await save(); // At the end of the training, or when the search or Ctrl-C ends it early.
    }
  }
}

async function checkpointOf(run: Run, epochs: readonly EpochEvent[]): Promise<Uint8Array | null> {
  const snapshot = await run.snapshot();
  if (snapshot === null) return null;
  const history = emptyHistory();
  for (const event of epochs) record(history, event);
  return encodeCheckpoint({
    run: snapshot,
    callbacks: { epochs: { json: epochs as unknown as JsonValue } },
    history,
  });
}
