/** Two tests of long memory: the adding problem (Hochreiter & Schmidhuber 1997) and the copy task (Arjovsky et al. 2016). */
import { RandomStream } from '@unroll/core';
import { type Batch, CROSS_ENTROPY, type Problem } from './problem.js';

const EXAMPLES = 32;

/** Returns the adding problem: sequences of random numbers, of which two are marked, one in each half. The target is their sum. */
export function addingProblem(steps: number, seed: number): Problem {
  const batch = (random: RandomStream, count: number): Batch => {
    const numbers = random.uniform(count * steps);
    const marks = random.uniform(2 * count);
    const x = new Float32Array(2 * count * steps);
    const y = new Float32Array(count);
    for (let t = 0; t < count * steps; t++) x[2 * t] = numbers[t];
    for (let n = 0; n < 2 * count; n++) {
      const t = Math.floor((marks[n] + (n % 2)) * Math.floor(steps / 2));
      const step = Math.floor(n / 2) * steps + t;
      x[2 * step + 1] = 1;
      y[Math.floor(n / 2)] += numbers[step];
    }
    return { count, x, y };
  };
  return {
    ...{ kind: 'number', steps, features: ['value', 'mark'], vocabulary: null, classes: null },
    ...{ outputs: 1, perStep: false, loss: 'mse', baseline: 1 / 6, solvedLoss: 0.01, series: null },
    batch,
    examples: batch(new RandomStream(seed, 'examples'), EXAMPLES),
  };
}

const SYMBOLS = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];
const [BLANK, SIGNAL] = [SYMBOLS.length, SYMBOLS.length + 1];

/** Returns the copy task: random symbols, a delay and a signal, after which the symbols must be repeated. */
export function copyTask(steps: number, seed: number): Problem {
  const length = Math.min(8, Math.max(1, Math.floor(steps / 4)));
  const batch = (random: RandomStream, count: number): Batch => {
    const symbols = random.uniform(count * length, 0, SYMBOLS.length);
    const x = new Float32Array(count * steps).fill(BLANK);
    const y = new Float32Array(count * steps);
    const weights = new Float32Array(count * steps);
    for (let n = 0; n < count; n++) {
      const [start, end] = [n * steps, (n + 1) * steps];
      for (let k = 0; k < length; k++) {
        const symbol = Math.floor(symbols[n * length + k]);
        x[start + k] = symbol;
        y[end - length + k] = symbol;
      }
      x[end - length - 1] = SIGNAL;
      // Only the repeated symbols count. With this weight, the loss is the mean over these symbols.
      weights.fill(steps / length, end - length, end);
    }
    return { count, x, y, weights };
  };
  return {
    ...{ kind: 'tokens', steps, features: [], vocabulary: [...SYMBOLS, '·', '>'], classes: SYMBOLS },
    ...{ outputs: SYMBOLS.length, perStep: true, loss: CROSS_ENTROPY, series: null },
    ...{ baseline: Math.log(SYMBOLS.length), solvedLoss: 0.2 },
    batch,
    examples: batch(new RandomStream(seed, 'examples'), EXAMPLES),
  };
}
