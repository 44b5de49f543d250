/** The symbolic tensors inside models: where another model can take them up, with the same weights. */
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

/** The graph of a model of layers one after another, made when first asked for. @throws UnrollError `state` where its input is not known */
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

/** The first output of a layer in the one place where it stands. */
export function outputOf(layer: Layer): SymbolicTensor {
  for (const model of layer.chains) chainOf(model);
  const [node, other] = layer.nodes;
  if (node && !other) return node.outputs[0];
  const why = node
    ? `stands in ${layer.nodes.length} places, each with an output of its own`
    : 'is in no model yet, and so has no output';
  throw new UnrollError('state', `${layer.label} ${why}. Use what apply() returns.`, { layer: layer.name });
}
