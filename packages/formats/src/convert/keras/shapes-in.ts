/** Derives the output shapes of a Keras model's layers from its config, without weights, for descriptions. */
import type { Shape } from '@unroll/core';
import type { Json } from '@unroll/core/internal';
import { modelFromConfig } from '@unroll/nn';
import { emptyReport } from '../imported.js';
import { isObject } from './json.js';
import { translate } from './model-in.js';

/** Returns the shape of each layer's first output; an empty map if the model cannot be imported. Weights are not read. */
export function layerShapes(model: Json, version: 2 | 3): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  try {
    const { className, config } = translate(model, { version, report: emptyReport(), rescaled: false });
    const built = isObject(model) && isObject(model.build_config) ? model.build_config.input_shape : null;
    const hasNoInputShape =
      className === 'Sequential' && config.inputShape === undefined && Array.isArray(built);
    const inputShape = hasNoInputShape && built.map((extent) => (typeof extent === 'number' ? extent : -1));
    const network = modelFromConfig({ className, config: { ...config, ...(inputShape && { inputShape }) } });
    const { inputName } = config;
    if (className === 'Sequential' && network.inputShapes && typeof inputName === 'string')
      shapes.set(inputName, network.inputShapes[0]);
    for (const { layer, shapes: outputs } of network.summaryRows())
      if (outputs && !shapes.has(layer.name)) shapes.set(layer.name, outputs[0]);
  } catch {
    // The description then has no shapes, but still marks unsupported layers. An import reports the error.
    return new Map();
  }
  return shapes;
}
