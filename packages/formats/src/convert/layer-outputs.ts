/** Computes the outputs of layers inside a model, to compare a conversion layer by layer. */
import { predictAll, type Tensor } from '@unroll/core';
import { type Functional, model as functional, type Network, type SymbolicTensor } from '@unroll/nn';

/**
 * Returns the first output of each of the named layers, by layer name, for the given inputs of the model. If a layer is called
 * several times, the output is that of its first call. Input layers, and names that no layer has, are left out.
 */
export async function layerOutputs(
  model: Network,
  inputs: readonly Tensor[],
  names: ReadonlySet<string>,
): Promise<Map<string, Tensor>> {
  const found = new Map<string, SymbolicTensor>();
  const seen = new Set<SymbolicTensor['node']>();
  // The nodes that a node reads are visited first, so that the first call of a layer comes first.
  const visit = (tensor: SymbolicTensor): void => {
    const { node } = tensor;
    if (seen.has(node)) return;
    seen.add(node);
    node.inputs.forEach(visit);
    const { name } = node.layer;
    if (names.has(name) && node.inputs.length > 0 && !found.has(name)) found.set(name, node.outputs[0]);
  };
  const graph = model as Network & Pick<Functional, 'inputs' | 'outputs'>;
  graph.outputs.forEach(visit);
  if (found.size === 0) return new Map();
  const inner = functional({ inputs: graph.inputs, outputs: [...found.values()] });
  const outputs = await predictAll(inner, inputs);
  return new Map([...found.keys()].map((name, i) => [name, outputs[i]]));
}
