/** Types and functions that the translations of all layers share. */
import type { Json, JsonObject } from '@unroll/core/internal';
import type { ImportedArray } from '../imported.js';
import { classNameOf, isObject, objectIn } from './json.js';
import { type ImportContext, KerasOptions } from './options.js';

/** The variables of one part of a layer, in the order of Keras. */
export interface WeightGroup {
  /** Path of the part below the layer in a file of Keras 3: '' or `forward_layer/cell`. */
  path: string;
  /** Names of the parameters, relative to the layer: `kernel` or `forward_lstm/kernel`. */
  parameters: readonly string[];
  /** Number of parameters at the end that training does not change (moving statistics). Default 0. */
  fixed?: number;
  /** False if the layer is frozen. */
  trainable: boolean;
  /** Converts the arrays of the file to the values of the parameters. */
  convert?: (arrays: ImportedArray[]) => ImportedArray[];
}

/**
 * What a layer does with masks:
 * - pass: ignores the mask, and passes it on
 * - use: reads the mask in the same way in Keras and Unroll, and passes it on if the output has a time axis
 * - drop: Unroll would use the mask, but Keras ignores and drops it
 * - none: the output has no mask
 * - refuse: Keras uses the mask, and Unroll does not; a model with a mask here is not imported
 * - merge: the output is valid where any input is valid
 * - concat: like merge, but joins the masks if the layer concatenates steps
 * - embedding, masking: computes a mask from the input
 * - attention: reads the masks of all inputs, and passes the first on
 */
export type MaskRule =
  | 'pass'
  | 'use'
  | 'drop'
  | 'none'
  | 'refuse'
  | 'merge'
  | 'concat'
  | 'embedding'
  | 'masking'
  | 'attention';

/** A layer in Unroll's form. */
export interface TranslatedLayer {
  className: string;
  config: JsonObject;
  weights: WeightGroup[];
  masks: MaskRule;
}

/** Translates the config of a layer inside another layer. */
export interface NestedTranslator {
  layer(value: Json | undefined): TranslatedLayer;
}

export type Translator = (options: KerasOptions, name: string, nested: NestedTranslator) => TranslatedLayer;

/** Class names by alias or by the class name of an older version. */
const ALIASES: Readonly<Record<string, string>> = {
  BatchNormalizationV1: 'BatchNormalization',
  BatchNormalizationV2: 'BatchNormalization',
  Convolution1D: 'Conv1D',
  GRUV1: 'GRU',
  GRUV2: 'GRU',
  GlobalAvgPool1D: 'GlobalAveragePooling1D',
  GlobalMaxPool1D: 'GlobalMaxPooling1D',
  LSTMV1: 'LSTM',
  LSTMV2: 'LSTM',
  MaxPool1D: 'MaxPooling1D',
  AvgPool1D: 'AveragePooling1D',
};

/** Returns a class name without the package under which the class is registered, and without the suffix of old versions. */
export function plainClassName(className: string): string {
  const name = className.slice(className.lastIndexOf('>') + 1);
  return Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
}

export function seedOf(o: KerasOptions): JsonObject {
  const seed = o.take('seed');
  return typeof seed === 'number' ? { seed } : {};
}

/** Returns the name by which messages refer to a layer. */
export function whereOf(name: string, className: string): string {
  return `Layer "${name}" (${className})`;
}

/** Returns the options of a serialised object. @param what names the object in messages */
export function optionsOf(value: Json | undefined, what: string, context: ImportContext): KerasOptions {
  const object = objectIn(value, what);
  const className = plainClassName(classNameOf(object) ?? '');
  const config = isObject(object.config) ? object.config : {};
  const name = typeof config.name === 'string' ? config.name : className.toLowerCase();
  return new KerasOptions(whereOf(name, className), config, context);
}
