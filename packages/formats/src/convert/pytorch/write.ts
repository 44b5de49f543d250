/** Writes a model for PyTorch: the tensors of a state dict, and a Python file that defines the module. */
import { type FloatArray, type Shape, UnrollError, valueError } from '@unroll/core';
import { encodeUtf8 } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { type ExportedLayer, exportLayer, type LayerJson } from './export-layers.js';
import type { NamedTensor } from './pickle-writer.js';

export interface TorchModel {
  tensors: NamedTensor[];
  /** A Python file that defines the class `Model`. */
  python: string;
}

interface GraphJson {
  layers: LayerJson[];
  nodes?: { layer: string; inputs: [number, number][]; mask?: unknown }[];
  inputs?: [number, number][];
  outputs?: [number, number][];
}

/**
 * Converts a model to PyTorch.
 * @param weightsFile name of the file with the tensors, which the Python file mentions
 * @throws UnrollError `value` for a layer that PyTorch does not have, `state` for a model without weights
 */
export async function torchModelOf(model: Network, weightsFile = 'weights.pt'): Promise<TorchModel> {
  if (!model.built)
    throw new UnrollError('state', `${model.label} has no weights to convert yet. Train or build it.`);
  const weights = new Map<string, { shape: Shape; values: FloatArray }>();
  const values = await Promise.all(model.parameters.map((parameter) => parameter.data()));
  model.parameters.forEach(({ name, shape }, i) => {
    weights.set(name, { shape, values: values[i] });
  });
  const { className, config } = model.config;
  const graph = config as unknown as GraphJson;
  const weightsOf = (layer: string) => (name: string) => weights.get(`${layer}/${name}`);
  const shapes = new Map(model.summaryRows().map(({ layer, shapes: outputs }) => [layer.name, outputs]));
  const names = pythonNames(graph.layers.map((layer) => String(layer.config.name)));
  const exported = new Map<string, ExportedLayer>();
  const exportedLayer = (json: LayerJson, rank: number): ExportedLayer => {
    const layer = String(json.config.name);
    const known = exported.get(layer) ?? exportLayer(json, names.get(layer) ?? layer, weightsOf(layer), rank);
    exported.set(layer, known);
    return known;
  };
  const ranks = {
    input: model.inputShapes?.[0]?.length ?? 3,
    outputOf: (layer: string) => shapes.get(layer)?.[0]?.length ?? 3,
  };
  const body =
    className === 'Sequential'
      ? sequentialBody(graph, exportedLayer, ranks)
      : graphBody(model, graph, exportedLayer, ranks);
  const layers = [...exported.values()];
  return { tensors: layers.flatMap(({ tensors }) => tensors), python: pythonFile(layers, body, weightsFile) };
}

type ExportOf = (json: LayerJson, rank: number) => ExportedLayer;
/** Numbers of axes. */
interface Ranks {
  input: number;
  outputOf(layer: string): number;
}

interface Body {
  parameters: string;
  lines: string[];
}

function sequentialBody({ layers }: GraphJson, exportOf: ExportOf, ranks: Ranks): Body {
  const lines: string[] = [];
  let rank = ranks.input;
  for (const json of layers) {
    lines.push(...exportOf(json, rank).forward);
    rank = ranks.outputOf(String(json.config.name));
  }
  return { parameters: 'x', lines: [...lines, 'return x'] };
}

/** Expressions of layers with several inputs, by class. */
const MERGES: Readonly<Record<string, (inputs: readonly string[], config: LayerJson['config']) => string>> = {
  Add: (inputs) => inputs.join(' + '),
  Multiply: (inputs) => inputs.join(' * '),
  Concatenate: (inputs, { axis = -1 }) => `torch.cat([${inputs.join(', ')}], ${String(axis)})`,
};

function graphBody(model: Network, graph: GraphJson, exportOf: ExportOf, ranks: Ranks): Body {
  const { layers, nodes = [], inputs = [], outputs = [] } = graph;
  const byName = new Map(layers.map((json) => [String(json.config.name), json]));
  const lines: string[] = [];
  const variables = nodes.map((_, n) => `v${n}`);
  for (const [n, { layer, inputs: from }] of nodes.entries()) {
    const json = byName.get(layer);
    if (!json) throw new UnrollError('format', `The config has no layer ${layer}.`);
    if (json.className === 'InputLayer') continue;
    const operands = from.map(([node]) => variables[node]);
    const merge = Object.hasOwn(MERGES, json.className) ? MERGES[json.className] : undefined;
    if (merge) {
      lines.push(`${variables[n]} = ${merge(operands, json.config)}`);
      continue;
    }
    if (operands.length !== 1 || from[0][1] !== 0)
      throw valueError(
        `Layer ${layer} (${json.className}) cannot be written for PyTorch: its input must be the first output of one layer.`,
      );
    const source = nodes[from[0][0]].layer;
    lines.push(
      `x = ${operands[0]}`,
      ...exportOf(json, ranks.outputOf(source)).forward,
      `${variables[n]} = x`,
    );
  }
  const results = outputs.map(([node]) => variables[node]);
  const parameters = inputs.map(([node]) => variables[node]).join(', ');
  if (model.inputNames && model.inputNames.length > 1)
    lines.unshift(`# inputs: ${JSON.stringify(model.inputNames)}`);
  return { parameters, lines: [...lines, `return ${results.join(', ')}`] };
}

const PYTHON_KEYWORDS = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield training forward'.split(
    ' ',
  ),
);

/** Returns an attribute name for each layer. */
function pythonNames(layers: readonly string[]): Map<string, string> {
  const taken = new Set<string>();
  return new Map(
    layers.map((layer) => {
      let name = layer.replace(/\W+/g, '_').replace(/^(?=\d)/, '_');
      while (taken.has(name) || PYTHON_KEYWORDS.has(name)) name += '_';
      taken.add(name);
      return [layer, name];
    }),
  );
}

function pythonFile(layers: readonly ExportedLayer[], { parameters, lines }: Body, file: string): string {
  const name = file.replace(/[^\w. -]/g, '_');
  const isSafetensors = file.endsWith('.safetensors');
  const modules = layers.flatMap((layer) => layer.modules);
  const notes = layers.flatMap((layer) => layer.notes);
  const needsF = lines.some((line) => line.includes('F.'));
  return `"""Defines the model whose weights are in ${name}. Sequences are [batch, time, features], ids [batch, time].

    model = Model()
    model.load_state_dict(${isSafetensors ? `load_file("${name}")` : `torch.load("${name}", weights_only=True)`})
    model.eval()
${notes.map((note) => `\n${note}.`).join('')}${notes.length > 0 ? '\n' : ''}"""

import torch
${needsF ? 'import torch.nn.functional as F\n' : ''}${isSafetensors ? 'from safetensors.torch import load_file\n' : ''}from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
${modules.map(({ name, code }) => `        self.${name} = ${code}\n`).join('')}
    def forward(self, ${parameters}):
${lines.map((line) => `        ${line}\n`).join('')}`;
}

/** Returns the files that are written together with the weights, by extension. */
export const pythonFiles = ({ python }: TorchModel): Map<string, Uint8Array> =>
  new Map([['.py', encodeUtf8(python)]]);
