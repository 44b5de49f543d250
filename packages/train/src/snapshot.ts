/** The state of a run between two batches as plain data. Checkpoints store it, and `train` resumes from it. */
import { type FloatArray, type Parameter, type Shape, UnrollError } from '@unroll/core';
import type { FlatBuffer } from '@unroll/core/internal';
import type { JsonValue, SavedTensor } from './callbacks/callback.js';
import type { Environment } from './environment.js';
import type { ScoresState } from './scores.js';
import type { StepperState } from './step.js';
import type { TruncationState } from './truncate.js';

/** Position of a run. */
export interface Cursor {
  epoch: number;
  /** Number of completed steps in this epoch: batches, or chunks of batches with `truncate`. */
  step: number;
  /** True if the run is complete. */
  finished: boolean;
}

/** Settings that must not change when a run is resumed, because the results would differ. */
export interface RunSettings {
  optimizer: string;
  seed: number;
  shuffle: boolean;
  batchSize: number;
  accumulate: number;
  /** Number of training examples; null for an iterable. */
  examples: number | null;
  /** The option `truncate`, such as `every 20, length 40`. Absent without it. */
  truncate?: string;
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
  /** Accumulated losses and metrics of the epoch. */
  scores: ScoresState;
  environment: Environment;
  /** Position in the current batch. Only with `truncate`. */
  truncation?: TruncationState;
  /** The `extra` option of the run. */
  extra: JsonValue;
  /** Weights, the optimizer's slots, accumulated gradients, and the states that layers carry to the next step. */
  tensors: Readonly<Record<string, SavedTensor>>;
}

/** Throws if the settings of the run differ from those of the snapshot. */
export function checkSettings(saved: RunSettings, current: RunSettings): void {
  for (const key of Object.keys({ ...saved, ...current }) as (keyof RunSettings)[]) {
    if (saved[key] === current[key]) continue;
    const [expected, got] = [saved, current].map((settings) => settings[key] ?? 'none');
    throw new UnrollError(
      'state',
      `To resume this checkpoint, ${key} must be ${expected}, got ${got}. Restore the setting, or start a ` +
        'new run.',
      { setting: key, checkpoint: saved[key], run: current[key] },
    );
  }
}

/** Returns all parameters by unique names, such as `weights/lstm/kernel`. */
function byUniqueName(parameters: readonly Parameter[]): Map<string, Parameter> {
  const byName = new Map<string, Parameter>();
  for (const parameter of parameters) {
    let name = `weights/${parameter.name}`;
    for (let n = 2; byName.has(name); n++) name = `weights/${parameter.name}#${n}`;
    byName.set(name, parameter);
  }
  return byName;
}

/** Tensors to save, whose values are being read from the backend's memory. */
export type PendingTensors = readonly (readonly [name: string, shape: Shape, values: Promise<FloatArray>])[];

/** Waits for the values of tensors, and returns the tensors by name. */
export async function awaitTensors(pending: PendingTensors): Promise<Record<string, SavedTensor>> {
  const values = await Promise.all(pending.map(([, , values]) => values));
  return Object.fromEntries(pending.map(([name, shape], i) => [name, { shape, values: values[i] }]));
}

/** Starts reading the values of all parameters, trainable or not. */
export function saveWeights(parameters: readonly Parameter[]): PendingTensors {
  return [...byUniqueName(parameters)].map(([name, parameter]) => [name, parameter.shape, parameter.data()]);
}

/**
 * Assigns to the parameters the values that {@link saveWeights} read.
 * @throws UnrollError `state` if the tensors belong to a different model
 */
export function restoreWeights(
  parameters: readonly Parameter[],
  tensors: Readonly<Record<string, SavedTensor>>,
): void {
  const byName = byUniqueName(parameters);
  for (const [name, parameter] of byName) {
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
  const extra = Object.keys(tensors).find((name) => name.startsWith('weights/') && !byName.has(name));
  if (extra !== undefined) {
    throw new UnrollError(
      'state',
      `The checkpoint belongs to another model: this model has no parameter ${extra.slice(8)}.`,
      { parameter: extra },
    );
  }
  for (const [name, parameter] of byName) parameter.assign(tensors[name].values);
}

/** Starts reading the values of buffers. */
export function saveBuffers(buffers: ReadonlyMap<string, FlatBuffer>): PendingTensors {
  return [...buffers].map(([name, buffer]) => [name, [buffer.length], buffer.read()]);
}

/** Writes to the buffers the values that {@link saveBuffers} read. */
export function restoreBuffers(
  buffers: ReadonlyMap<string, FlatBuffer>,
  tensors: Readonly<Record<string, SavedTensor>>,
): void {
  for (const [name, buffer] of buffers) {
    const saved = tensors[name];
    if (saved?.values.length !== buffer.length) {
      const got = saved ? `${saved.values.length} values` : 'none';
      throw new UnrollError(
        'state',
        `The checkpoint belongs to another run: ${name} must have ${buffer.length} values, got ${got}.`,
        { name },
      );
    }
    buffer.write(saved.values);
  }
}
