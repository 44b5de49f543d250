/** Symbolic tensors of existing models, for new models that share their weights. */
import { UnrollError } from '@unroll/core';
import type { SymbolicTensor } from './graph.js';
import type { Layer } from './layer.js';
import { input } from './layers/input.js';
import type { Network } from './network.js';

interface SequentialGraph {
  inputs: readonly SymbolicTensor[];
  outputs: readonly SymbolicTensor[];
}

const graphs = new WeakMap<Network, SequentialGraph>();

/**
 * Returns the symbolic inputs and outputs of a sequential model, which are created on first use.
 * @throws UnrollError `state` if the shape of the model's input is unknown
 */
export function sequentialGraph(model: Network): SequentialGraph {
  const existing = graphs.get(model);
  if (existing) return existing;
  if (!model.inputShapes) {
    throw new UnrollError(
      'state',
      `${model.label}: the shape of its input is unknown. Make input() the first entry, or build or train the model first.`,
      { model: model.name },
    );
  }
  const [[batch, ...shape]] = model.inputShapes as [[number, ...number[]]];
  const extents = shape.map((extent) => (extent === -1 ? null : extent));
  const inputs = [input({ shape: extents, ...(batch !== -1 && { batchSize: batch }) })];
  const outputs = model.layers.reduce(
    (tensors: readonly SymbolicTensor[], layer) => [...layer.apply(tensors)],
    inputs,
  );
  const graph = { inputs, outputs };
  graphs.set(model, graph);
  return graph;
}

/** Returns the first output of a layer. @throws UnrollError `state` unless the layer is used exactly once */
export function outputOf(layer: Layer): SymbolicTensor {
  for (const model of layer.parents) sequentialGraph(model);
  const [node, secondNode] = layer.nodes;
  if (node && !secondNode) return node.outputs[0];
  const reason = node
    ? `is used ${layer.nodes.length} times, so it has several outputs`
    : 'is not in a model yet, so it has no output';
  throw new UnrollError('state', `${layer.label} ${reason}. Use the result of apply().`, {
    layer: layer.name,
  });
}
