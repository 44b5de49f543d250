/** Chooses one step of the output for each sequence, and selects the values of this step. */
import { type MaskedSequence, mul, RandomStream, sum, type Tensor, valueError } from '@unroll/core';
import { formatValue, hostTensor, hostValues, inferenceContext } from '@unroll/core/internal';
import type { Inputs, Subject } from './inputs.js';
import { withInstruments } from './instrument.js';

/** Returns the index of the last valid step of each row; 0 for a row without valid steps. @param mask null: all are valid */
export function lastValid(B: number, T: number, mask: Tensor | null): Int32Array {
  const last = new Int32Array(B).fill(T - 1);
  if (mask === null) return last;
  const values = hostValues(mask, 'A mask');
  const steps = mask.shape[1];
  for (let b = 0; b < B; b++) {
    let t = steps - 1;
    while (t > 0 && values[b * steps + t] === 0) t--;
    last[b] = t;
  }
  return last;
}

/**
 * Returns the step of each row: an index (from the end if negative), the last valid step, or a random valid step.
 * @throws UnrollError `value` for a step outside of the sequence
 */
export function stepsOf(
  step: number | 'last' | 'random',
  B: number,
  T: number,
  mask: Tensor | null,
  random: RandomStream,
): Int32Array {
  if (step === 'last') return lastValid(B, T, mask);
  if (step === 'random') {
    const values = mask && hostValues(mask, 'A mask');
    return Int32Array.from({ length: B }, (_, b) => {
      const valid = Array.from({ length: T }, (_, t) => t).filter((t) => values?.[b * T + t] !== 0);
      return valid[Math.floor(random.uniform(1)[0] * valid.length)] ?? 0;
    });
  }
  if (Number.isInteger(step) && step >= -T && step < T)
    return new Int32Array(B).fill(step < 0 ? step + T : step);
  throw valueError(
    `step must be "last", "random" or an index from ${-T} to ${T - 1}, got ${formatValue(step)}.`,
    { step, steps: T },
  );
}

/** Returns the step of each sequence: `step`, or for outputs without a time axis the last valid step of the input. */
export function chooseSteps(
  { value, mask }: MaskedSequence,
  { sequences }: Inputs,
  step: number | 'last' | 'random',
  random: RandomStream,
): Int32Array {
  const [B] = value.shape;
  if (value.rank >= 3) return stepsOf(step, B, value.shape[1], mask, random);
  const T = sequences.find((sequence) => sequence.value.rank >= 2)?.value.shape[1] ?? 1;
  return lastValid(B, T, mask ?? sequences.find((sequence) => sequence.mask)?.mask ?? null);
}

/** Runs the model and returns, for each sequence, the step of the output that `step` chooses. */
export function findOutputSteps(
  { network, changes }: Subject,
  inputs: Inputs,
  {
    step = 'last',
    output = 0,
    seed = 0,
  }: { step?: number | 'last' | 'random'; output?: number; seed?: number },
): Int32Array {
  return withInstruments(network, { changes }, () => {
    const outputs = network.forward(inputs.sequences, inferenceContext());
    return chooseSteps(outputOf(outputs, output), inputs, step, new RandomStream(seed, 'insight'));
  });
}

/** Returns the output at `index`. @throws UnrollError `value` if there is none */
export function outputOf(outputs: readonly MaskedSequence[], index: number): MaskedSequence {
  const found = outputs[index];
  if (found) return found;
  throw valueError(`output must be an index below ${outputs.length}, the number of outputs, got ${index}.`);
}

/** Returns value[b, steps[b]] for each row b of value [B, T, ...], as [B, ...]. */
export function selectSteps(value: Tensor, steps: Int32Array): Tensor {
  const [B, T, ...rest] = value.shape;
  const chosen = new Float64Array(B * T);
  steps.forEach((t, b) => {
    chosen[b * T + t] = 1;
  });
  const mask = hostTensor(chosen, [B, T, ...rest.map(() => 1)]);
  return sum(mul(value, mask), 1);
}
