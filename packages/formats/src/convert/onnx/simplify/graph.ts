/** The graph of imported layers, in which rules replace groups of layers by one layer. */
import type { FloatArray } from '@unroll/core';
import type { Reference } from '../values.js';
import type { LayerEntry, ModelWriter, NewLayer, NodeEntry } from '../writer.js';

/** Stands for an output of the model in the list of a node's readers. */
const OUTPUT = -1;

/** A node is identified by its index, `at`. */
export class LayerGraph {
  readonly #writer: ModelWriter;
  readonly #outputs: Reference[];
  /** For each node, the nodes that read it. A node that reads it twice is listed twice. */
  readonly #readers: number[][];
  /** For replaced nodes, the tensor that replaces them; null if no tensor has the values of the node any more. */
  readonly moved = new Map<number, Reference | null>();

  /** @param outputs outputs of the model; replacements change this array */
  constructor(writer: ModelWriter, outputs: Reference[]) {
    this.#writer = writer;
    this.#outputs = outputs;
    this.#readers = writer.nodes.map(() => []);
    writer.nodes.forEach((node, n) => {
      for (const [source] of sourcesOf(node)) this.#readers[source].push(n);
    });
    for (const [source] of outputs) this.#readers[source].push(OUTPUT);
    writer.nodes.forEach((_, n) => {
      this.#release(n);
    });
  }

  get size(): number {
    return this.#writer.nodes.length;
  }

  node(at: number): NodeEntry {
    return this.#writer.nodes[at];
  }

  /** Returns the layer of a node. */
  layer(at: number): LayerEntry {
    return this.#writer.layerOf([at, 0]);
  }

  /** Returns a weight of a node's layer; null if the layer has no weight with this name. */
  weight(at: number, name: string): FloatArray | null {
    return this.#writer.arrays.get(`${this.node(at).layer}/${name}`)?.values ?? null;
  }

  /** Returns true if an output of the model depends on the node. */
  isUsed(at: number): boolean {
    return this.#readers[at].length > 0;
  }

  /** Returns the nodes that read a node, without repetitions; -1 stands for the outputs of the model. */
  readers(at: number): number[] {
    return [...new Set(this.#readers[at])];
  }

  /** Returns true if the node is read exactly once, by another node or as an output of the model. */
  isReadOnce(at: number): boolean {
    return this.#readers[at].length === 1;
  }

  /** Lets all readers of a node read another tensor instead. */
  replace(at: number, by: Reference): void {
    if (!this.moved.has(at)) this.moved.set(at, by);
    const readers = this.#readers[at];
    this.#readers[at] = [];
    this.#readers[by[0]].push(...readers);
    const moved = (ref: Reference): Reference => (ref[0] === at ? by : ref);
    for (const reader of new Set(readers)) {
      if (reader === OUTPUT) this.#outputs.splice(0, Infinity, ...this.#outputs.map(moved));
      else {
        const node = this.node(reader);
        this.#writer.nodes[reader] = {
          ...node,
          inputs: node.inputs.map(moved),
          ...(node.mask && { mask: moved(node.mask) }),
        };
      }
    }
    this.#release(at);
  }

  /** Replaces the layer and the inputs of a node. The old layer must not have weights. */
  change(
    at: number,
    className: string,
    config: Record<string, unknown>,
    inputs: readonly Reference[],
    weights: NewLayer['weights'] = {},
  ): void {
    const before = sourcesOf(this.node(at));
    this.#writer.change(at, { className, config, inputs, weights });
    for (const [source] of inputs) this.#readers[source].push(at);
    this.#forget(at, before);
  }

  /** Lets a node read other tensors. */
  reconnect(at: number, inputs: readonly Reference[]): void {
    const before = this.node(at).inputs;
    this.#writer.nodes[at] = { ...this.node(at), inputs };
    for (const [source] of inputs) this.#readers[source].push(at);
    this.#forget(at, before);
  }

  /** Exchanges the layers of two nodes with one input each. No tensor then has the values that the first node had before. */
  exchange(first: number, second: number): void {
    this.moved.set(first, null);
    const { nodes } = this.#writer;
    const [a, b] = [nodes[first], nodes[second]];
    nodes[first] = { ...a, layer: b.layer };
    nodes[second] = { ...b, layer: a.layer };
  }

  /** Removes a node, if it is unused, from the readers of other nodes. */
  #release(at: number): void {
    if (!this.isUsed(at)) this.#forget(at, sourcesOf(this.node(at)));
  }

  /** Removes `reader` once from the readers of each source. Sources that are then unused are removed in the same way. */
  #forget(reader: number, sources: readonly Reference[]): void {
    const stack = sources.map(([source]) => [reader, source]);
    for (let pair = stack.pop(); pair; pair = stack.pop()) {
      const [from, source] = pair;
      const readers = this.#readers[source];
      const index = readers.indexOf(from);
      if (index < 0) continue;
      readers.splice(index, 1);
      if (readers.length === 0) stack.push(...sourcesOf(this.node(source)).map(([next]) => [source, next]));
    }
  }
}

const sourcesOf = ({ inputs, mask }: NodeEntry): readonly Reference[] => (mask ? [...inputs, mask] : inputs);

/** A rule looks at the node with the index `at` and the layers before it. It returns true if it has changed the graph. */
export type Rule = (graph: LayerGraph, at: number) => boolean;

/** Returns the options of the `TensorOperation` that computes a tensor; null if another operation or layer computes it. */
export function operationAt(
  graph: LayerGraph,
  [at, output]: Reference,
  operation: string,
): Record<string, unknown> | null {
  const { className, config } = graph.layer(at);
  return output === 0 && className === 'TensorOperation' && config.operation === operation ? config : null;
}
