/**
 * The graph of a functional model. `layer.apply(x)` does not compute anything. It creates a node that records the layer
 * and its symbolic inputs, and returns symbolic outputs, whose shapes are known. The model runs the nodes later.
 */
import { formatShape, type Shape, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Layer } from './layer.js';

/** One application of a layer in a graph. */
export interface GraphNode {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  /** A symbolic mask [batch, time] for the first input; null: the input's own mask. */
  readonly mask: SymbolicTensor | null;
  readonly outputs: readonly SymbolicTensor[];
}

export interface ApplyOptions {
  /** The initial states of a recurrent layer: h, or h and c. */
  initialState?: readonly SymbolicTensor[];
  /** The constants that the cell of a recurrent layer declares, in the cell's order. */
  constants?: readonly SymbolicTensor[];
  /** A mask [batch, time] for the first input, 1 for valid steps. Default: the mask of the input. */
  mask?: SymbolicTensor;
}

/** A placeholder for a value: its shape, and the node that computes it when the model runs. */
export class SymbolicTensor {
  /** [batch, ...]; -1: any size. */
  readonly shape: Shape;
  readonly node: GraphNode;
  /** The index among the node's outputs. */
  readonly index: number;

  constructor(shape: Shape, node: GraphNode, index: number) {
    this.shape = shape;
    this.node = node;
    this.index = index;
  }

  /** Iterates over all outputs of the node: `const [y, h, c] = lstm({ ..., returnState: true }).apply(x)`. */
  [Symbol.iterator](): Iterator<SymbolicTensor> {
    return this.node.outputs[Symbol.iterator]();
  }

  toString(): string {
    return `SymbolicTensor${formatShape(this.shape)} of ${this.node.layer.label}`;
  }
}

/** Applies a layer to symbolic tensors: creates a node and returns its first output. */
export function applySymbolic(
  layer: Layer,
  inputs: SymbolicTensor | readonly SymbolicTensor[],
  options: ApplyOptions = {},
): SymbolicTensor {
  checkOptions('apply', options, { initialState: 'array', constants: 'array', mask: true });
  const { initialState = [], constants = [], mask } = options;
  const list = [...[inputs].flat(), ...initialState, ...constants];
  for (const input of mask ? [...list, mask] : list) {
    if (input instanceof SymbolicTensor) continue;
    throw valueError(
      `${layer.label}: apply() takes symbolic tensors, returned by input() and by other layers. ` +
        'To compute with numbers, create a model of the layers and call predict().',
      { layer: layer.name },
    );
  }
  const names = layer.constants ?? [];
  if (initialState.length + constants.length > 0 && constants.length !== names.length) {
    throw valueError(
      `${layer.label}: apply() takes ${names.length > 0 ? `the constants [${names.join(', ')}]` : 'no constants'}, got ${constants.length}.`,
      { layer: layer.name },
    );
  }
  const shapes = layer.outputShapes(list.map((input) => input.shape));
  return makeNode(layer, list, mask ?? null, shapes).outputs[0];
}

/** Creates a node with its outputs. @param shapes shapes of the outputs */
export function makeNode(
  layer: Layer,
  inputs: readonly SymbolicTensor[],
  mask: SymbolicTensor | null,
  shapes: readonly Shape[],
): GraphNode {
  const outputs: SymbolicTensor[] = [];
  const node: GraphNode = { layer, inputs, mask, outputs };
  shapes.forEach((shape, index) => {
    outputs.push(new SymbolicTensor(shape, node, index));
  });
  layer.nodes.push(node);
  return node;
}

/** Returns the tensors that a node depends on: its inputs and its mask. */
export function sourcesOf(node: GraphNode): readonly SymbolicTensor[] {
  return node.mask ? [...node.inputs, node.mask] : node.inputs;
}

/** The part of the graph between the inputs and the outputs of a model. */
export interface Subgraph {
  /** The nodes in topological order. */
  nodes: readonly GraphNode[];
  /**
   * The distinct layers in Keras's order, which determines the order of weights: by distance from the outputs, farthest
   * first.
   */
  layers: readonly Layer[];
}

/**
 * Returns the part of the graph between inputs and outputs.
 * @throws UnrollError `value` if an output depends on an input that is not in `inputs`, or if an input was not created by
 * input()
 */
export function subgraph(inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]): Subgraph {
  const nodes: GraphNode[] = [];
  const visited = new Set<GraphNode>();
  const order = new Map<Layer, number>();
  const computed = inputs.find(({ node }) => node.inputs.length > 0);
  if (computed) throw valueError(`The inputs of a model must come from input(), got ${computed}.`);
  const visit = (tensor: SymbolicTensor): void => {
    const { node } = tensor;
    if (visited.has(node)) return;
    visited.add(node);
    if (!order.has(node.layer)) order.set(node.layer, order.size);
    if (node.inputs.length === 0 && !inputs.includes(tensor)) {
      throw valueError(
        `The outputs depend on ${node.layer.label}, which is not among the model's inputs. Add it to inputs.`,
        { layer: node.layer.name },
      );
    }
    for (const source of sourcesOf(node)) visit(source);
    nodes.push(node);
  };
  for (const tensor of outputs) visit(tensor);
  for (const tensor of inputs) {
    if (visited.has(tensor.node)) continue;
    visited.add(tensor.node);
    nodes.unshift(tensor.node);
    order.set(tensor.node.layer, -1);
  }
  const depths = layerDepths(nodes);
  const layers = [...order.keys()].sort(
    (a, b) => rankIn(depths, b) - rankIn(depths, a) || rankIn(order, a) - rankIn(order, b),
  );
  return { nodes, layers };
}

const rankIn = (ranks: ReadonlyMap<Layer, number>, layer: Layer): number => ranks.get(layer) ?? 0;

/** Returns the longest distance from each layer to the outputs, in nodes. */
function layerDepths(nodes: readonly GraphNode[]): Map<Layer, number> {
  const nodeDepths = new Map<GraphNode, number>();
  const depths = new Map<Layer, number>();
  for (const node of nodes.toReversed()) {
    const depth = Math.max(nodeDepths.get(node) ?? 0, depths.get(node.layer) ?? 0);
    depths.set(node.layer, depth);
    for (const source of sourcesOf(node)) {
      nodeDepths.set(source.node, Math.max(nodeDepths.get(source.node) ?? 0, depth + 1));
    }
  }
  return depths;
}
