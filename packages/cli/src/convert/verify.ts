/** `--verify`: compares the outputs of a model with recorded outputs, or with the outputs of the converted file. */
import {
  type Model,
  predictAll,
  RandomStream,
  type Shape,
  type Tensor,
  tensor,
  UnrollError,
  valueError,
} from '@unroll/core';
import type { ByteSource, ImportedModel, ModelFormat, NamedArray } from '@unroll/formats/convert';
import { UsageError } from '../shared/args.js';
import { openFile } from './open.js';

type Network = ImportedModel['model'];

/** How far one output of a model is from the values that it is compared with. */
export interface Comparison {
  /** What the model is compared with, such as `data.npz`. */
  reference: string;
  output: string;
  /** Largest |a - b|. */
  absolute: number;
  /** Largest |a - b| / |b|, over values of at least 1e-3 in magnitude. */
  relative: number;
  /** Whether |a - b| is at most tolerance * max(1, |b|) everywhere. */
  passes: boolean;
}

const BATCH = 3;
const STEPS = 7;

/**
 * Compares the outputs for recorded inputs with the recorded outputs. An array with the name of a layer is compared with the
 * output of this layer.
 * @param path path of an .npz file
 */
export async function compareWithData(
  model: Network,
  path: string,
  tolerance: number,
): Promise<Comparison[]> {
  const { readNpz } = await import('@unroll/formats/convert');
  const arrays = await readNpz(await openFile(path));
  const inputs = inputNames(model).map((name, i) =>
    arrayNamed(arrays, [name, `x${i}`, ...(i === 0 ? ['x'] : [])], path),
  );
  const outputs = await outputsOf(model, inputs);
  const reference = path;
  const used = new Set<string>();
  const results = outputs.map((output, i) => {
    const expected = arrayNamed(arrays, [output.name, `y${i}`, ...(i === 0 ? ['y'] : [])], path);
    used.add(expected.name);
    return compare(reference, output, expected, tolerance);
  });
  const expected = new Map(
    [...arrays]
      .filter(([name]) => !used.has(name))
      .map(([name, { shape, values }]) => [name, { name, shape, values }]),
  );
  return [...results, ...(await compareLayers(model, inputs, { reference, expected, tolerance }))];
}

function arrayNamed(
  arrays: ReadonlyMap<string, { shape: Shape; values: NamedArray['values'] }>,
  names: readonly string[],
  path: string,
): NamedArray {
  const name = names.find((candidate) => arrays.has(candidate));
  const array = name === undefined ? undefined : arrays.get(name);
  if (name !== undefined && array) return { name, shape: array.shape, values: array.values };
  throw new UsageError(
    `${path} must have an array named ${names.join(' or ')}, got ${[...arrays.keys()].join(', ') || 'none'}.`,
  );
}

/** A file to compare a model with. */
export interface ComparedFile {
  source: ByteSource;
  format: ModelFormat;
  /** Also compare the outputs of layers. Only for the file that the model was read from. Default false. */
  comparesLayers?: boolean;
}

/** Compares the outputs for random inputs with those of a file, computed by the runtime of the file's format or by Unroll. */
export async function compareWithFile(
  model: Network,
  { source, format, comparesLayers = false }: ComparedFile,
  tolerance: number,
): Promise<Comparison[]> {
  const inputs = randomInputs(model);
  const ours = await outputsOf(model, inputs);
  const theirs = format.run
    ? await format.run(source, inputs)
    : await outputsOf(await readBack(source, format), inputs);
  const reference = format.run
    ? (format.runtime ?? `the runtime of ${format.name}`)
    : `${source.name}, read back by Unroll`;
  if (theirs.length < ours.length)
    throw new UnrollError(
      'state',
      `${source.name}: the number of outputs must be ${ours.length}, as in the model, got ${theirs.length}.`,
    );
  const results = ours.map((output, i) => compare(reference, output, theirs[i], tolerance));
  if (!comparesLayers || !format.runLayers) return results;
  const values = await format.runLayers(source, inputs);
  const expected = new Map(values.map((value) => [value.name, value]));
  return [
    ...results,
    ...(await compareLayers(model, inputs, { reference, expected, tolerance, skipsOtherShapes: true })),
  ];
}

interface LayerComparison {
  reference: string;
  expected: ReadonlyMap<string, NamedArray>;
  tolerance: number;
  /** True: arrays whose shape differs from the output of the layer are skipped. Default false: they are errors. */
  skipsOtherShapes?: boolean;
}

/** Compares each array in `expected` that has the name of a layer with the output of this layer. */
async function compareLayers(
  model: Network,
  inputs: readonly NamedArray[],
  { reference, expected, tolerance, skipsOtherShapes = false }: LayerComparison,
): Promise<Comparison[]> {
  const { layerOutputs } = await import('@unroll/formats/convert');
  const tensors = inputs.map(({ values, shape }) => tensor(values, shape));
  const outputs = await layerOutputs(model, tensors, new Set(expected.keys()));
  const results: Comparison[] = [];
  for (const [name, output] of outputs) {
    const theirs = expected.get(name) as NamedArray;
    if (skipsOtherShapes && theirs.shape.join() !== output.shape.join()) continue;
    const ours = { name: `layer ${name}`, shape: output.shape, values: await output.data() };
    results.push(compare(reference, ours, theirs, tolerance));
  }
  return results;
}

async function readBack(source: ByteSource, format: ModelFormat): Promise<Network> {
  try {
    return (await format.read(source)).model;
  } catch (error) {
    if (!(error instanceof UnrollError)) throw error;
    throw new UsageError(`--verify random reads the converted file back, which failed: ${error.message}`);
  }
}

const inputNames = (model: Network): readonly string[] => model.inputNames ?? ['x'];

async function outputsOf(model: Network, inputs: readonly NamedArray[]): Promise<NamedArray[]> {
  const tensors = inputs.map(({ values, shape }) => tensor(values, shape));
  const outputs = await predictAll(model as Model, tensors);
  const names = (model as { outputNames?: readonly string[] }).outputNames;
  return Promise.all(
    outputs.map(async (output: Tensor, i) => ({
      name: names?.[i] ?? (outputs.length === 1 ? 'y' : `y${i}`),
      shape: output.shape,
      values: await output.data(),
    })),
  );
}

/** Returns normally distributed inputs; ids for an input that an embedding reads. */
export function randomInputs(model: Network): NamedArray[] {
  const stream = new RandomStream(0);
  return inputNames(model).map((name, i) => {
    const shape = (model.inputShapes?.[i] ?? []).map((extent, axis) =>
      extent > 0 ? extent : axis === 0 ? BATCH : STEPS,
    );
    const idCount = vocabularySizeOf(model, i);
    const size = shape.reduce((product, extent) => product * extent, 1);
    // Ids start at 1 if there are several, because id 0 may be padding.
    const values =
      idCount === null
        ? stream.normal(size)
        : stream.uniform(size).map((u) => (idCount < 2 ? 0 : 1 + Math.floor(u * (idCount - 1))));
    return { name, shape, values };
  });
}

interface LayerConfig {
  className: string;
  config: Partial<GraphConfig> & { name: string; inputDim?: number; layer?: LayerConfig };
}

interface GraphConfig {
  layers: LayerConfig[];
  nodes?: { layer: string; inputs: [number, number][] }[];
  inputs?: [number, number][];
}

/** Layers that return ids unchanged in inference. */
const KEEPS_IDS = new Set([
  'ActivationRegularization',
  'Dropout',
  'Masking',
  'SpatialDropout1D',
  'WordDropout',
]);

/**
 * Returns the vocabulary size (inputDim) of the embedding that reads an input, directly or through other layers; null if no
 * embedding reads the input.
 */
const vocabularySizeOf = (model: Network, index: number): number | null =>
  vocabularySizeOfGraph(model.config.config as unknown as GraphConfig, index);

function vocabularySizeOfGraph({ layers, nodes, inputs }: GraphConfig, index: number): number | null {
  if (!nodes || !inputs) {
    const first = layers.find(({ className }) => !KEEPS_IDS.has(className));
    return first === undefined ? null : vocabularySizeOfLayer(first, index);
  }
  const named = new Map(layers.map((layer) => [layer.config.name, layer]));
  // Nodes whose output is the ids of the input. The nodes are in topological order.
  const idNodes = new Set([inputs[index][0]]);
  for (const [n, node] of nodes.entries()) {
    const input = node.inputs.findIndex(([from]) => idNodes.has(from));
    const layer = named.get(node.layer);
    if (input < 0 || layer === undefined) continue;
    const size = vocabularySizeOfLayer(layer, input);
    if (size !== null) return size;
    if (KEEPS_IDS.has(layer.className)) idNodes.add(n);
  }
  return null;
}

function vocabularySizeOfLayer({ config }: LayerConfig, index: number): number | null {
  const { inputDim, layer, layers } = config;
  if (inputDim !== undefined) return inputDim;
  if (layer !== undefined) return vocabularySizeOfLayer(layer, index);
  return layers === undefined ? null : vocabularySizeOfGraph(config as GraphConfig, index);
}

function compare(reference: string, ours: NamedArray, theirs: NamedArray, tolerance: number): Comparison {
  if (ours.shape.join() !== theirs.shape.join())
    throw valueError(
      `The shape of ${ours.name} is [${ours.shape.join(', ')}], but ${reference} has [${theirs.shape.join(', ')}].`,
    );
  let [absolute, relative] = [0, 0];
  let passes = true;
  ours.values.forEach((value: number, i: number) => {
    const expected = theirs.values[i];
    const error = Math.abs(value - expected);
    if (!(error <= tolerance * Math.max(1, Math.abs(expected)))) passes = false;
    absolute = Math.max(absolute, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    if (Math.abs(expected) >= 1e-3) relative = Math.max(relative, error / Math.abs(expected));
  });
  return { reference, output: ours.name, absolute, relative, passes };
}

/** Formats the result for one output as a line. */
export const comparisonLine = ({ reference, output, absolute, relative, passes }: Comparison): string =>
  `verify   ${output}: largest error ${absolute.toExponential(1)}, relative ${relative.toExponential(1)} ` +
  `(compared with ${reference})${passes ? '' : ' - beyond the tolerance'}`;
