/** The states that stateful layers carry from batch to batch, as seen by training. */
import { type Model, type Tensor, tensor } from '@unroll/core';
import type { SavedTensor } from './callbacks/callback.js';
import type { Reading } from './snapshot.js';

/** A tree of tensors with the structure of the model. Models of @unroll/nn have it. */
interface Memory {
  tensors: Record<string, Tensor>;
  parts: Record<string, Memory>;
}

/** A model that carries states. Other models lack these members. */
interface Carrier {
  carriedStates: Memory;
  resetStates(): void;
}

interface LayerLike {
  readonly stateful?: boolean;
  readonly sublayers?: readonly LayerLike[];
}

/** True if any layer of the model carries its state from batch to batch. */
export function isStateful(model: Model): boolean {
  const walk = (layer: LayerLike): boolean => layer.stateful === true || (layer.sublayers ?? []).some(walk);
  return walk(model as LayerLike);
}

/** Returns a function that restores the current states. */
export function captureStates(model: Model): () => void {
  if (!isStateful(model)) return () => {};
  const carrier = model as unknown as Carrier;
  const saved = carrier.carriedStates;
  return () => {
    carrier.resetStates();
    carrier.carriedStates = saved;
  };
}

/** Runs `work` with zero states, then restores the current ones. */
export async function withFreshStates<T>(model: Model, work: () => Promise<T>): Promise<T> {
  if (!isStateful(model)) return work();
  const putBack = captureStates(model);
  (model as unknown as Carrier).resetStates();
  try {
    return await work();
  } finally {
    putBack();
  }
}

const PREFIX = 'carried/';

/** Starts reading the carried states, by path. */
export function saveStates(model: Model): Reading {
  const reading: Reading[number][] = [];
  const walk = ({ tensors, parts }: Memory, path: string): void => {
    for (const [name, value] of Object.entries(tensors)) {
      reading.push([`${path}${encodeURIComponent(name)}`, value.shape, value.data()]);
    }
    for (const [name, part] of Object.entries(parts)) walk(part, `${path}${encodeURIComponent(name)}/`);
  };
  if (isStateful(model)) walk((model as unknown as Carrier).carriedStates, PREFIX);
  return reading;
}

/** Restores the carried states from {@link saveStates}. */
export function restoreStates(model: Model, saved: Readonly<Record<string, SavedTensor>>): void {
  if (!isStateful(model)) return;
  const memory: Memory = { tensors: {}, parts: {} };
  for (const [path, { shape, values }] of Object.entries(saved)) {
    if (!path.startsWith(PREFIX)) continue;
    const names = path.slice(PREFIX.length).split('/').map(decodeURIComponent);
    let node = memory;
    for (const name of names.slice(0, -1)) node = node.parts[name] ??= { tensors: {}, parts: {} };
    node.tensors[names[names.length - 1]] = tensor(values, shape);
  }
  const carrier = model as unknown as Carrier;
  carrier.resetStates();
  carrier.carriedStates = memory;
}
