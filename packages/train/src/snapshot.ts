/** The state of a run between two batches, as plain data, from which `train` resumes and which checkpoints store. */
import { type FloatArray, type Parameter, type Shape, UnrollError } from '@unroll/core';
import type { FlatBuffer } from '@unroll/core/internal';
import type { JsonValue, SavedTensor } from './callbacks/callback.js';
import type { Environment } from './environment.js';
import type { ScoresState } from './scores.js';
import type { StepperState } from './step.js';

/** Position of a run: `step` batches of `epoch` are done. */
export interface Cursor {
  epoch: number;
  step: number;
  /** True if the run is complete. */
  finished: boolean;
}

/** Settings that must be equal to resume a run with identical results. */
export interface RunSettings {
  optimizer: string;
  seed: number;
  shuffle: boolean;
  batchSize: number;
  accumulate: number;
  /** Number of training examples; null for an iterable. */
  examples: number | null;
}

export interface RunSnapshot {
  cursor: Cursor;
  settings: RunSettings;
  /** Fingerprint of the training data; null for an iterable. */
  fingerprint: string | null;
  /** Shapes of the model's inputs, [-1, ...]. */
  inputShapes: readonly (readonly number[])[];
  learningRateScale: number;
  stepper: StepperState;
  /** Running losses and metrics of the epoch. */
  scores: ScoresState;
  environment: Environment;
  extra: JsonValue;
  /** Weights, the optimizer's slots, accumulated gradients, carried states. */
  tensors: Readonly<Record<string, SavedTensor>>;
}

/** Throws if a snapshot was made with different settings. */
export function checkSettings(saved: RunSettings, own: RunSettings): void {
  for (const key of Object.keys(own) as (keyof RunSettings)[]) {
    if (saved[key] === own[key]) continue;
    throw new UnrollError(
      'state',
      `To resume this checkpoint, ${key} must be ${saved[key]}, got ${own[key]}. Restore the setting, or start a ` +
        'new run.',
      { setting: key, checkpoint: saved[key], run: own[key] },
    );
  }
}

/** All parameters by unique names, `weights/lstm/kernel`. */
function named(parameters: readonly Parameter[]): Map<string, Parameter> {
  const found = new Map<string, Parameter>();
  for (const parameter of parameters) {
    let name = `weights/${parameter.name}`;
    for (let n = 2; found.has(name); n++) name = `weights/${parameter.name}#${n}`;
    found.set(name, parameter);
  }
  return found;
}

/** Tensors to save that are being read from the backend's memory. */
export type Reading = readonly (readonly [name: string, shape: Shape, values: Promise<FloatArray>])[];

/** The values, once they have been read. */
export async function savedOf(reading: Reading): Promise<Record<string, SavedTensor>> {
  const values = await Promise.all(reading.map(([, , values]) => values));
  return Object.fromEntries(reading.map(([name, shape], i) => [name, { shape, values: values[i] }]));
}

/** Starts reading the values of parameters, including those that are not trainable. */
export function saveWeights(parameters: readonly Parameter[]): Reading {
  return [...named(parameters)].map(([name, parameter]) => [name, parameter.shape, parameter.data()]);
}

/**
 * Restores the parameters from {@link saveWeights}. @throws UnrollError `state` for a different model
 */
export function restoreWeights(
  parameters: readonly Parameter[],
  tensors: Readonly<Record<string, SavedTensor>>,
): void {
  const own = named(parameters);
  for (const [name, parameter] of own) {
    const saved = tensors[name];
    if (saved && String(saved.shape) === String(parameter.shape)) continue;
    const got = saved
      ? `has shape [${saved.shape.join(', ')}] in the checkpoint`
      : 'is missing from the checkpoint';
    throw new UnrollError(
      'state',
      `The checkpoint belongs to another model: ${parameter.name}, of shape [${parameter.shape.join(', ')}] in this ` +
        `model, ${got}.`,
      { parameter: parameter.name, shape: parameter.shape, saved: saved?.shape ?? null },
    );
  }
  const extra = Object.keys(tensors).find((name) => name.startsWith('weights/') && !own.has(name));
  if (extra !== undefined) {
    throw new UnrollError(
      'state',
      `The checkpoint belongs to another model: this model has no ${extra.slice(8)}.`,
      { parameter: extra },
    );
  }
  for (const [name, parameter] of own) parameter.assign(tensors[name].values);
}

/** Starts reading the buffers. */
export function saveBuffers(buffers: ReadonlyMap<string, FlatBuffer>): Reading {
  return [...buffers].map(([name, buffer]) => [name, [buffer.length], buffer.read()]);
}

export function restoreBuffers(
  buffers: ReadonlyMap<string, FlatBuffer>,
  tensors: Readonly<Record<string, SavedTensor>>,
): void {
  for (const [name, buffer] of buffers) {
    const saved = tensors[name];
    if (saved?.values.length !== buffer.length) {
      throw new UnrollError('state', `The checkpoint has no ${name} for ${buffer.length} weights.`, { name });
    }
    buffer.write(saved.values);
  }
}
