/**
 * Connectionist temporal classification (Graves et al. 2006), in log space. With the blank between all labels and at both
 * ends, a target of n labels has 2n + 1 states, and an alignment is a walk through them: at each step it stays, goes to
 * the next state, or skips a blank between two different labels.
 */
import type { CtcCall } from '../backend.js';
import { values } from './block.js';

const IMPOSSIBLE = Number.NEGATIVE_INFINITY;

/** Returns log Σ exp(terms). */
function logSum(terms: readonly number[]): number {
  const top = Math.max(...terms);
  if (top === IMPOSSIBLE) return IMPOSSIBLE;
  return top + Math.log(terms.reduce((total, term) => total + Math.exp(term - top), 0));
}

/** Returns the log softmax of each row. */
function logSoftmaxRows(x: ArrayLike<number>, rows: number, C: number): Float64Array[] {
  return Array.from({ length: rows }, (_, t) => {
    const row = Float64Array.from({ length: C }, (_, k) => x[t * C + k]);
    const total = logSum([...row]);
    return row.map((value) => value - total);
  });
}

/**
 * Returns the states of the alignments of a target: their number, the class of each state, and the states that may follow
 * and precede it.
 */
function statesOf(labels: ArrayLike<number>, blank: number) {
  const count = 2 * labels.length + 1;
  const classOf = (s: number): number => (s % 2 === 0 ? blank : labels[(s - 1) / 2]);
  const skips = (from: number): boolean =>
    from % 2 === 1 && from + 2 < count && classOf(from) !== classOf(from + 2);
  const all = Array.from({ length: count }, (_, s) => s);
  return {
    count,
    classOf,
    after: all.map((s) => [s, s + 1, s + 2].filter((to) => (to === s + 2 ? skips(s) : to < count))),
    before: all.map((s) => [s, s - 1, s - 2].filter((from) => from >= 0 && (from !== s - 2 || skips(from)))),
  };
}

/** Returns -log P of one sequence with the log probabilities `y`, and the gradient with respect to the logits. */
function sequenceLoss(y: Float64Array[], labels: ArrayLike<number>, blank: number) {
  const steps = y.length;
  const { count, classOf, before, after } = statesOf(labels, blank);
  // alpha[t][s]: log probability of the walks that are in s after step t.
  // beta[t][s]: log probability of completing a walk that is in s after step t.
  const alpha = y.map(() => new Float64Array(count).fill(IMPOSSIBLE));
  const beta = y.map(() => new Float64Array(count).fill(IMPOSSIBLE));
  for (let t = 0; t < steps; t++) {
    for (let s = 0; s < count; s++) {
      const arrivals = t === 0 ? [s < 2 ? 0 : IMPOSSIBLE] : before[s].map((from) => alpha[t - 1][from]);
      alpha[t][s] = y[t][classOf(s)] + logSum(arrivals);
    }
  }
  for (let t = steps - 1; t >= 0; t--) {
    for (let s = 0; s < count; s++) {
      beta[t][s] =
        t === steps - 1
          ? s >= count - 2
            ? 0
            : IMPOSSIBLE
          : logSum(after[s].map((to) => y[t + 1][classOf(to)] + beta[t + 1][to]));
    }
  }
  const logP = steps === 0 ? (count === 1 ? 0 : IMPOSSIBLE) : logSum([...alpha[steps - 1].slice(-2)]);
  const gradient = y.map((row, t) => {
    const result = row.map(Math.exp);
    for (let s = 0; s < count; s++) result[classOf(s)] -= Math.exp(alpha[t][s] + beta[t][s] - logP);
    return result;
  });
  return { loss: -logP, gradient };
}

export function ctc(call: CtcCall): void {
  const { B, T, C, L, blank, zeroInfinity } = call;
  const [x, targets, losses] = [values(call.x), values(call.targets), values(call.losses)];
  const [lengths, targetLengths] = [values(call.lengths), values(call.targetLengths)];
  const dx = call.dx && values(call.dx);
  dx?.fill(0);
  for (let b = 0; b < B; b++) {
    const y = logSoftmaxRows(x.subarray(b * T * C), lengths[b], C);
    const { loss, gradient } = sequenceLoss(y, targets.subarray(b * L, b * L + targetLengths[b]), blank);
    const impossible = loss === Number.POSITIVE_INFINITY;
    losses[b] = impossible && zeroInfinity ? 0 : loss;
    if (!dx || impossible) continue;
    gradient.forEach(
      (row, t) => void dx.set(Number.isNaN(loss) ? row.fill(Number.NaN) : row, (b * T + t) * C),
    );
  }
}
