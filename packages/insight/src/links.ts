/**
 * Finds the recurrent layers whose outputs a recurrent layer reads, directly or through other layers. The first traced pass of a
 * network observes the calls of all layers and records for each tensor the runs from which the tensor was computed.
 */

import type { MaskedSequence, Tensor } from '@unroll/core';
import { type Layer, type Network, Recurrent } from '@unroll/nn';
import { recurrentSites } from './network.js';
import { override } from './override.js';

/** One run of a recurrent layer in a pass, with the earlier runs that it reads. */
interface Link {
  layer: Recurrent;
  /** Indices of the runs whose outputs this run reads. */
  from: readonly number[];
}

/** For each run of each layer, the names of the runs whose outputs it reads. */
type Names = ReadonlyMap<Recurrent, readonly (readonly string[])[]>;

const namesByNetwork = new WeakMap<Network, Names>();

/** Runs a pass of a network and returns its result. The first pass of a network also finds the links of its layers. */
export function withLinks<T>(network: Network, pass: () => T): T {
  if (namesByNetwork.has(network)) return pass();
  const finder = new LinkFinder();
  const layers = new Set<Layer>();
  const visit = (layer: Layer): void => {
    for (const inner of layer.sublayers) {
      if (!layers.has(inner)) visit(inner);
      layers.add(inner);
    }
  };
  visit(network);
  const restores = [...layers].flatMap((layer) => finder.wrap(layer));
  try {
    const result = pass();
    namesByNetwork.set(network, namesOf(network, finder.links));
    return result;
  } finally {
    for (const restore of restores) restore();
  }
}

/**
 * Returns the names of the runs whose outputs a run of a layer reads; empty if the run reads only inputs of the model, or if the
 * links are unknown.
 * @param count number of earlier runs of the layer in the pass
 */
export function sourceLayersOf(network: Network, layer: Recurrent, count: number): string[] {
  return [...(namesByNetwork.get(network)?.get(layer)?.[count] ?? [])];
}

function namesOf(network: Network, links: readonly Link[]): Names {
  const paths = new Map(recurrentSites(network).map(({ layer, path }) => [layer, path]));
  const counts = new Map<Recurrent, number>();
  const runs = links.map(({ layer }) => {
    const count = counts.get(layer) ?? 0;
    counts.set(layer, count + 1);
    return runName(paths.get(layer) ?? layer.name, count);
  });
  const names = new Map<Recurrent, string[][]>();
  for (const { layer, from } of links)
    names.set(layer, [...(names.get(layer) ?? []), from.map((run) => runs[run])]);
  return names;
}

/** Returns the name of a run of a layer: its path and, from the second run, the number of earlier runs (`lstm#1`). */
export const runName = (path: string, count: number): string => (count === 0 ? path : `${path}#${count}`);

type Call = (inputs: readonly MaskedSequence[], ...rest: unknown[]) => MaskedSequence[];

class LinkFinder {
  readonly links: Link[] = [];
  readonly #runsOf = new Map<Tensor, readonly number[]>();
  /**
   * The runs from which the inputs of the innermost running layer were computed. Tensors that this layer creates count as computed
   * from the same runs.
   */
  #outer: readonly number[] = [];

  /** Observes the calls of a layer. Returns functions that end the observation. */
  wrap(layer: Layer): (() => void)[] {
    const methods = layer instanceof Recurrent ? ['invokeAligned', 'streamStep'] : ['call', 'streamStep'];
    const target = layer as unknown as Record<string, Call>;
    return methods.map((name) => {
      const method = target[name];
      return override(target, name, (inputs, ...rest) =>
        this.#observe(layer, inputs, () => method.call(layer, inputs, ...rest)),
      );
    });
  }

  #observe(layer: Layer, inputs: readonly MaskedSequence[], run: () => MaskedSequence[]): MaskedSequence[] {
    const before = this.#outer;
    const from = union(inputs.map(({ value }) => this.#runsOf.get(value) ?? before));
    const first = this.links.length;
    if (layer instanceof Recurrent) this.links.push({ layer, from });
    this.#outer = from;
    try {
      const outputs = run();
      const inside = this.links.slice(first).flatMap((_, n) => first + n);
      const used = new Set(inside.flatMap((n) => this.links[n].from));
      const last = inside.filter((n) => !used.has(n));
      for (const { value } of outputs) this.#note(value, last.length > 0 ? last : from);
      return outputs;
    } finally {
      this.#outer = before;
    }
  }

  /** Records the runs from which a tensor was computed, unless an inner layer has already returned this tensor. */
  #note(tensor: Tensor, runs: readonly number[]): void {
    if (!this.#runsOf.has(tensor)) this.#runsOf.set(tensor, runs);
  }
}

const union = (lists: readonly (readonly number[])[]): number[] =>
  [...new Set(lists.flat())].sort((a, b) => a - b);
