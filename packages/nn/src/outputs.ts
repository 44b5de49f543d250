/** The symbolic tensors inside a model, from which another model with the same weights can be made. */
import { UnrollError } from '@unroll/core';
import type { SymbolicTensor } from './graph.js';
import type { Layer } from './layer.js';
import { input } from './layers/input.js';
import type { Network } from './network.js';

interface Chain {
  inputs: readonly SymbolicTensor[];
  outputs: readonly SymbolicTensor[];
}

const chains = new WeakMap<Network, Chain>();

/**
 * The graph of a sequential model, created on first use. @throws UnrollError `state` if the shape of its input is
 * unknown
 */
export function chainOf(model: Network): Chain {
  const known = chains.get(model);
  if (known) return known;
  if (!model.inputShapes) {
    throw new UnrollError(
      'state',
      `${model.label}: the shape of its input is not known yet. Begin with input(), or build or train it first.`,
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
  const chain = { inputs, outputs };
  chains.set(model, chain);
  return chain;
}

/** The first output of a layer that is used exactly once. */
export function outputOf(layer: Layer): SymbolicTensor {
  for (const model of layer.chains) chainOf(model);
  const [node, other] = layer.nodes;
  if (node && !other) return node.outputs[0];
  const why = node
    ? `is used ${layer.nodes.length} times, each time with a different output`
    : 'is not in a model yet, so it has no output';
  throw new UnrollError('state', `${layer.label} ${why}. Use the result of apply().`, { layer: layer.name });
}
