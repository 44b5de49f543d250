/**
 * Linear-chain conditional random fields (Lafferty et al. 2001) in plain loops, in log space: the specification of the kernels.
 * α_t(j) and β_t(j) are the forward and backward log-scores: the logarithms of the sums of exp(score) over all prefixes of
 * tags that end with tag j at step t, and over all suffixes that follow tag j:
 *
 *   α_t(j) = e_t(j) + log Σ_i exp(α_{t-1}(i) + A(i,j))      β_{t-1}(i) = log Σ_j exp(A(i,j) + e_t(j) + β_t(j))
 *   P(tag j at step t) = exp(α_t(j) + β_t(j) - log Z)
 *
 * with the emissions e, the transitions A and the partition function Z. The gradient of -log P(tags) with respect to
 * a score is the expected number of times that a sequence of tags uses the score, minus the number of times that `tags` use it.
 */
import type { CrfBackwardCall, CrfCall, CrfForwardCall, FloatArray } from '../backend.js';
import { logSumExp } from '../log-sum-exp.js';
import { values } from './block.js';

/** One sequence without its masked steps. */
interface Chain {
  /** Index b*T + t of each valid step. */
  steps: number[];
  tags: number[];
  alpha: number[][];
  logZ: number;
}

/** The scores of a call. */
interface Scores {
  K: number;
  emissions: FloatArray;
  transitions: FloatArray;
  start: FloatArray;
  end: FloatArray;
}

const scoresOf = (call: CrfCall): Scores => ({
  K: call.K,
  emissions: values(call.emissions),
  transitions: values(call.transitions),
  start: values(call.start),
  end: values(call.end),
});

/** Returns [f(0), ..., f(K-1)]. */
const list = (K: number, f: (j: number) => number): number[] => Array.from({ length: K }, (_, j) => f(j));

function chainOf(call: CrfCall, { K, emissions, transitions, start, end }: Scores, b: number): Chain {
  const mask = call.mask && values(call.mask);
  const tags = values(call.tags);
  const steps = list(call.T, (t) => b * call.T + t).filter((step) => mask === null || mask[step] !== 0);
  const alpha: number[][] = [];
  steps.forEach((step, s) => {
    const score = (j: number): number =>
      s === 0 ? start[j] : logSumExp(list(K, (i) => alpha[s - 1][i] + transitions[i * K + j]));
    alpha.push(list(K, (j) => score(j) + emissions[step * K + j]));
  });
  const last = alpha.at(-1);
  return {
    steps,
    tags: steps.map((step) => tags[step]),
    alpha,
    logZ: last ? logSumExp(last.map((score, j) => score + end[j])) : 0,
  };
}

export function crfForward(call: CrfForwardCall): void {
  const scores = scoresOf(call);
  const losses = values(call.losses);
  for (let b = 0; b < call.B; b++) {
    const { steps, tags, logZ } = chainOf(call, scores, b);
    let score = 0;
    tags.forEach((tag, s) => {
      score += s === 0 ? scores.start[tag] : scores.transitions[tags[s - 1] * scores.K + tag];
      score += scores.emissions[steps[s] * scores.K + tag];
    });
    losses[b] = steps.length === 0 ? 0 : logZ - score - scores.end[tags[tags.length - 1]];
  }
}

export function crfBackward(call: CrfBackwardCall): void {
  const scores = scoresOf(call);
  const { K, emissions, transitions, end } = scores;
  const [g, dE] = [values(call.g), values(call.dEmissions)];
  const sums = { transitions: new Float64Array(K * K), start: new Float64Array(K), end: new Float64Array(K) };
  dE.fill(0);
  for (let b = 0; b < call.B; b++) {
    const { steps, tags, alpha, logZ } = chainOf(call, scores, b);
    let beta = Array.from(end);
    for (let s = steps.length - 1; s >= 0; s--) {
      for (let j = 0; j < K; j++) {
        const difference = g[b] * (Math.exp(alpha[s][j] + beta[j] - logZ) - (tags[s] === j ? 1 : 0));
        dE[steps[s] * K + j] = difference;
        if (s === 0) sums.start[j] += difference;
        if (s === steps.length - 1) sums.end[j] += difference;
      }
      if (s === 0) break;
      const later = beta.map((score, j) => score + emissions[steps[s] * K + j]);
      for (let i = 0; i < K; i++) {
        for (let j = 0; j < K; j++) {
          const p = Math.exp(alpha[s - 1][i] + transitions[i * K + j] + later[j] - logZ);
          sums.transitions[i * K + j] += g[b] * (p - (tags[s - 1] === i && tags[s] === j ? 1 : 0));
        }
      }
      beta = list(K, (i) => logSumExp(later.map((score, j) => transitions[i * K + j] + score)));
    }
  }
  values(call.dTransitions).set(sums.transitions);
  values(call.dStart).set(sums.start);
  values(call.dEnd).set(sums.end);
}
