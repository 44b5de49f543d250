/** Checks the arguments of a model's methods: option names, and that values are numbers. */
import { Tensor, type UnrollError, valueError } from '@unroll/core';
import { type Known, shown } from '@unroll/core/internal';
import type { ArtifactExtras } from '@unroll/formats';
import type { ExampleOptions } from './examples.js';
import type { PredictOptions } from './runnable.js';
import type { CompileOptions, EvaluateOptions, FitOptions } from './trainable.js';
import { isNumberArray } from './values.js';

export const COMPILE: Known<CompileOptions> = {
  optimizer: true,
  loss: true,
  lossWeights: 'lists',
  metrics: 'lists',
  weightedMetrics: 'lists',
  clip: true,
  average: true,
};

/** The `fit` of @unroll/train checks their values. */
export const FIT: Known<FitOptions> = {
  epochs: true,
  batchSize: true,
  stepsPerEpoch: true,
  shuffle: true,
  seed: true,
  accumulate: true,
  validationData: true,
  validationSplit: true,
  classWeights: true,
  sampleWeights: true,
  mask: true,
  callbacks: 'list',
  verbose: true,
  onEvent: true,
  onWarning: true,
  signal: true,
  beforeUpdate: true,
  window: true,
  extra: true,
  checkpointDir: true,
  checkpointSteps: true,
  resume: true,
};

export const EVALUATE: Known<EvaluateOptions> = { batchSize: 'count', sampleWeights: true, mask: true };
export const PREDICT: Known<PredictOptions> = { batchSize: 'count', mask: true };
export const BATCH: Known<ExampleOptions> = { sampleWeights: true, mask: true };
export const PREDICT_BATCH: Known<Pick<PredictOptions, 'mask'>> = { mask: true };
export const SAVE: Known<Pick<ArtifactExtras, 'pipeline' | 'weights'>> = {
  pipeline: true,
  weights: ['float32', 'float16'],
};

/** @throws UnrollError `value` for a value that `fit` does not accept */
export function checkVerbose(verbose: FitOptions['verbose']): void {
  if (verbose === undefined || verbose === 'auto' || verbose === 0 || verbose === 1 || verbose === 2) return;
  throw valueError(`fit: verbose must be 0, 1, 2 or "auto", got ${shown(verbose)}.`, { verbose });
}

/**
 * Runs `read` on values. If it fails, throws an error that locates the first value that is not a number.
 * @param what the name of the values in messages: `x`, `y`
 */
export function reading<T>(what: string, values: unknown, read: () => T): T {
  const top = Array.isArray(values) ? null : notNumbers(what, values);
  if (top) throw top;
  try {
    return read();
  } catch (error) {
    throw notNumbers(what, values) ?? error;
  }
}

/** An error about the first value that is neither a number nor an array of numbers; null if there is none. */
export function notNumbers(path: string, value: unknown, top = true): UnrollError | null {
  if (typeof value === 'number' || value instanceof Tensor || isNumberArray(value)) return null;
  const absent = (entry: unknown) => top && entry === null; // no values for that input or output
  if (Array.isArray(value)) {
    return first(
      value.map((entry, i) => () => (absent(entry) ? null : notNumbers(`${path}[${i}]`, entry, false))),
    );
  }
  if (top && isPlain(value)) {
    return first(
      Object.entries(value).map(
        ([name, entry]) =>
          () =>
            absent(entry) ? null : notNumbers(`${path}.${name}`, entry, false),
      ),
    );
  }
  return valueError(`${path} must be a number or an array of numbers, got ${shown(value)}.${remedy(value)}`, {
    path,
  });
}

function first(tries: readonly (() => UnrollError | null)[]): UnrollError | null {
  for (const attempt of tries) {
    const error = attempt();
    if (error) return error;
  }
  return null;
}

export function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function remedy(value: unknown): string {
  if (typeof value === 'string') return ' Convert strings to numbers first.';
  if (value instanceof Date) return ' Convert dates to numbers first, for example with getTime().';
  if (typeof value !== 'object' || value === null) return '';
  if ('then' in value) return ' Await it first.';
  return 'input' in value && 'output' in value
    ? ' Pass inputs and outputs separately: fit(inputs, outputs).'
    : '';
}
