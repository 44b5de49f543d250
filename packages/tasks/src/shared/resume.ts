/**
 * A run that was killed goes on. Every training of the run keeps a checkpoint, by its number; called again with the same
 * data and options, the run trains in the same order, and takes what is there: a training that had ended is read back, the
 * one that was interrupted goes on. Whatever lies between trainings is computed again, from the same numbers.
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

/** Where the checkpoints of one run are kept. */
export interface RunStore {
  /** What was written under that name; null where nothing was. */
  read(name: string): Promise<Uint8Array | null>;
  /** Writes whole or not at all. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** Keeping checkpoints takes at most this share of the time. */
const SHARE = 0.05;
/** An epoch that takes longer than this keeps some on the way, not only at its end. */
const LONG_MS = 10_000;

/** The trainings of one run, kept in its store. */
export class KeptTrainings {
  readonly #store: RunStore | null;
  #count = 0;

  constructor(store: RunStore | null) {
    this.#store = store;
  }

  /** Trains as `train` does. Epochs that were trained before are told of again. */
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
    const keep = async (): Promise<void> => {
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
        if (event.type !== 'end' && performance.now() > due + patience) await keep();
        yield event;
      }
    } finally {
      await keep(); // At its end; and where the search or Ctrl-C ends it early.
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
