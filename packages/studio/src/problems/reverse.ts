/** Reversing a string of letters. A decoder must read the letters from the last to the first, which its attention shows. */
import { RandomStream } from '@unroll/core';
import { InputError } from './input-error.js';
import { type Batch, CROSS_ENTROPY, type Problem } from './problem.js';

const EXAMPLES = 32;
const LETTERS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];
/** The decoder runs step by step, so long strings would train slowly. */
const MAX_STEPS = 48;

/** Returns the problem of reversing strings of `steps` letters. @throws InputError for more than 48 steps */
export function reverseProblem(steps: number, seed: number): Problem {
  if (steps > MAX_STEPS) throw new InputError('longReverse', { steps, most: MAX_STEPS });
  const batch = (random: RandomStream, count: number): Batch => {
    const x = Float32Array.from(random.uniform(count * steps, 0, LETTERS.length), Math.floor);
    const y = new Float32Array(count * steps);
    const previous = new Float32Array(count * steps);
    for (let n = 0; n < count; n++) {
      const [start, end] = [n * steps, (n + 1) * steps];
      y.set(x.slice(start, end).reverse(), start);
      previous[start] = LETTERS.length; // the start token
      previous.set(y.subarray(start, end - 1), start + 1);
    }
    return { count, x, y, previous };
  };
  return {
    ...{ kind: 'tokens', steps, features: [], vocabulary: LETTERS, classes: LETTERS, attention: true },
    ...{ outputs: LETTERS.length, perStep: true, loss: CROSS_ENTROPY, series: null },
    ...{ baseline: Math.log(LETTERS.length), solvedLoss: 0.05 },
    batch,
    examples: batch(new RandomStream(seed, 'examples'), EXAMPLES),
  };
}
