/**
 * The graph of a functional model. `layer.apply(x)` computes nothing: it notes in a node which layer takes which symbolic
 * tensors, and gives the symbolic tensors that come out, whose shapes are known at once. A model walks the nodes later.
 */
import { formatShape, type Shape, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Layer } from './layer.js';

/** One place where a layer stands in a graph. */
export interface GraphNode {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
  /** A mask [batch, time] for the first input, from another tensor of the graph. */
  readonly mask: SymbolicTensor | null;
  readonly outputs: readonly SymbolicTensor[];
}

export interface ApplyOptions {
  /** The initial states of a recurrent layer: h, or h and c, as further inputs. */
  initialState?: readonly SymbolicTensor[];
  /** The constants that a recurrent layer's cell declares, in its order, as the last inputs. */
  constants?: readonly SymbolicTensor[];
  /** A mask [batch, time] for the first input: 1 where a step counts. Default: the one that comes with the input. */
  mask?: SymbolicTensor;
}

/** A value that does not exist yet: a shape, and where it will come from. */
export class SymbolicTensor {
  /** [batch, ...]; -1: any extent. */
  readonly shape: Shape;
  readonly node: GraphNode;
  /** Which of the node's outputs this is. */
  readonly index: number;

  constructor(shape: Shape, node: GraphNode, index: number) {
    this.shape = shape;
    this.node = node;
    this.index = index;
  }

  /** All outputs of the layer that gave this one: `const [y, h, c] = lstm({ ..., returnState: true }).apply(x)`. */
  [Symbol.iterator](): Iterator<SymbolicTensor> {
    return this.node.outputs[Symbol.iterator]();
  }

  toString(): string {
    return `SymbolicTensor${formatShape(this.shape)} of ${this.node.layer.label}`;
  }
}

/** Notes the application of a layer; returns the first output. */
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

/** A node with its outputs. */
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

/** The tensors that a node reads: inputs, then the mask. */
export function sourcesOf(node: GraphNode): readonly SymbolicTensor[] {
  return node.mask ? [...node.inputs, node.mask] : node.inputs;
}

/** What lies between the inputs and the outputs of a model. */
export interface GraphParts {
  /** Every node after the nodes it reads from. */
  nodes: readonly GraphNode[];
  /** Every layer once, in Keras's order, which is that of its weights: by distance from the outputs, farthest first. */
  layers: readonly Layer[];
}

/** @throws UnrollError `value` where an output needs an input that the model does not have, or an input is none */
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

/** Steps from each layer to the outputs, by the longest way. */
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
