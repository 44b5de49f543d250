/** Writes a model as an ONNX file with standard operators and float32 weights. The batch is the first axis. */
import { type FloatArray, type Shape, UnrollError, valueError } from '@unroll/core';
import { Functional, type Network } from '@unroll/nn';
import type { ExportOptions } from '../format.js';
import { type ExportSettings, LayerCall } from './export/call.js';
import { FLOAT, type GraphTensor, INT64, OnnxGraph } from './export/graph.js';
import { exportLayer } from './export/layers.js';
import { writeModel } from './protobuf.js';

/** The oldest and the newest version of the operator set that can be written. */
export const OPSETS: readonly [oldest: number, newest: number] = [13, 23];
const DEFAULT_OPSET = 17;
/** Returns a version of the file format that all tools with this version of the operator set can read. */
const irVersionOf = (opset: number): number => (opset <= 14 ? 7 : opset <= 18 ? 8 : opset <= 20 ? 9 : 10);

/**
 * Returns the bytes of an ONNX file. Inputs and outputs have the same names and the same order of axes as in the model: [batch,
 * steps, features]. The states of stateful layers (with `streaming`, the states of all layers) are further inputs and outputs:
 * `lstm.h` and `lstm.h.next`, [batch, units].
 * @throws UnrollError `state` for a model that has no weights or cannot be streamed, `value` for an unsupported version and
 * for a layer that ONNX cannot express; the message names the layer
 */
export async function exportOnnx(
  model: Network,
  { opset = DEFAULT_OPSET, streaming = false }: ExportOptions = {},
): Promise<Uint8Array> {
  const [oldest, newest] = OPSETS;
  if (!Number.isInteger(opset) || opset < oldest || opset > newest)
    throw valueError(`opset must be from ${oldest} to ${newest}, got ${opset}.`, { opset });
  const { inputShapes } = model;
  if (!model.built || !inputShapes)
    throw new UnrollError(
      'state',
      `${model.label} has no weights to export yet. Train it, or call build([[-1, ...]]) first.`,
    );
  const isStreamed = streaming ? model.streaming(inputShapes.map(() => true)) : [];
  const values = await Promise.all(model.parameters.map((parameter) => parameter.data()));
  const weights = new Map<object, FloatArray>(model.parameters.map((parameter, i) => [parameter, values[i]]));
  const graph = new OnnxGraph(opset);
  const settings: ExportSettings = { graph, weights, streaming, states: [] };
  const names = model.inputNames ?? ['input'];
  const inputs = inputShapes.map((shape, i): GraphTensor => {
    const type = readsIds(model, i) ? INT64 : FLOAT;
    return { name: graph.input(names[i] || 'input', dimensions(shape), type), shape, mask: null };
  });
  const outputs = exportLayer(new LayerCall(model, '', inputs, settings));
  const outputNames = model instanceof Functional ? model.outputNames : ['output'];
  outputs.forEach(({ name, shape }, i) => {
    const steps = isStreamed[i] ? [shape[0], -1, ...shape.slice(2)] : shape;
    graph.output(outputNames[i], name, dimensions(steps, `${outputNames[i]}_`));
  });
  for (const { input, output, shape } of settings.states)
    graph.output(`${input}.next`, output, ['batch', ...shape]);
  return writeModel({
    irVersion: irVersionOf(opset),
    producerName: 'unroll',
    graph: graph.message(model.name),
    opsetImport: [{ domain: '', version: opset }],
  });
}

/** Returns a shape in which axes of unknown size have names: `batch`, `steps`. */
function dimensions(shape: Shape, prefix = ''): (number | string)[] {
  const names = ['batch', `${prefix}steps`];
  return shape.map((extent, d) =>
    d === 0 ? 'batch' : extent >= 0 ? extent : (names[d] ?? `${prefix}axis_${d}`),
  );
}

/** Returns true if an input contains ids, because only Embedding layers read it. */
function readsIds(model: Network, index: number): boolean {
  if (!(model instanceof Functional)) return model.layers[0]?.className === 'Embedding';
  const { node } = model.inputs[index];
  const { nodes } = model.config.config as { nodes: { layer: string; inputs: [number, number][] }[] };
  const inputNode = nodes.findIndex(({ layer, inputs }) => inputs.length === 0 && layer === node.layer.name);
  const readers = nodes.filter(({ inputs }) => inputs.some(([source]) => source === inputNode));
  return readers.length > 0 && readers.every(({ layer }) => model.getLayer(layer).className === 'Embedding');
}
