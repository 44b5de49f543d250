/** Forward passes that return one step of an output, for instruments that change the inputs. */
import { mul, reshape, type Tensor, type UnrollError, valueError } from '@unroll/core';
import { hostTensor, inferenceContext, takeRows } from '@unroll/core/internal';
import { type DataArray, readArray } from './arrays.js';
import type { Inputs, Subject } from './inputs.js';
import { type Instruments, withInstruments } from './instrument.js';
import { outputOf, selectSteps } from './steps.js';

/** Runs the model and returns the output at one step of each sequence, [B, D]. */
export async function outputAt(
  { network, changes }: Subject,
  { sequences }: Inputs,
  steps: Int32Array,
  output = 0,
  instruments: Instruments = {},
): Promise<DataArray> {
  const found = withInstruments(network, { ...instruments, changes }, () => {
    const all = network.forward(sequences, inferenceContext());
    return flatOutput(outputOf(all, output).value, steps);
  });
  return readArray(found);
}

/** Returns the output at one step of each sequence, [B, D]. */
export function flatOutput(value: Tensor, steps: Int32Array): Tensor {
  const selected = value.rank >= 3 ? selectSteps(value, steps) : value;
  return reshape(selected, [selected.shape[0], selected.size / selected.shape[0]]);
}

/** The output of one sequence at one step, and the input whose parts are occluded. */
export interface OcclusionCall {
  subject: Subject;
  inputs: Inputs;
  /** Index of the input. */
  input: number;
  /** Row of the sequence. */
  row: number;
  /** Step of the output. */
  step: number;
  output: number;
  /** The values that replace occluded features. The vectors of occluded ids are replaced by zeros. */
  baseline: ArrayLike<number>;
}

/**
 * Returns the outputs [n, D] for n copies of one sequence, each with different parts of an input occluded.
 * @param occluded for each copy, the indices of the occluded steps, or of the features that are occluded at all steps
 */
export async function occludedOutputs(
  { subject, inputs, input, row, step, output, baseline }: OcclusionCall,
  occluded: readonly (readonly number[])[],
  axis: 'steps' | 'features' = 'steps',
): Promise<DataArray> {
  const n = occluded.length;
  const copies = copiesOf(inputs, row, n);
  const { value } = copies.sequences[input];
  const [, T] = value.shape;
  const width = value.size / (n * T);
  const values = (await value.data()).slice();
  const factors = new Float64Array(n * T).fill(1);
  occluded.forEach((parts, copy) => {
    for (const part of parts) {
      for (let t = 0; t < T; t++) {
        if (axis === 'steps' && t !== part) continue;
        factors[copy * T + t] = 0;
        for (let f = 0; f < width; f++)
          if (axis === 'steps' || f === part) values[(copy * T + t) * width + f] = baseline[f];
      }
    }
  });
  const steps = new Int32Array(n).fill(step);
  const isIds = value.rank === 2;
  const sequences = copies.sequences.map((sequence, i) =>
    i === input && !isIds ? { ...sequence, value: hostTensor(values, value.shape) } : sequence,
  );
  const onEmbedding: Instruments['onEmbedding'] = (_layer, ids, vectors) =>
    ids === value ? mul(vectors, hostTensor(factors, [n, T, 1])) : vectors;
  return outputAt(subject, { sequences, count: n }, steps, output, isIds ? { onEmbedding } : {});
}

/** Returns `count` copies of one row of all inputs. */
function copiesOf({ sequences }: Inputs, row: number, count: number): Inputs {
  const rows = new Uint32Array(count).fill(row);
  const copies = sequences.map(({ value, mask }) => ({
    value: takeRows(value, rows),
    mask: mask && takeRows(mask, rows),
  }));
  return { sequences: copies, count };
}

/**
 * Returns the index of the input to examine: the option `input`, or the only input with a time axis.
 * @throws UnrollError `value` if the option is not the index of an input with a time axis; without the option, if the model does
 * not have exactly one such input
 */
export function sequenceIndex(inputs: Inputs, input: number | undefined, owner: string): number {
  if (input === undefined) return onlySequence(inputs, owner);
  const { sequences } = inputs;
  if (input >= sequences.length)
    throw valueError(
      `${owner}: input must be an index below ${sequences.length}, the number of inputs, got ${input}.`,
    );
  const { shape } = sequences[input].value;
  if (shape.length < 2) throw noTimeAxis(`${owner}: input ${input} has`, shape);
  return input;
}

const noTimeAxis = (subject: string, shape: readonly number[]): UnrollError =>
  valueError(
    `${subject} no time axis: the shape must be [batch, time, features], or [batch, time] for ids, got [${shape.join(', ')}].`,
  );

/** Returns the index of the only input of rank 3 or more or, if there is none, of the only input of rank 2 (ids). */
function onlySequence({ sequences }: Inputs, owner: string): number {
  const found = sequences.flatMap(({ value }, i) => (value.rank >= 2 ? [i] : []));
  const withFeatures = found.filter((i) => sequences[i].value.rank >= 3);
  const chosen = withFeatures.length > 0 ? withFeatures : found;
  if (chosen.length === 1) return chosen[0];
  if (chosen.length === 0) throw noTimeAxis(`${owner}: x has`, sequences[0].value.shape);
  throw valueError(
    `${owner}: the model has ${chosen.length} inputs with a time axis. Choose one with the option input.`,
  );
}
