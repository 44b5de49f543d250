/** Translates Keras models (Sequential, Functional, and models inside them) into the config of an Unroll model. */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import { customLayer } from './custom.js';
import { functionalFrom } from './graph-in.js';
import { classNameOf, configError, isObject, listIn, objectIn } from './json.js';
import {
  LAYERS,
  plainClassName,
  type TranslatedLayer,
  translatorOf,
  type WeightGroup,
  whereOf,
} from './layers-in.js';
import { uniqueNames } from './layers-in-recurrent.js';
import { applyMasks, type TensorMasks } from './masks-in.js';
import { type ImportContext, KerasOptions } from './options.js';

/** A model, or a layer of a model, with the weights of all parts. */
export interface TranslatedModel extends TranslatedLayer {
  /** The layers with their weights, in the order of the file, for files that store weights per layer. */
  layers: LayerWeights[];
  /** Whether Keras keeps a mask of each output. */
  outputMasks: TensorMasks[];
}

export interface LayerWeights {
  name: string;
  className: string;
  /** Name in the list of layers in a file of Keras 3: `lstm_1`. */
  stored: string;
  weights: readonly WeightGroup[];
}

const MODELS = ['Sequential', 'Functional', 'Model'];
/** Models inside models inside models ... */
const MAX_DEPTH = 16;

export const isModel = (className: string | null): boolean =>
  className !== null && MODELS.includes(className);

/**
 * Translates a serialised layer or model.
 * @param masks of the inputs, for a model
 * @throws UnrollError `value` for a layer that Unroll does not have, `format` for a damaged config
 */
export function translate(
  value: Json | undefined,
  context: ImportContext,
  masks: readonly TensorMasks[] = [],
  depth = 0,
): TranslatedLayer | TranslatedModel {
  const object = objectIn(value, 'A layer');
  const className = plainClassName(classNameOf(object) ?? '');
  const config = objectIn(object.config, `The config of a layer of class ${className}`);
  const name = nameIn(object, config, className);
  if (depth > MAX_DEPTH)
    throw configError(`Layer "${name}"`, `at most ${MAX_DEPTH} models inside each other`, depth);
  if (isModel(className)) {
    const isSequential = className === 'Sequential' || !('input_layers' in config);
    return (isSequential ? sequentialFrom : functionalFrom)(config, { name, context, masks, depth });
  }
  const where = whereOf(name, className);
  const translator = translatorOf(className);
  if (!translator) {
    const custom = customLayer(className, name, config);
    if (custom) return custom;
    throw unknownLayer(where, className);
  }
  const options = new KerasOptions(where, config, context);
  const layer = translator(options, name, {
    layer: (inner) => translate(inner, context, [], depth + 1),
  });
  options.finish();
  return layer;
}

function nameIn(object: JsonObject, config: JsonObject, className: string): string {
  if (typeof config.name === 'string') return config.name;
  return typeof object.name === 'string' ? object.name : className.toLowerCase();
}

function unknownLayer(where: string, className: string): Error {
  if (className === 'Lambda')
    return valueError(
      `${where} cannot be imported: it contains Python code, which is never executed. Replace it by layers, or by a class of your own that is registered with registerLayer, and export the model again.`,
      { className },
    );
  return valueError(
    `${where} cannot be imported: Unroll has no layer of this class. If it is a custom layer, implement it and call registerLayer before the import. Layers that can be imported: ${Object.keys(LAYERS).join(', ')}.`,
    { className },
  );
}

export interface ModelContext {
  name: string;
  context: ImportContext;
  masks: readonly TensorMasks[];
  depth: number;
}

/** Shapes as lists in which null is any size, to shapes in which -1 is. */
export function shapeIn(value: Json | undefined, what: string): number[] {
  return listIn(value, what).map((extent) => {
    if (extent === null) return -1;
    if (typeof extent === 'number' && Number.isSafeInteger(extent) && extent >= -1) return extent;
    throw configError(what, 'a list of sizes', value);
  });
}

/** The shape of an InputLayer, with the batch axis. */
export function inputShapeOf(config: JsonObject, where: string): number[] {
  const shape = config.batch_shape ?? config.batch_input_shape;
  if (shape !== undefined && shape !== null) return shapeIn(shape, `The shape of ${where}`);
  return [-1, ...shapeIn(config.shape, `The shape of ${where}`)];
}

function sequentialFrom(config: JsonObject, { name, context, masks, depth }: ModelContext): TranslatedModel {
  const entries = listIn(config.layers, `The layers of model "${name}"`).map((entry) =>
    objectIn(entry, 'A layer'),
  );
  const input = sequentialInput(config, entries, name);
  const stored = uniqueNames();
  const layers: JsonObject[] = [];
  const weights: LayerWeights[] = [];
  let current: TensorMasks = masks[0] ?? { keras: null, unroll: null };
  for (const [position, entry] of entries.entries()) {
    const className = plainClassName(classNameOf(entry) ?? '');
    if (className === 'InputLayer') {
      if (position > 0)
        throw configError(
          `Layer ${position} of model "${name}"`,
          'a layer other than an InputLayer',
          className,
        );
      continue;
    }
    const layer = translate(entry, context, [current], depth + 1);
    const call = {
      where: whereOf(String(layer.config.name), className),
      rule: layer.masks,
      config: layer.config,
      tensor: `${name}:${position}`,
      inputs: [current],
      explicit: undefined,
      outputs: 1,
      hasStates: false,
    };
    const { drop, outputs } =
      'outputMasks' in layer ? { drop: [], outputs: layer.outputMasks } : applyMasks(call, context);
    if (drop.length > 0)
      layers.push(unmask(`${String(layer.config.name)}_without_mask`, input?.shape.length ?? 3));
    current = outputs[0];
    layers.push({ className: layer.className, config: layer.config });
    weights.push({
      name: String(layer.config.name),
      className,
      stored: stored(className),
      weights: layer.weights,
    });
  }
  if (layers.length === 0) throw configError(`Model "${name}"`, 'a model with layers', config.layers);
  return {
    className: 'Sequential',
    config: {
      name,
      ...frozen(config),
      ...(input && { inputShape: input.shape, inputName: input.name }),
      layers,
    },
    weights: weightsBelow(weights, config),
    layers: weights,
    masks: 'pass',
    outputMasks: [current],
  };
}

/** Returns shape and name of the input, wherever the file has the shape; null if nowhere. */
function sequentialInput(
  config: JsonObject,
  [first]: readonly JsonObject[],
  name: string,
): { shape: number[]; name: string } | null {
  const where = `the input of model "${name}"`;
  const firstConfig = isObject(first?.config) ? first.config : {};
  if (classNameOf(first) === 'InputLayer')
    return { shape: inputShapeOf(firstConfig, where), name: String(firstConfig.name ?? 'input') };
  const shape = firstConfig.batch_input_shape ?? config.build_input_shape;
  return Array.isArray(shape) ? { shape: shapeIn(shape, `The shape of ${where}`), name: 'input' } : null;
}

export const frozen = (config: JsonObject): JsonObject =>
  config.trainable === false ? { trainable: false } : {};

/** A layer that drops the mask: Permute, in the order that the axes already have. */
export function unmask(name: string, rank: number): JsonObject {
  return { className: 'Permute', config: { name, dims: Array.from({ length: rank - 1 }, (_, d) => d + 1) } };
}

/** The weights of all layers of a model, with paths from the model. */
export function weightsBelow(layers: readonly LayerWeights[], config: JsonObject): WeightGroup[] {
  return layers.flatMap(({ name, stored, weights }) =>
    weights.map((group) => ({
      ...group,
      path: group.path ? `layers/${stored}/${group.path}` : `layers/${stored}`,
      parameters: group.parameters.map((parameter) => `${name}/${parameter}`),
      trainable: group.trainable && config.trainable !== false,
    })),
  );
}
