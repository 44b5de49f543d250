/** Types and functions that the translations of sequential and functional models share. */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { ImportReport } from '../format.js';
import { configError, isObject, listIn } from './json.js';
import type { TranslatedLayer, WeightGroup } from './layer-types.js';
import type { TensorMasks } from './masks-in.js';
import type { ImportContext } from './options.js';

/** A model in Unroll's form; `weights` contains the weights of all its layers. */
export interface TranslatedModel extends TranslatedLayer {
  /** The layers with their weights, in the order of the file, for files that store weights per layer. */
  layers: LayerWeights[];
  /** The masks of the outputs. */
  outputMasks: TensorMasks[];
}

export interface LayerWeights {
  name: string;
  className: string;
  /** Name of the layer's weights in a file of Keras 3: `lstm_1`. */
  nameInFile: string;
  weights: readonly WeightGroup[];
}

const MODELS = ['Sequential', 'Functional', 'Model'];
export const isModel = (className: string | null): boolean =>
  className !== null && MODELS.includes(className);

/**
 * Returns true for an operation such as `x + y`. Files of Keras 3 give the module of each object, except `.h5` files. In
 * `.h5` files, an object without the option `trainable` is an operation, because layers and models have this option.
 */
export function isOperation(object: JsonObject, className: string, version: 2 | 3): boolean {
  if (typeof object.module === 'string') return /\bops\b/.test(object.module);
  if (version === 2 || isModel(className)) return false;
  const isLayer = isObject(object.config) && 'trainable' in object.config;
  return !isLayer && !['InputLayer', 'SpatialDropout1D'].includes(className);
}

export interface ModelContext {
  name: string;
  context: ImportContext;
  /** Masks of the inputs. */
  masks: readonly TensorMasks[];
  /** Number of models and wrapper layers around this model. */
  depth: number;
  /** Translates a layer of the model. */
  translate(value: Json, masks: readonly TensorMasks[]): TranslatedLayer | TranslatedModel;
}

/** Returns a shape with -1 instead of null for an axis of any size. */
export function shapeIn(value: Json | undefined, what: string): number[] {
  return listIn(value, what).map((extent) => {
    if (extent === null) return -1;
    if (typeof extent === 'number' && Number.isSafeInteger(extent) && extent >= -1) return extent;
    throw configError(what, 'a list of sizes', value);
  });
}

/** Returns the shape of an InputLayer, with the batch axis. */
export function inputShapeOf(config: JsonObject, where: string): number[] {
  for (const option of ['sparse', 'ragged', 'optional'])
    if (config[option] === true)
      throw valueError(`${where} cannot be imported: it is ${option}.`, { option });
  const shape = config.batch_shape ?? config.batch_input_shape;
  if (shape !== undefined && shape !== null) return shapeIn(shape, `The shape of ${where}`);
  return [-1, ...shapeIn(config.shape, `The shape of ${where}`)];
}

/** Returns the option `trainable` if the model is frozen, else no options. */
export const frozenOption = (config: JsonObject): JsonObject =>
  config.trainable === false ? { trainable: false } : {};

/** Returns a layer that drops the mask: a Permute that keeps the order of the axes. Adds it to the report. */
export function unmask(name: string, rank: number, report: ImportReport): JsonObject {
  report.defaulted.push({
    name: `layer "${name}"`,
    value: 'Permute layer that leaves the axes as they are',
    reason: 'Keras ignores the mask in the next layer, so this layer drops it',
  });
  return { className: 'Permute', config: { name, dims: Array.from({ length: rank - 1 }, (_, d) => d + 1) } };
}

/** Returns the weights of all layers of a model, with paths and names relative to the model. */
export function weightsBelow(layers: readonly LayerWeights[], config: JsonObject): WeightGroup[] {
  return layers.flatMap(({ name, nameInFile, weights }) =>
    weights.map((group) => ({
      ...group,
      path: group.path ? `layers/${nameInFile}/${group.path}` : `layers/${nameInFile}`,
      parameters: group.parameters.map((parameter) => `${name}/${parameter}`),
      trainable: group.trainable && config.trainable !== false,
    })),
  );
}
