/** `connectivity`: how much each step of the input influences one step of the output. */
import { checkOptions } from '@unroll/core/internal';
import type { DataArray } from './arrays.js';
import { type Derivatives, differentiate, OUTPUT_OPTIONS, type OutputOptions } from './derivatives.js';
import { inputsOf, type MaskOption, type ModelInput, subjectOf } from './inputs.js';
import type { Inspectable } from './instrument.js';

export interface ConnectivityOptions extends MaskOption, Omit<OutputOptions, 'step'> {}

/** The influence of the steps of one input. */
export interface InputInfluence {
  /** Name of the input, or of the embedding that reads it. */
  name: string;
  /** Index of the input of the model; null: the embedding does not read an input of the model. */
  input: number | null;
  /** Norm of the derivative with respect to each step, [B, T]; for ids, with respect to their vectors. */
  norms: DataArray;
}

export interface Connectivity {
  /** The step of the output, for each sequence. */
  steps: Int32Array;
  inputs: InputInfluence[];
}

/**
 * Returns the norm of the derivative of the output at step t with respect to the input of every step s (the connectivity of
 * Madsen 2019, "Visualizing memorization in RNNs"). For ids, the derivative is with respect to their vectors.
 * @param x one batch [B, T, ...]
 * @param t step of the output: an index, `last` (the last valid step), or `random`; outputs without a time axis belong to the
 * last step
 * @throws UnrollError `value` for invalid options or a step outside of the sequence
 */
export async function connectivity(
  model: Inspectable,
  x: ModelInput,
  t: number | 'last' | 'random' = 'last',
  options: ConnectivityOptions = {},
): Promise<Connectivity> {
  const { step: _, ...types } = OUTPUT_OPTIONS;
  checkOptions('connectivity', options, { mask: true, ...types });
  const subject = subjectOf(model, 'connectivity');
  const inputs = await inputsOf(x, options, 'connectivity');
  const found = await differentiate(subject, inputs, [], { ...options, step: t });
  return { steps: found.steps, inputs: influenceOf(found) };
}

/** Returns the norms of the derivatives with respect to each input. */
export function influenceOf({ inputs }: Derivatives): InputInfluence[] {
  return inputs.map(({ name, input, squares: { shape, values } }) => ({
    ...{ name, input, norms: { shape, values: values.map(Math.sqrt) } },
  }));
}
