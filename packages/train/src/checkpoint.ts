/**
 * Encodes and decodes checkpoints, which contain everything needed to resume a run as if it had never stopped. A checkpoint
 * file is a safetensors file, so that other tools can read the weights. Tensors of the run have the names in
 * {@link RunSnapshot}, and tensors of callbacks are named `callback/<name>/<tensor>`. Everything else is JSON in the metadata
 * entry `state`. See docs/files.md.
 */
import { UnrollError } from '@unroll/core';
import {
  loadFloats,
  readSafetensors,
  type StoredTensor,
  storeFloats,
  writeSafetensors,
} from '@unroll/core/internal';
import type { CallbackState, SavedTensor } from './callbacks/callback.js';
import type { History } from './history.js';
import type { RunSnapshot } from './snapshot.js';

const FORMAT = 'unroll-checkpoint-1';

/** The complete state of a run. */
export interface Checkpoint {
  run: RunSnapshot;
  /** Callback states by callback name. */
  callbacks: Readonly<Record<string, CallbackState>>;
  history: History;
}

/** Returns the bytes of a checkpoint file. */
export function encodeCheckpoint({ run, callbacks, history }: Checkpoint): Uint8Array {
  const { tensors, ...runWithoutTensors } = run;
  const stored = new Map<string, StoredTensor>();
  const put = (name: string, { shape, values }: SavedTensor): void =>
    void stored.set(name, storeFloats(values, shape));
  for (const [name, saved] of Object.entries(tensors)) put(name, saved);
  for (const [callback, { tensors: callbackTensors = {} }] of Object.entries(callbacks)) {
    for (const [name, saved] of Object.entries(callbackTensors))
      put(`callback/${encodeURIComponent(callback)}/${name}`, saved);
  }
  const states = Object.fromEntries(Object.entries(callbacks).map(([name, { json }]) => [name, json]));
  const state = JSON.stringify({ run: runWithoutTensors, callbacks: states, history }, encodeNumbers);
  return writeSafetensors(
    stored,
    new Map([
      ['format', FORMAT],
      ['state', state],
    ]),
  );
}

/**
 * Decodes a checkpoint file.
 * @throws UnrollError `format` if the bytes are not a result of {@link encodeCheckpoint}
 */
export function decodeCheckpoint(file: Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(file);
  if (metadata.get('format') !== FORMAT) {
    throw new UnrollError(
      'format',
      `The file is a safetensors file, but not an Unroll checkpoint (${FORMAT}).`,
      {
        format: metadata.get('format') ?? null,
      },
    );
  }
  const state = JSON.parse(metadata.get('state') ?? 'null', decodeNumbers) as {
    run: Omit<RunSnapshot, 'tensors'>;
    callbacks: Record<string, CallbackState['json']>;
    history: History;
  };
  const run: Record<string, SavedTensor> = {};
  const callbackTensors: Record<string, Record<string, SavedTensor>> = {};
  for (const [name, stored] of tensors) {
    const saved: SavedTensor = { shape: stored.shape, values: loadFloats(stored, name) };
    const [, callback, tensor] = /^callback\/([^/]*)\/(.*)$/s.exec(name) ?? [];
    if (callback === undefined) run[name] = saved;
    else (callbackTensors[decodeURIComponent(callback)] ??= {})[tensor] = saved;
  }
  const callbacks = Object.entries(state.callbacks).map(([name, json]): [string, CallbackState] => [
    name,
    callbackTensors[name] ? { json, tensors: callbackTensors[name] } : { json },
  ]);
  return {
    run: { ...state.run, tensors: run },
    callbacks: Object.fromEntries(callbacks),
    history: state.history,
  };
}

/** Key of the objects that represent NaN, infinities and -0, which JSON cannot represent as numbers. */
const NUMBER = '$number';

/** For `JSON.stringify`: replaces NaN, infinities and -0 by objects. */
function encodeNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return { [NUMBER]: Object.is(value, -0) ? '-0' : String(value) };
}

/** For `JSON.parse`: reverses {@link encodeNumbers}. */
function decodeNumbers(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, NUMBER)) return value;
  return Number((value as Record<string, string>)[NUMBER]);
}
