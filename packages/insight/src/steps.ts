/** Steps of sequences with masks. */
import { type RandomStream, type Tensor, valueError } from '@unroll/core';
import { formatValue, hostValues } from '@unroll/core/internal';

/** Returns the index of the last valid step of each row, 0 for a row without one. @param mask [B, T]; null: all are valid */
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
 * Returns the step of each row: a fixed one, the last valid one, or a random valid one.
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
    `step must be "last", "random" or an index from 0 to ${T - 1}, got ${formatValue(step)}.`,
    { step, steps: T },
  );
}
