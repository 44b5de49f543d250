/**
 * Finds the weights of the parameters in an HDF5 file, in the layout of Keras 3 (`layers/dense/vars/0`) or of Keras 2 and
 * the `.h5` files of Keras 3 (`dense/dense/kernel:0`, with the order in the attribute `weight_names`).
 */
import { UnrollError } from '@unroll/core';
import type { Hdf5Reader } from '../hdf5/read.js';
import type { ImportedArray } from '../imported.js';
import { ALL_PARAMETERS } from './custom.js';
import type { WeightGroup } from './layers-in.js';
import type { LayerWeights, TranslatedModel } from './model-in.js';

/** Arrays by parameter name. For custom layers, whose parameters have unknown names, in the order of the parameters. */
export class ImportedArrays extends Map<string, ImportedArray> {
  /** By the path of the layer, with `/` at its end. */
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

/** @throws UnrollError `format` if the file lacks a layer or an array */
export function readWeights(file: Hdf5Reader, model: TranslatedModel): ImportedArrays {
  const arrays = new ImportedArrays();
  const root = rootOf(file);
  if (root.layout === 3) {
    for (const group of model.weights) addGroup(arrays, group, readGroup(file, root.path, group));
    return arrays;
  }
  for (const layer of model.layers) addLayer(arrays, layer, readLayer(file, root.path, layer));
  checkAllUsed(file, root.path, model);
  return arrays;
}

/** Which layout a file has, and where the weights of the model are. @throws UnrollError `format` for neither */
export function rootOf(file: Hdf5Reader): { layout: 2 | 3; path: string } {
  if (file.strings('/', 'layer_names')) return { layout: 2, path: '' };
  if (file.kind('/model_weights') === 'group') return { layout: 2, path: '/model_weights' };
  if (file.kind('/layers') === 'group') return { layout: 3, path: '' };
  if (file.kind('/_layer_checkpoint_dependencies') === 'group') return { layout: 3, path: '' };
  throw new UnrollError(
    'format',
    'The file has no weights of a Keras model: it has neither layers nor layer_names.',
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

/** Keras 2.12 names the list of layers `_layer_checkpoint_dependencies`. */
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
function readLayer(file: Hdf5Reader, root: string, { name }: LayerWeights): ImportedArray[] {
  const group = `${root}/${name}`;
  return longAttribute(file, group, 'weight_names').map((weight) => arrayAt(file, `${group}/${weight}`));
}

/** Keras splits an attribute of more than 64 kB: `weight_names0`, `weight_names1`, ... */
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

/** The file has the trainable arrays of a layer (and of the layers in it) first, then the others. */
function addLayer(arrays: ImportedArrays, layer: LayerWeights, values: ImportedArray[]): void {
  const prefix = `${layer.name}/`;
  if (layer.weights.some(({ parameters }) => parameters.includes(ALL_PARAMETERS))) {
    arrays.ordered.set(prefix, values);
    return;
  }
  const slots = layer.weights.flatMap((group, g) =>
    group.parameters.map((name, i) => ({
      ...{ g, i, name },
      trainable: group.trainable && i < group.parameters.length - (group.fixed ?? 0),
    })),
  );
  const order = [
    ...slots.filter(({ trainable }) => trainable),
    ...slots.filter(({ trainable }) => !trainable),
  ];
  if (values.length !== order.length) {
    throw new UnrollError(
      'format',
      `Layer "${layer.name}" must have ${order.length} arrays (${order.map(({ name }) => name).join(', ')}), got ${values.length}.`,
      { layer: layer.name, expected: order.length, got: values.length },
    );
  }
  const groups = layer.weights.map((): ImportedArray[] => []);
  order.forEach(({ g, i }, n) => {
    groups[g][i] = values[n];
  });
  layer.weights.forEach((group, g) => {
    addGroup(arrays, { ...group, parameters: group.parameters.map((name) => prefix + name) }, groups[g]);
  });
}

/** @throws UnrollError `format` if the file has weights of a layer that the model does not have */
function checkAllUsed(file: Hdf5Reader, root: string, model: TranslatedModel): void {
  const known = new Set(model.layers.map(({ name }) => name));
  for (const name of longAttribute(file, root || '/', 'layer_names')) {
    if (known.has(name) || longAttribute(file, `${root}/${name}`, 'weight_names').length === 0) continue;
    throw new UnrollError('format', `The model has no layer "${name}", whose weights are in the file.`, {
      name,
    });
  }
}
