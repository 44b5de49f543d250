/** Names for layers that have none: their kind, numbered within a model. */
import type { Layer } from './layer.js';
import { kindOf } from './network.js';

/** @param taken names that other layers of the model have; those given here are added */
export function numberLayers(unnamed: readonly Layer[], taken: Set<string>): void {
  const counts = new Map<string, number>();
  for (const layer of unnamed) {
    const kind = kindOf(layer);
    let count = counts.get(kind) ?? 0;
    const numbered = (): string => (count === 0 ? kind : `${kind}_${count}`);
    while (taken.has(numbered())) count++;
    layer.name = numbered();
    layer.autoNamed = false;
    taken.add(layer.name);
    counts.set(kind, count + 1);
  }
}
