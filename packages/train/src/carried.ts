/** Reads, resets and restores the states that stateful layers carry from batch to batch. */
import { type Model, type Tensor, tensor } from '@unroll/core';
import type { SavedTensor } from './callbacks/callback.js';
import type { PendingTensors } from './snapshot.js';

/** Carried states: a tree of tensors with the structure of the model. */
interface StateTree {
  tensors: Record<string, Tensor>;
  parts: Record<string, StateTree>;
}

/** The members of a stateful model of @unroll/nn. Other models lack them. */
interface StatefulModel {
  carriedStates: StateTree;
  resetStates(): void;
}

/** The members of a layer of @unroll/nn that are used here. */
interface LayerLike {
  readonly stateful?: boolean;
  readonly sublayers?: readonly LayerLike[];
}

/** Returns true if any layer of the model carries its state from batch to batch. */
export function isStateful(model: Model): boolean {
  const anyStateful = (layer: LayerLike): boolean =>
    layer.stateful === true || (layer.sublayers ?? []).some(anyStateful);
  return anyStateful(model as LayerLike);
}

/** Captures the current states and returns a function that restores them. */
export function captureStates(model: Model): () => void {
  if (!isStateful(model)) return () => {};
  const stateful = model as unknown as StatefulModel;
  const saved = stateful.carriedStates;
  return () => {
    stateful.resetStates();
    stateful.carriedStates = saved;
  };
}

/** Runs `work` with zero states, then restores the current states. */
export async function withFreshStates<T>(model: Model, work: () => Promise<T>): Promise<T> {
  if (!isStateful(model)) return work();
  const restore = captureStates(model);
  (model as unknown as StatefulModel).resetStates();
  try {
    return await work();
  } finally {
    restore();
  }
}

const PREFIX = 'carried/';

/** Starts reading the carried states. Their names are `carried/` and the path in the tree. */
export function saveStates(model: Model): PendingTensors {
  const reading: PendingTensors[number][] = [];
  const walk = ({ tensors, parts }: StateTree, path: string): void => {
    for (const [name, value] of Object.entries(tensors)) {
      reading.push([`${path}${encodeURIComponent(name)}`, value.shape, value.data()]);
    }
    for (const [name, part] of Object.entries(parts)) walk(part, `${path}${encodeURIComponent(name)}/`);
  };
  if (isStateful(model)) walk((model as unknown as StatefulModel).carriedStates, PREFIX);
  return reading;
}

/** Restores the states that {@link saveStates} has read; other tensors in `saved` are ignored. */
export function restoreStates(model: Model, saved: Readonly<Record<string, SavedTensor>>): void {
  if (!isStateful(model)) return;
  const tree: StateTree = { tensors: {}, parts: {} };
  for (const [path, { shape, values }] of Object.entries(saved)) {
    if (!path.startsWith(PREFIX)) continue;
    const names = path.slice(PREFIX.length).split('/').map(decodeURIComponent);
    let node = tree;
    for (const name of names.slice(0, -1)) node = node.parts[name] ??= { tensors: {}, parts: {} };
    node.tensors[names[names.length - 1]] = tensor(values, shape);
  }
  const stateful = model as unknown as StatefulModel;
  stateful.resetStates();
  stateful.carriedStates = tree;
}
