/**
 * The graph of a functional model. `layer.apply(x)` does not compute anything: it creates a node that records the
 * layer and its symbolic inputs, and returns the symbolic outputs, whose shapes are known immediately. A model later
 * runs the nodes.
 */
import { formatShape, type Shape, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Layer } from './layer.js';

/** One application of a layer in a graph. */
export interface GraphNode {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  /** A mask [batch, time] for the first input, from another tensor of the graph. */
  readonly mask: SymbolicTensor | null;
  readonly outputs: readonly SymbolicTensor[];
}

export interface ApplyOptions {
  /** The initial states of a recurrent layer as additional inputs: h, or h and c. */
  initialState?: readonly SymbolicTensor[];
  /** The constants that a recurrent layer's cell declares, in its order, as the last inputs. */
  constants?: readonly SymbolicTensor[];
  /** A mask [batch, time] for the first input, 1 for valid steps. Default: the mask of the input. */
  mask?: SymbolicTensor;
}

/** A placeholder for a value: a shape, and the node that will compute the value. */
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

  /** All outputs of the layer that computes this one: `const [y, h, c] = lstm({ ..., returnState: true }).apply(x)`. */
  [Symbol.iterator](): Iterator<SymbolicTensor> {
    return this.node.outputs[Symbol.iterator]();
  }

  toString(): string {
    return `SymbolicTensor${formatShape(this.shape)} of ${this.node.layer.label}`;
  }
}

/** Records the application of a layer; returns the first output. */
export function applySymbolic(
  layer: Layer,
  inputs: SymbolicTensor | readonly SymbolicTensor[],
  options: ApplyOptions = {},
): SymbolicTensor {
  checkOptions('apply', options, { initialState: 'list', constants: 'list', mask: true });
  const { initialState = [], constants = [], mask } = options;
  const list = [...(inputs instanceof SymbolicTensor ? [inputs] : inputs), ...initialState, ...constants];
  for (const input of mask ? [...list, mask] : list) {
    if (input instanceof SymbolicTensor) continue;
    throw valueError(
      `${layer.label}: apply() takes symbolic tensors, made by input() and by other layers. ` +
        'To compute with numbers, make a model of the layers and use predict().',
      { layer: layer.name },
    );
  }
  const names = layer.constants ?? [];
  if (initialState.length + constants.length > 0 && constants.length !== names.length) {
    throw valueError(
      `${layer.label}: apply() takes the constants [${names.join(', ')}], got ${constants.length}.`,
      { layer: layer.name },
    );
  }
  const shapes = layer.outputShapes(list.map((input) => input.shape));
  return makeNode(layer, list, mask ?? null, shapes).outputs[0];
}

/** Creates a node with its outputs. */
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

/** The sources of a node: inputs, then the mask. */
export function sourcesOf(node: GraphNode): readonly SymbolicTensor[] {
  return node.mask ? [...node.inputs, node.mask] : node.inputs;
}

/** The part of the graph between the inputs and the outputs of a model. */
export interface GraphParts {
  /** The nodes in topological order. */
  nodes: readonly GraphNode[];
  /**
   * The distinct layers in Keras's order, which is that of its weights: by distance from the outputs, farthest first.
   */
  layers: readonly Layer[];
}

/**
 * @throws UnrollError `value` if an output depends on an input that the model does not have, or an input was not made
 * by input()
 */
export function partsOf(inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]): GraphParts {
  const nodes: GraphNode[] = [];
  const seen = new Set<GraphNode>();
  const order = new Map<Layer, number>();
  const computed = inputs.find(({ node }) => node.inputs.length > 0);
  if (computed) throw valueError(`A model's inputs are made by input(), but one of them is a ${computed}.`);
  const visit = (tensor: SymbolicTensor): void => {
    const { node } = tensor;
    if (seen.has(node)) return;
    seen.add(node);
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
    if (seen.has(tensor.node)) continue;
    seen.add(tensor.node);
    nodes.unshift(tensor.node);
    order.set(tensor.node.layer, -1);
  }
  const depths = layerDepths(nodes);
  const layers = [...order.keys()].sort(
    (a, b) => numberOf(depths, b) - numberOf(depths, a) || numberOf(order, a) - numberOf(order, b),
  );
  return { nodes, layers };
}

const numberOf = (numbers: ReadonlyMap<Layer, number>, layer: Layer): number => numbers.get(layer) ?? 0;

/** The longest distance from each layer to the outputs, in steps. */
function layerDepths(nodes: readonly GraphNode[]): Map<Layer, number> {
  const ofNode = new Map<GraphNode, number>();
  const ofLayer = new Map<Layer, number>();
  for (const node of nodes.toReversed()) {
    const depth = Math.max(ofNode.get(node) ?? 0, ofLayer.get(node.layer) ?? 0);
    ofLayer.set(node.layer, depth);
    for (const source of sourcesOf(node)) {
      ofNode.set(source.node, Math.max(ofNode.get(source.node) ?? 0, depth + 1));
    }
  }
  return ofLayer;
}
