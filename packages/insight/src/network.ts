/** Finds the recurrent layers of a model. */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { type Layer, type Network, Recurrent } from '@unroll/nn';

/** A recurrent layer and its path in the model: `lstm`, or `bidirectional/forward_lstm` for an inner layer. */
export interface Site {
  path: string;
  layer: Recurrent;
}

/** Returns the recurrent layers of a model, including those in other layers and in nested models. */
export function recurrentSites(network: Network): Site[] {
  const sites: Site[] = [];
  const seen = new Set<Layer>();
  const visit = (layer: Layer, path: string): void => {
    if (seen.has(layer)) return;
    seen.add(layer);
    if (layer instanceof Recurrent) sites.push({ path, layer });
    for (const inner of layer.sublayers) visit(inner, path ? `${path}/${inner.name}` : inner.name);
  };
  visit(network, '');
  return sites;
}

/** Returns all layers of a type, including those in other layers. */
export function layersOf<L extends Layer>(network: Network, type: abstract new (...args: never) => L): L[] {
  const found = new Set<L>();
  const visit = (layer: Layer): void => {
    if (layer instanceof type) found.add(layer);
    for (const inner of layer.sublayers) visit(inner);
  };
  visit(network);
  return [...found];
}

/**
 * Returns the recurrent layers whose path or name is in `names`, each once; undefined: all. A name that several layers have, such
 * as `forward_lstm` in two bidirectional layers, selects all of them; a path selects one.
 * @throws UnrollError `value` for a name that is not a recurrent layer
 */
export function selectSites(network: Network, names: readonly string[] | undefined, owner: string): Site[] {
  const sites = recurrentSites(network);
  if (names === undefined) return sites;
  const selected = names.flatMap((name) => {
    const site = sites.find(({ path }) => path === name);
    const found = site ? [site] : sites.filter(({ layer }) => layer.name === name);
    if (found.length > 0) return found;
    const all = sites.map(({ path }) => path).join(', ') || 'none';
    throw valueError(
      `${owner}: the model has no recurrent layer ${formatValue(name)}. Its recurrent layers: ${all}.`,
      { name },
    );
  });
  return [...new Set(selected)];
}
