/** Writes models, including nested models, as the nodes of their layers. */
import { Functional, type Network } from '@unroll/nn';
import type { LayerCall } from './call.js';
import type { GraphTensor } from './graph.js';

type ExportLayer = (call: LayerCall) => GraphTensor[];

/** Adds the nodes of a model's layers, and returns the outputs of the model. @param call the call of the model */
export function exportNetwork(model: Network, call: LayerCall, exportLayer: ExportLayer): GraphTensor[] {
  const pathOf = (name: string): string => (call.path ? `${call.path}/${name}` : name);
  if (!(model instanceof Functional))
    return model.layers.reduce<readonly GraphTensor[]>(
      (inputs, layer) => exportLayer(call.inner(layer, inputs, pathOf(layer.name))),
      call.inputs,
    ) as GraphTensor[];
  const { nodes, inputs, outputs } = model.config.config as {
    nodes: { layer: string; inputs: [number, number][]; mask?: [number, number] }[];
    inputs: [number, number][];
    outputs: [number, number][];
  };
  const results: GraphTensor[][] = [];
  inputs.forEach(([node], i) => {
    results[node] = [call.inputs[i]];
  });
  nodes.forEach(({ layer, inputs: refs, mask }, n) => {
    if (results[n]) return;
    const values = refs.map(([node, output]) => results[node][output]);
    if (mask) values[0] = { ...values[0], mask: results[mask[0]][mask[1]].name };
    results[n] = exportLayer(call.inner(model.getLayer(layer), values, pathOf(layer)));
  });
  return outputs.map(([node, output]) => results[node][output]);
}
