/** `memoryLength`: the largest lag at which an input still influences the output. */
import { type FloatArray, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { DataArray } from './arrays.js';
import { influenceOf } from './connectivity.js';
import { differentiate, OUTPUT_OPTIONS, type OutputOptions } from './derivatives.js';
import {
  type Inputs,
  inputsOf,
  type MaskOption,
  type ModelInput,
  type Subject,
  subjectOf,
} from './inputs.js';
import type { Inspectable } from './instrument.js';
import { occludedOutputs, outputAt, sequenceIndex } from './outputs.js';
import { quantileOf } from './statistics.js';
import { lastValid } from './steps.js';

export interface MemoryLengthOptions extends MaskOption, OutputOptions {
  /**
   * `gradient`: the norm of the derivative with respect to the input of each step. `ablation`: the change of the output if the
   * input of one step is replaced by the mean input over the batch and all steps (for ids: by the zero vector). Default
   * `gradient`.
   */
  method?: 'gradient' | 'ablation';
  /** An influence below this share of the largest influence does not count. Default 0.01. */
  threshold?: number;
  /** Index of the input of the model. Default: the only input with a time axis. */
  input?: number;
}

export interface MemoryLength {
  method: 'gradient' | 'ablation';
  /** How many steps the model looks back, for each sequence; -1 if no step has an influence. */
  lengths: Int32Array;
  /** Median of the lengths. */
  median: number;
  /** The influence by lag, [B, T]; NaN: there is no such step. */
  influence: DataArray;
}

/**
 * Returns how far back the output at a step depends on the input: the largest lag whose influence is at least the share
 * `threshold` (1 % by default) of the largest influence of any lag. Lag 0 is the input of the step itself. Later steps, which a
 * bidirectional model also reads, do not count.
 * @param x one batch [B, T, ...]
 * @throws UnrollError `value` for invalid options and for an input without a time axis
 */
export async function memoryLength(
  model: Inspectable,
  x: ModelInput,
  options: MemoryLengthOptions = {},
): Promise<MemoryLength> {
  checkOptions('memoryLength', options, {
    ...{ method: ['gradient', 'ablation'], threshold: 'number', input: 'nonNegativeInteger', mask: true },
    ...OUTPUT_OPTIONS,
  } as const);
  const { method = 'gradient', threshold = 0.01 } = options;
  if (!(threshold > 0 && threshold < 1))
    throw valueError(`memoryLength: threshold must be in (0, 1), got ${threshold}.`);
  const subject = subjectOf(model, 'memoryLength');
  const inputs = await inputsOf(x, options, 'memoryLength');
  const input = sequenceIndex(inputs, options.input, 'memoryLength');
  const { input: _, method: _method, threshold: _threshold, mask: _mask, ...outputOptions } = options;
  const found = await differentiate(subject, inputs, [], outputOptions);
  const norms =
    method === 'gradient'
      ? influenceOf(found).find((influence) => influence.input === input)?.norms
      : await ablationInfluence(subject, inputs, input, found.steps, options);
  const [B, T] = inputs.sequences[input].value.shape;
  // If input and output differ in their numbers of steps, as with an encoder and a decoder, lag 0 is the last step of the input.
  const { mask } = inputs.sequences[input];
  const origins = found.outputSteps === null || found.outputSteps === T ? found.steps : lastValid(B, T, mask);
  const influence = byLag(norms?.values ?? new Float64Array(B * T), B, T, origins);
  const lengths = Int32Array.from({ length: B }, (_, b) =>
    lengthOf(influence.subarray(b * T, (b + 1) * T), threshold),
  );
  return {
    method,
    lengths,
    median: quantileOf(Float64Array.from(lengths).sort(), 0.5),
    influence: { shape: [B, T], values: influence },
  };
}

/** Returns the largest lag whose influence is at least `threshold` times the largest influence; -1 if there is none. */
function lengthOf(influence: Float64Array, threshold: number): number {
  const largest = Math.max(0, ...influence.filter((value) => !Number.isNaN(value)));
  if (largest === 0) return -1;
  return influence.findLastIndex((value) => value >= threshold * largest);
}

/** Returns values [B, T] indexed by lag instead of by step. @param steps the step of lag 0, for each sequence */
function byLag(values: ArrayLike<number>, B: number, T: number, steps: Int32Array): Float64Array {
  const out = new Float64Array(B * T).fill(Number.NaN);
  for (let b = 0; b < B; b++)
    for (let k = 0; k <= Math.min(steps[b], T - 1); k++) out[b * T + k] = values[b * T + steps[b] - k];
  return out;
}

/** Returns for each step the norm of the change of the output if the input of the step is replaced by the mean, [B, T]. */
async function ablationInfluence(
  subject: Subject,
  inputs: Inputs,
  input: number,
  steps: Int32Array,
  { output = 0 }: MemoryLengthOptions,
): Promise<DataArray> {
  const { value } = inputs.sequences[input];
  const [B, T] = value.shape;
  const baseline = meansOf(await value.data(), value.size / (B * T));
  const original = await outputAt(subject, inputs, steps, output);
  const D = original.shape[1];
  const changes = new Float64Array(B * T);
  for (let b = 0; b < B; b++) {
    const singleSteps = Array.from({ length: T }, (_, t) => [t]);
    const found = await occludedOutputs(
      { subject, inputs, input, row: b, step: steps[b], output, baseline },
      singleSteps,
    );
    for (let t = 0; t < T; t++) {
      let squares = 0;
      for (let d = 0; d < D; d++) squares += (found.values[t * D + d] - original.values[b * D + d]) ** 2;
      changes[b * T + t] = Math.sqrt(squares);
    }
  }
  return { shape: [B, T], values: changes };
}

/** Returns the mean of each feature over the batch and all steps. */
function meansOf(values: FloatArray, width: number): Float64Array {
  const means = new Float64Array(width);
  values.forEach((value, i) => {
    means[i % width] += value / (values.length / width);
  });
  return means;
}
