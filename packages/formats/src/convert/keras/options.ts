/**
 * Reads the options of a layer from its Keras config. An option that has not been read is an error unless it has no effect,
 * so that nothing in a file is silently ignored.
 */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { ImportReport } from '../format.js';
import { flagIn, isObject, listIn, numberIn, textIn } from './json.js';
import { activationFrom, activationName, constraintFrom, initializerFrom, regularizerFrom } from './names.js';

/** The version of Keras whose rules apply to a file. */
export interface KerasDialect {
  /** 2: Keras 2, tf.keras and TensorFlow.js. */
  version: 2 | 3;
}

/** Returns 3 for versions of Keras 3, else 2. */
export function dialectOf(version: string): 2 | 3 {
  return version.startsWith('3') ? 3 : 2;
}

/** Data that all translations in the import of one file share. */
export interface ImportContext extends KerasDialect {
  report: ImportReport;
  /** True if weights were rescaled or rearranged, so that the state of the optimizer does not fit them. */
  rescaled: boolean;
}

/** Returns the name of a dtype policy, by default float32; null if it has none, such as the policies of quantised layers. */
function policyName(dtype: Json | undefined): string | null {
  if (dtype === undefined || dtype === null) return 'float32';
  const config = isObject(dtype) ? dtype.config : { name: dtype };
  return isObject(config) && typeof config.name === 'string' ? config.name : null;
}

/** Options that have no effect on a layer's outputs, or that are read directly from the config. */
const IGNORED = new Set([
  ...['name', 'trainable', 'dtype', 'batch_input_shape', 'batch_shape', 'build_config', 'input_dtype'],
  ...['unroll', 'implementation', 'use_cudnn', 'input_length', 'registered_name'],
]);

export class KerasOptions {
  /** How messages refer to the layer: `Layer "encoder" (LSTM)`. */
  readonly where: string;
  readonly config: JsonObject;
  readonly context: ImportContext;
  readonly #read = new Set<string>();

  constructor(where: string, config: JsonObject, context: ImportContext) {
    this.where = where;
    this.config = config;
    this.context = context;
  }

  /** The names of the options that were read, sorted. */
  get names(): string[] {
    return [...this.#read].sort();
  }

  /** Returns an option without conversion; undefined if it is missing or null. */
  take(key: string): Json | undefined {
    this.#read.add(key);
    return this.config[key] ?? undefined;
  }

  number(key: string, fallback?: number): number {
    const value = this.take(key);
    if (value === undefined && fallback !== undefined) return fallback;
    return numberIn(value, this.#name(key));
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.take(key);
    return value === undefined ? fallback : flagIn(value, this.#name(key));
  }

  text(key: string, fallback: string): string {
    const value = this.take(key);
    return value === undefined ? fallback : textIn(value, this.#name(key));
  }

  /** Returns a list of numbers, also for a single number. */
  numbers(key: string): number[] {
    const value = this.take(key);
    const list = typeof value === 'number' ? [value] : listIn(value, this.#name(key));
    return list.map((entry) => numberIn(entry, this.#name(key)));
  }

  /** Returns an option of one-dimensional layers, which the file has as a number or as a list of one number. */
  single(key: string, fallback?: number): number {
    const value = this.take(key);
    if (value === undefined && fallback !== undefined) return fallback;
    const list = this.numbers(key);
    if (list.length === 1) return list[0];
    throw this.refuse(`${key} must have one value, got ${list.length}`);
  }

  activation(key: string, fallback = 'linear'): string {
    const value = this.take(key);
    return value === undefined ? fallback : activationFrom(value, this.where);
  }

  /** Returns true for the hard_sigmoid of Keras 2, clip(0.2 x + 0.5, 0, 1); in Keras 3, it is clip(x/6 + 0.5, 0, 1). */
  hasOldHardSigmoid(key: string): boolean {
    const { version } = this.context;
    return version === 2 && /^hard_?sigmoid$/i.test(activationName(this.config[key], this.where));
  }

  /** Returns `{ kernelInitializer, kernelRegularizer, kernelConstraint, ... }` for the weights with these names. */
  weights(...names: string[]): JsonObject {
    const options: JsonObject = {};
    for (const name of names) {
      const keys = [`${name}_initializer`, `${name}_regularizer`, `${name}_constraint`] as const;
      const camelName = name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase());
      const initializer = initializerFrom(this.take(keys[0]), this.#name(keys[0]));
      const regularizer = regularizerFrom(this.take(keys[1]), this.#name(keys[1]));
      const constraint = constraintFrom(this.take(keys[2]), this.#name(keys[2]));
      if (initializer) options[`${camelName}Initializer`] = { ...initializer };
      if (regularizer) options[`${camelName}Regularizer`] = { ...regularizer };
      if (constraint) options[`${camelName}Constraint`] = { ...constraint };
    }
    return options;
  }

  /** Returns the options that every layer has. @param name name of the layer in the model */
  common(name: string): JsonObject {
    const activity = regularizerFrom(this.take('activity_regularizer'), this.#name('activity_regularizer'));
    const trainable = this.config.trainable ?? true;
    this.#checkDtype();
    return {
      name,
      ...(trainable === false && { trainable }),
      ...(activity && { activityRegularizer: { ...activity } }),
    };
  }

  /**
   * Checks that an option has this value or is missing.
   * @param hint ends the message: a reason, or what to do
   * @throws UnrollError `value` for another value
   */
  only(key: string, expected: Json, hint: string): void {
    const value = this.take(key);
    if (value === undefined || JSON.stringify(value) === JSON.stringify(expected)) return;
    throw this.refuse(
      `${key} must be ${JSON.stringify(expected)}, got ${JSON.stringify(value)?.slice(0, 60)}: ${hint}`,
    );
  }

  /** Checks that all options were read. @throws UnrollError `value` for an option that was not read and may have an effect */
  finish(): void {
    for (const [key, value] of Object.entries(this.config)) {
      if (this.#read.has(key) || IGNORED.has(key) || value === null || value === false) continue;
      if (Array.isArray(value) && value.length === 0) continue;
      throw this.refuse(
        `it has the option ${key} (${JSON.stringify(value).slice(0, 60)}), which Unroll does not have`,
      );
    }
  }

  refuse(problem: string): Error {
    return valueError(`${this.where} cannot be imported: ${problem}.`, { layer: this.config.name });
  }

  #name(key: string): string {
    return `${key} of ${this.where}`;
  }

  /** Reports float types other than float32: Unroll computes in float32. @throws UnrollError `value` for an unknown policy */
  #checkDtype(): void {
    const { dtype } = this.config;
    const policy = policyName(dtype);
    if (policy === null)
      throw this.refuse(
        `its dtype policy ${JSON.stringify(dtype).slice(0, 100)} has no name; Unroll has no quantised layers`,
      );
    if (/^(u?int(8|16|32|64)|bool|string|float32)$/.test(policy)) return;
    if (!/^(mixed_)?(b?float16|float64)$/.test(policy))
      throw this.refuse(`its dtype policy is ${policy}; Unroll has no quantised layers`);
    const reason = `the file says ${policy}; Unroll computes in float32`;
    this.context.report.defaulted.push({
      name: `${this.config.name as string} dtype`,
      value: 'float32',
      reason,
    });
  }
}
