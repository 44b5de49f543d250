/** Checks the arguments of a model's methods: names and types of options, and that inputs and targets are numbers. */
import { Tensor, type UnrollError, valueError } from '@unroll/core';
import { formatValue, isNumberArray, type OptionTypes } from '@unroll/core/internal';
import type { ArtifactExtras } from '@unroll/formats';
import type { ExampleOptions } from './examples.js';
import type { PredictOptions } from './runnable.js';
import type { CompileOptions, EvaluateOptions, FitOptions } from './trainable.js';

/** The types of the options of `compile`. `true`: only the name is checked here. The constants below are for the other methods. */
export const COMPILE: OptionTypes<CompileOptions> = {
  optimizer: true,
  loss: true,
  lossWeights: 'arrayOrObject',
  metrics: 'arrayOrObject',
  weightedMetrics: 'arrayOrObject',
  clip: true,
  average: true,
};

/** Most types are `true`, because `fit` of @unroll/train checks the values. */
export const FIT: OptionTypes<FitOptions> = {
  epochs: true,
  batchSize: true,
  stepsPerEpoch: true,
  shuffle: true,
  seed: true,
  accumulate: true,
  truncate: true,
  validationData: true,
  validationSplit: true,
  classWeights: true,
  sampleWeights: true,
  mask: true,
  callbacks: 'array',
  verbose: true,
  onEvent: true,
  onWarning: true,
  signal: true,
  prepareInputs: true,
  beforeUpdate: true,
  window: true,
  extra: true,
  checkpointDir: true,
  checkpointSteps: true,
  resume: true,
};

export const EVALUATE: OptionTypes<EvaluateOptions> = { batchSize: 'count', sampleWeights: true, mask: true };
export const PREDICT: OptionTypes<PredictOptions> = { batchSize: 'count', mask: true };
export const BATCH: OptionTypes<ExampleOptions> = { sampleWeights: true, mask: true };
export const PREDICT_BATCH: OptionTypes<Pick<PredictOptions, 'mask'>> = { mask: true };
export const SAVE: OptionTypes<Pick<ArtifactExtras, 'pipeline' | 'weights'>> = {
  pipeline: true,
  weights: ['float32', 'float16'],
};

/** Checks the option `verbose` of `fit`. @throws UnrollError `value` for an invalid value */
export function checkVerbose(verbose: FitOptions['verbose']): void {
  if (verbose === undefined || verbose === 'auto' || verbose === 0 || verbose === 1 || verbose === 2) return;
  throw valueError(`fit: verbose must be 0, 1, 2 or "auto", got ${formatValue(verbose)}.`, { verbose });
}

/**
 * Returns the result of `convert`, a function that converts `values` to tensors. If it fails because an entry is not a
 * number, throws an error with the index of the entry.
 * @param name the name of the values in messages: `x`, `y`
 */
export function convertValues<T>(name: string, values: unknown, convert: () => T): T {
  const error = Array.isArray(values) ? null : notNumbersError(name, values);
  if (error) throw error;
  try {
    return convert();
  } catch (error) {
    throw notNumbersError(name, values) ?? error;
  }
}

/**
 * Returns an error about the first value that is neither a number nor an array of numbers; null if there is none.
 * @param isTopLevel true if `value` contains all inputs or outputs; it may then be a list or an object with null entries
 */
export function notNumbersError(path: string, value: unknown, isTopLevel = true): UnrollError | null {
  if (typeof value === 'number' || value instanceof Tensor || isNumberArray(value)) return null;
  const isMissing = (entry: unknown) => isTopLevel && entry === null;
  if (Array.isArray(value)) {
    return firstError(
      value.map(
        (entry, i) => () => (isMissing(entry) ? null : notNumbersError(`${path}[${i}]`, entry, false)),
      ),
    );
  }
  if (isTopLevel && isPlainObject(value)) {
    return firstError(
      Object.entries(value).map(
        ([name, entry]) =>
          () =>
            isMissing(entry) ? null : notNumbersError(`${path}.${name}`, entry, false),
      ),
    );
  }
  return valueError(
    `${path} must be a number or an array of numbers, got ${formatValue(value)}.${remedy(value)}`,
    {
      path,
    },
  );
}

function firstError(checks: readonly (() => UnrollError | null)[]): UnrollError | null {
  for (const check of checks) {
    const error = check();
    if (error) return error;
  }
  return null;
}

/** Returns true for object literals, as opposed to arrays and instances of classes. */
export function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Returns what to do about a value that is not a number; empty if nothing is known. */
function remedy(value: unknown): string {
  if (typeof value === 'string') return ' Convert strings to numbers first.';
  if (value instanceof Date) return ' Convert dates to numbers first, for example with getTime().';
  if (typeof value !== 'object' || value === null) return '';
  if ('then' in value) return ' Await it first.';
  return 'input' in value && 'output' in value
    ? ' Pass inputs and outputs separately: fit(inputs, outputs).'
    : '';
}
