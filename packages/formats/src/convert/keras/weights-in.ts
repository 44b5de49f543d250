/**
 * Finds the weights of the parameters in an HDF5 file, in the layout of Keras 3 (`layers/dense/vars/0`) or of Keras 2 and
 * the `.h5` files of Keras 3 (`dense/dense/kernel:0`, with the order in the attribute `weight_names`).
 */
import { UnrollError } from '@unroll/core';
import type { Hdf5Reader } from '../hdf5/read.js';
import type { ImportedArray } from '../imported.js';
import { ALL_PARAMETERS } from './custom.js';
import type { WeightGroup } from './layer-types.js';
import type { LayerWeights, TranslatedModel } from './model-parts.js';

/**
 * Arrays by parameter name. The names of a custom layer's parameters are unknown when the file is read: each new name for
 * which `get` is called takes the layer's next array.
 */
export class ImportedArrays extends Map<string, ImportedArray> {
  /** The arrays of custom layers that have no parameter name yet, by the path of the layer, which ends with `/`. */
  readonly ordered = new Map<string, ImportedArray[]>();

  override get(name: string): ImportedArray | undefined {
    const found = super.get(name);
    if (found) return found;
    for (const [prefix, arrays] of this.ordered) {
      const array = name.startsWith(prefix) ? arrays.shift() : undefined;
      if (!array) continue;
      this.set(name, array);
      return array;
    }
    return undefined;
  }
}

/** The parts of a translated model that list its weights. */
export type WeightLayout = Pick<TranslatedModel, 'weights' | 'layers'>;

/**
 * Reads the weights of a model.
 * @param byOrder match the layers of a file of Keras 2 by their order instead of by their names
 * @throws UnrollError `format` if the file lacks a layer or an array
 */
export function readWeights(file: Hdf5Reader, model: WeightLayout, byOrder = false): ImportedArrays {
  const arrays = new ImportedArrays();
  const root = rootOf(file);
  if (root.layout === 3) {
    for (const group of model.weights) addGroup(arrays, group, readGroup(file, root.path, group));
    return arrays;
  }
  const names = byOrder ? namesByOrder(file, root.path, model) : null;
  for (const layer of model.layers)
    addLayer(arrays, layer, readLayer(file, root.path, names?.get(layer.name) ?? layer.name));
  if (!byOrder) checkAllUsed(file, root.path, model);
  return arrays;
}

/** Returns the layout of a file, and the path of the model's weights. @throws UnrollError `format` if there are none */
export function rootOf(file: Hdf5Reader): { layout: 2 | 3; path: string } {
  if (file.strings('/', 'layer_names')) return { layout: 2, path: '' };
  if (file.kind('/model_weights') === 'group') return { layout: 2, path: '/model_weights' };
  if (file.kind('/layers') === 'group') return { layout: 3, path: '' };
  if (file.kind('/_layer_checkpoint_dependencies') === 'group') return { layout: 3, path: '' };
  throw new UnrollError(
    'format',
    'The file has no weights of a Keras model: it has neither a group "layers" nor an attribute "layer_names".',
  );
}

/** Reads the variables of one part of a layer, in the layout of Keras 3. */
function readGroup(file: Hdf5Reader, root: string, { path, parameters }: WeightGroup): ImportedArray[] {
  const vars = `${root}/${layersPath(file, path)}/vars`;
  const count = file.kind(vars) === 'group' ? file.keys(vars).length : 0;
  const isCustom = parameters.some((name) => name.endsWith(ALL_PARAMETERS));
  if (!isCustom && count !== parameters.length) {
    throw new UnrollError(
      'format',
      `${vars} must have ${parameters.length} arrays (${parameters.join(', ')}), got ${count}.` +
        (count === 0 ? ' If the layer is shared with another model, save it in one model only.' : ''),
      { path: vars, expected: parameters.length, got: count },
    );
  }
  return Array.from({ length: count }, (_, i) => arrayAt(file, `${vars}/${i}`));
}

/** Returns a path as the file has it: Keras 2.12 names the list of layers `_layer_checkpoint_dependencies`. */
function layersPath(file: Hdf5Reader, path: string): string {
  return file.kind('/layers') === 'group'
    ? path
    : path.replace(/(^|\/)layers\//g, '$1_layer_checkpoint_dependencies/');
}

const arrayAt = (file: Hdf5Reader, path: string): ImportedArray => {
  const { shape, values } = file.read(path);
  return { shape, values, from: path };
};

function addGroup(arrays: ImportedArrays, group: WeightGroup, values: ImportedArray[]): void {
  const converted = group.convert ? group.convert(values) : values;
  const [first] = group.parameters;
  if (first?.endsWith(ALL_PARAMETERS)) {
    arrays.ordered.set(first.slice(0, -ALL_PARAMETERS.length), [...converted]);
    return;
  }
  group.parameters.forEach((name, i) => {
    arrays.set(name, converted[i]);
  });
}

/** Returns the arrays of a layer in the order of `weight_names`. */
function readLayer(file: Hdf5Reader, root: string, name: string): ImportedArray[] {
  const group = `${root}/${name}`;
  return longAttribute(file, group, 'weight_names').map((weight) => arrayAt(file, `${group}/${weight}`));
}

/** Returns the strings of an attribute. Keras splits attributes of more than 64 kB: `weight_names0`, `weight_names1`, ... */
export function longAttribute(file: Hdf5Reader, path: string, name: string): string[] {
  const whole = file.strings(path, name);
  if (whole) return whole;
  const parts: string[][] = [];
  for (;;) {
    const part = file.strings(path, `${name}${parts.length}`);
    if (!part || parts.length > 1000) return parts.flat();
    parts.push(part);
  }
}

/** A parameter of a layer: the indices of its weight group and of the parameter in the group. */
interface ParameterEntry {
  layer: LayerWeights;
  group: number;
  index: number;
  name: string;
  trainable: boolean;
}

function entriesOf(layer: LayerWeights): ParameterEntry[] {
  return layer.weights.flatMap(({ parameters, trainable, fixed = 0 }, group) =>
    parameters.map((name, index) => ({
      ...{ layer, group, index, name },
      trainable: trainable && index < parameters.length - fixed,
    })),
  );
}

const trainableFirst = (entries: readonly ParameterEntry[]): ParameterEntry[] => [
  ...entries.filter(({ trainable }) => trainable),
  ...entries.filter(({ trainable }) => !trainable),
];

/** Adds the arrays of a layer. The file lists the trainable arrays of the layer and of its inner layers first. */
function addLayer(arrays: ImportedArrays, layer: LayerWeights, values: ImportedArray[]): void {
  if (layer.weights.some(({ parameters }) => parameters.includes(ALL_PARAMETERS))) {
    arrays.ordered.set(`${layer.name}/`, values);
    return;
  }
  addEntries(arrays, trainableFirst(entriesOf(layer)), values, `Layer "${layer.name}"`);
}

function addEntries(
  arrays: ImportedArrays,
  entries: readonly ParameterEntry[],
  values: readonly ImportedArray[],
  owner: string,
): void {
  if (values.length !== entries.length) {
    throw new UnrollError(
      'format',
      `${owner} must have ${entries.length} arrays (${entries.map(({ name }) => name).join(', ')}), got ${values.length}.`,
      { owner, expected: entries.length, got: values.length },
    );
  }
  const groups = new Map<WeightGroup, { layer: LayerWeights; values: ImportedArray[] }>();
  entries.forEach(({ layer, group, index }, n) => {
    const key = layer.weights[group];
    const found = groups.get(key) ?? { layer, values: [] };
    found.values[index] = values[n];
    groups.set(key, found);
  });
  for (const [group, { layer, values: groupValues }] of groups) {
    const parameters = group.parameters.map((name) => `${layer.name}/${name}`);
    addGroup(arrays, { ...group, parameters }, groupValues);
  }
}

/**
 * Assigns the arrays of a file to the parameters of a model. The arrays are in the order of TensorFlow.js (all trainable
 * arrays of the model come first) or of `.h5` files (the trainable arrays of each layer come first). The names of the arrays
 * decide which order applies.
 * @throws UnrollError `format` if the names agree with neither order, or if the number of arrays is wrong
 */
export function assignWeights(model: WeightLayout, values: readonly ImportedArray[]): ImportedArrays {
  const entries = model.layers.flatMap(entriesOf);
  const orders = [trainableFirst(entries), model.layers.flatMap((layer) => trainableFirst(entriesOf(layer)))];
  const lastPart = (name: string): string => name.slice(name.lastIndexOf('/') + 1).replace(/:\d+$/, '');
  const fits = (order: readonly ParameterEntry[]): boolean =>
    order.length === values.length &&
    order.every(({ name }, i) => lastPart(name) === lastPart(values[i].from));
  const order = orders.find(fits);
  const arrays = new ImportedArrays();
  if (!order && values.length === entries.length) {
    throw new UnrollError(
      'format',
      `The weights of the file must be ${orders[0].map(({ layer, name }) => `${layer.name}/${name}`).join(', ')}; got ${values.map(({ from }) => from).join(', ')}.`,
    );
  }
  addEntries(arrays, order ?? orders[0], values, 'The model');
  return arrays;
}

/** Matches the layers by order; layers without weights are ignored. Returns the names in the file by names in the model. */
function namesByOrder(file: Hdf5Reader, root: string, { layers }: WeightLayout): Map<string, string> {
  const stored = longAttribute(file, root || '/', 'layer_names').filter(
    (name) => longAttribute(file, `${root}/${name}`, 'weight_names').length > 0,
  );
  const weighted = layers.filter(({ weights }) => weights.some(({ parameters }) => parameters.length > 0));
  if (stored.length === weighted.length) return new Map(weighted.map(({ name }, i) => [name, stored[i]]));
  throw new UnrollError(
    'format',
    `The file has the weights of ${stored.length} layers (${stored.slice(0, 8).join(', ')}), and the model has ${weighted.length} layers with weights.`,
    { file: stored.length, model: weighted.length },
  );
}

/** Checks the layers of a file. @throws UnrollError `format` if it has weights of a layer that the model does not have */
function checkAllUsed(file: Hdf5Reader, root: string, model: WeightLayout): void {
  const known = new Set(model.layers.map(({ name }) => name));
  for (const name of longAttribute(file, root || '/', 'layer_names')) {
    if (known.has(name) || longAttribute(file, `${root}/${name}`, 'weight_names').length === 0) continue;
    throw new UnrollError('format', `The model has no layer "${name}", whose weights are in the file.`, {
      name,
    });
  }
}
