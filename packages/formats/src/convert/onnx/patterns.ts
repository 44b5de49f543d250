/**
 * Replaces groups of nodes by one node with the same meaning. Before opset 17, ONNX has no operator for layer normalisation:
 * exporters write γ (x - mean) / √(variance + ε) + β with about nine nodes.
 */
import { constantNumbers, type Graph, type Node } from './graph.js';

/** Returns the graph with a single node for each layer normalisation. */
export function recognisePatterns(graph: Graph): Graph {
  const search = new PatternSearch(graph);
  const replaced = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const found = node.op === 'Div' ? search.layerNormalization(node) : null;
    if (found) replaced.set(found.last, found.node);
  }
  if (replaced.size === 0) return graph;
  return withoutUnused({ ...graph, nodes: graph.nodes.map((node) => replaced.get(node) ?? node) });
}

class PatternSearch {
  readonly #graph: Graph;
  readonly #sources: ReadonlyMap<string, Node>;
  readonly #readers = new Map<string, Node[]>();

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#sources = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    for (const node of graph.nodes)
      for (const name of node.inputs) {
        const readers = this.#readers.get(name);
        if (readers) readers.push(node);
        else this.#readers.set(name, [node]);
      }
  }

  /**
   * Returns a normalisation node for a division, with γ and β if they follow, and the last node that it replaces; null if the
   * division belongs to no normalisation.
   */
  layerNormalization(division: Node): { node: Node; last: Node } | null {
    const difference = this.#difference(division.inputs[0]);
    const root = this.#source(division.inputs[1], 'Sqrt');
    const sum = root && this.#source(root.inputs[0], 'Add');
    if (!difference || !sum) return null;
    const [first, second] = sum.inputs.map((name) => this.#number(name));
    const epsilon = first ?? second;
    const variance = this.#mean(sum.inputs[first === null ? 0 : 1]);
    const squared = variance && this.#squareOf(variance);
    if (epsilon === null || !squared || this.#difference(squared) !== difference) return null;
    const scale = this.#follower(division, 'Mul');
    const shift = this.#follower(scale?.node ?? division, 'Add');
    const last = shift?.node ?? scale?.node ?? division;
    const inputs = [difference, scale?.constant ?? '', ...(shift ? [shift.constant] : [])];
    const attributes = new Map([
      ['axis', -1],
      ['epsilon', epsilon],
    ]);
    return { node: { ...last, op: 'LayerNormalization', inputs, attributes }, last };
  }

  /** Returns x if the value is x - mean(x), otherwise null. */
  #difference(name: string): string | null {
    const node = this.#source(name, 'Sub');
    return node && this.#mean(node.inputs[1]) === node.inputs[0] ? node.inputs[0] : null;
  }

  /** Returns x if the value is the mean of x over its last axis, which is kept with size 1; otherwise null. */
  #mean(name: string): string | null {
    const node = this.#source(name, 'ReduceMean');
    if (!node || (node.attributes.get('keepdims') ?? 1) !== 1) return null;
    const axes =
      (node.attributes.get('axes') as readonly number[] | undefined) ?? this.#numbers(node.inputs[1]);
    return axes?.length === 1 && axes[0] === -1 ? node.inputs[0] : null;
  }

  /** Returns x if the value is x², otherwise null. */
  #squareOf(name: string): string | null {
    const power = this.#source(name, 'Pow');
    if (power) return this.#number(power.inputs[1]) === 2 ? power.inputs[0] : null;
    const product = this.#source(name, 'Mul');
    return product && product.inputs[0] === product.inputs[1] ? product.inputs[0] : null;
  }

  /** If the only reader of a node's output is an `op` with a constant, returns this reader and the constant; otherwise null. */
  #follower({ outputs: [name] }: Node, op: string): { node: Node; constant: string } | null {
    const readers = this.#readers.get(name) ?? [];
    const [node] = readers;
    if (readers.length !== 1 || node.op !== op || this.#graph.outputs.includes(name)) return null;
    const constant = node.inputs.find((input) => input !== name) ?? '';
    const isConstant = this.#graph.constants.has(constant) || this.#source(constant, 'Constant') !== null;
    return isConstant ? { node, constant } : null;
  }

  #source(name: string | undefined, op: string): Node | null {
    const node = this.#sources.get(name ?? '');
    return node?.op === op ? node : null;
  }

  #numbers(name: string | undefined): readonly number[] | null {
    const found = this.#graph.constants.get(name ?? '');
    if (found) return found.values.length < 9 ? [...found.values] : null;
    const node = this.#source(name, 'Constant');
    return node && constantNumbers(node);
  }

  #number(name: string | undefined): number | null {
    const numbers = this.#numbers(name);
    return numbers?.length === 1 ? numbers[0] : null;
  }
}

/** Removes nodes that no output depends on, and counts the readers of values again. */
function withoutUnused(graph: Graph): Graph {
  const readers = new Map<string, number>();
  const read = (name: string): void => {
    if (name !== '') readers.set(name, (readers.get(name) ?? 0) + 1);
  };
  const needed = new Set(graph.outputs);
  graph.outputs.forEach(read);
  const nodes = graph.nodes.toReversed().filter(({ op, inputs, outputs }) => {
    if (!outputs.some((name) => needed.has(name))) return false;
    for (const name of inputs) needed.add(name);
    if (op !== 'Shape') inputs.forEach(read);
    return true;
  });
  return { ...graph, nodes: nodes.reverse(), readers };
}
