/** Reads, resets and restores the states that stateful layers carry from batch to batch. */
import { type Model, type ModelState, type Tensor, tensor } from '@unroll/core';
import type { SavedTensor } from './callbacks/callback.js';
import type { PendingTensors } from './snapshot.js';

/** The members of a stateful model of @unroll/nn. Other models lack them. */
interface StatefulModel {
  carriedStates: ModelState;
  resetStates(): void;
}

/** The members of a layer of @unroll/nn that are used here. */
interface LayerLike {
  readonly name: string;
  readonly stateful?: boolean;
  readonly sublayers?: readonly LayerLike[];
}

/** Returns true if any layer of the model carries its state from batch to batch. */
export function isStateful(model: Model): boolean {
  return statefulLayer(model) !== null;
}

/** Returns the name of the first layer that carries its state from batch to batch; null if there is none. */
export function statefulLayer(layer: LayerLike): string | null {
  if (layer.stateful === true) return layer.name;
  for (const inner of layer.sublayers ?? []) {
    const found = statefulLayer(inner);
    if (found !== null) return found;
  }
  return null;
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

/**
 * Starts reading the tensors of a state, which is a tree of layers. The name of a tensor is the prefix, followed by its path in
 * the tree.
 */
export function readTree({ tensors, parts }: ModelState, prefix: string): PendingTensors {
  return [
    ...Object.entries(tensors).map(
      ([name, value]) => [`${prefix}${encodeURIComponent(name)}`, value.shape, value.data()] as const,
    ),
    ...Object.entries(parts).flatMap(([name, part]) =>
      readTree(part, `${prefix}${encodeURIComponent(name)}/`),
    ),
  ];
}

interface MutableTree {
  tensors: Record<string, Tensor>;
  parts: Record<string, MutableTree>;
}

/** Returns the state that {@link readTree} has read with this prefix; other tensors in `saved` are ignored. */
export function treeFrom(saved: Readonly<Record<string, SavedTensor>>, prefix: string): ModelState {
  const tree: MutableTree = { tensors: {}, parts: {} };
  for (const [path, { shape, values }] of Object.entries(saved)) {
    if (!path.startsWith(prefix)) continue;
    const names = path.slice(prefix.length).split('/').map(decodeURIComponent);
    let node = tree;
    for (const name of names.slice(0, -1)) node = node.parts[name] ??= { tensors: {}, parts: {} };
    node.tensors[names[names.length - 1]] = tensor(values, shape);
  }
  return tree;
}

/** Starts reading the carried states. The name of a tensor is `carried/`, followed by its path in the tree. */
export function saveStates(model: Model): PendingTensors {
  return isStateful(model) ? readTree((model as unknown as StatefulModel).carriedStates, PREFIX) : [];
}

/** Restores the states that {@link saveStates} has read; other tensors in `saved` are ignored. */
export function restoreStates(model: Model, saved: Readonly<Record<string, SavedTensor>>): void {
  if (!isStateful(model)) return;
  const stateful = model as unknown as StatefulModel;
  stateful.resetStates();
  stateful.carriedStates = treeFrom(saved, PREFIX);
}
