/** Translates custom layers, whose classes are registered with `registerLayer`. */
import { UnrollError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import { layerFromConfig } from '@unroll/nn';
import type { TranslatedLayer } from './layer-types.js';
import { toCamel } from './names.js';

/** Stands for the names of all parameters of a custom layer, in the order in which the layer creates them. */
export const ALL_PARAMETERS = '*';

/** Options that Keras writes for every layer. */
const COMMON = ['name', 'trainable', 'dtype', 'build_config', 'batch_input_shape', 'batch_shape'];

/** Returns the layer in Unroll's form, with its options in camelCase; null if no class with this name is registered. */
export function customLayer(className: string, name: string, config: JsonObject): TranslatedLayer | null {
  const options = Object.fromEntries(
    Object.entries(config)
      .filter(([key, value]) => !COMMON.includes(key) && value !== null)
      .map(([key, value]) => [toCamel(key), value]),
  );
  const trainable = config.trainable !== false;
  const unrollConfig: JsonObject = { name, ...options, ...(!trainable && { trainable }) };
  try {
    layerFromConfig({ className, config: unrollConfig });
  } catch (error) {
    if (error instanceof UnrollError && error.data.className === className && 'known' in error.data)
      return null;
    throw error;
  }
  return {
    className,
    config: unrollConfig,
    weights: [{ path: '', parameters: [ALL_PARAMETERS], trainable }],
    masks: 'pass',
  };
}
