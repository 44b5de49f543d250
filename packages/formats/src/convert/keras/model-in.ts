/** Translates Keras models (Sequential, Functional, and models inside them) into the config of an Unroll model. */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import { customLayer } from './custom.js';
import { functionalFrom } from './graph-in.js';
import { classNameOf, configError, isObject, listIn, objectIn } from './json.js';
import { plainClassName, type TranslatedLayer, whereOf } from './layer-types.js';
import { LAYERS, translatorOf } from './layers-in.js';
import { uniqueNames } from './layers-in-recurrent.js';
import { applyMasks, type TensorMasks } from './masks-in.js';
import {
  frozenOption,
  inputShapeOf,
  isModel,
  type LayerWeights,
  type ModelContext,
  shapeIn,
  type TranslatedModel,
  unmask,
  weightsBelow,
} from './model-parts.js';
import { type ImportContext, KerasOptions } from './options.js';

/** Maximum nesting depth of models and wrapper layers. */
const MAX_DEPTH = 16;

/**
 * Translates a serialised layer or model.
 * @param masks masks of the inputs, if the object is a model
 * @param depth number of models and wrapper layers around the object
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
    throw configError(`Layer "${name}"`, `inside at most ${MAX_DEPTH} models and wrapper layers`, depth);
  if (isModel(className)) {
    const isSequential = className === 'Sequential' || !('input_layers' in config);
    const inner = (part: Json, partMasks: readonly TensorMasks[]) =>
      translate(part, context, partMasks, depth + 1);
    const model = { name, context, masks, depth, translate: inner };
    return isSequential ? sequentialFrom(config, model) : functionalFrom(config, model);
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
      `${where} cannot be imported: it contains Python code, which is never executed. Replace it by other layers or by a custom layer, which is registered with registerLayer, and export the model again.`,
      { className },
    );
  return valueError(
    `${where} cannot be imported: Unroll has no layer of this class. If it is a custom layer, implement it and call registerLayer before the import. Layers that can be imported: ${Object.keys(LAYERS).join(', ')}.`,
    { className },
  );
}

function sequentialFrom(config: JsonObject, model: ModelContext): TranslatedModel {
  const { name, context, masks } = model;
  const entries = listIn(config.layers, `The layers of model "${name}"`).map((entry) =>
    objectIn(entry, 'A layer'),
  );
  const input = sequentialInput(config, entries, name);
  const uniqueName = uniqueNames();
  const layers: JsonObject[] = [];
  const weights: LayerWeights[] = [];
  let rank = input?.shape.length ?? 3;
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
    const layer = model.translate(entry, [current]);
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
      layers.push(unmask(`${String(layer.config.name)}_without_mask`, rank, context.report));
    if (layer.className === 'Embedding') rank++;
    current = outputs[0];
    layers.push({ className: layer.className, config: layer.config });
    weights.push({
      name: String(layer.config.name),
      className,
      nameInFile: uniqueName(className),
      weights: layer.weights,
    });
  }
  if (layers.length === 0) throw configError(`Model "${name}"`, 'a model with layers', config.layers);
  return {
    className: 'Sequential',
    config: {
      name,
      ...frozenOption(config),
      ...(input && { inputShape: input.shape, inputName: input.name }),
      layers,
    },
    weights: weightsBelow(weights, config),
    layers: weights,
    masks: 'pass',
    outputMasks: [current],
  };
}

/** Returns the shape and the name of the input; null if the file does not contain the shape. */
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
