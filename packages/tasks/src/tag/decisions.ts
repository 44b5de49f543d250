/**
 * Decisions of a tagger. The most probable tags give the highest share of correct tags, but not the highest F1: if entities are
 * hard to find, F1 increases when less probable entities are predicted, too (Lipton et al. 2014: the best threshold is half of
 * the best F1). Therefore, an offset, chosen on the validation sentences, is added to the scores of all entity tags.
 */
import { predictAll, type TagScores, tagProbabilities, viterbi } from '@unroll/core';
import type { Crf, Functional, Network, TagConstraints } from '@unroll/nn';
import { textBatches } from '../shared/text-batches.js';
import { type EncodedSentence, inputsOf } from './encoder.js';
import { addSentence, type GoalSums, goalValue, type TagGoal } from './goal.js';

/** Sentences per batch in inference. */
export const BATCH = 64;
/** The smallest and the largest offset that are compared. */
const RANGE = [-2, 5] as const;

/** Returns the scores of the tags of each sentence. The last layer of the network must be a `crf`. */
export async function tagScores(
  network: Network,
  sentences: readonly EncodedSentence[],
  constraints: TagConstraints | null,
): Promise<TagScores[]> {
  const layer = (network as Functional).layers.at(-1) as Crf;
  const [transitions, start, end] = layer.getWeights().slice(-3);
  const withForbidden = (values: ArrayLike<number>, allowed: readonly boolean[] | undefined) =>
    Float64Array.from(values, (value, i) => (allowed?.[i] === false ? Number.NEGATIVE_INFINITY : value));
  const sharedScores = {
    transitions: withForbidden(transitions.values, constraints?.transitions.flat()),
    start: withForbidden(start.values, constraints?.start),
    end: withForbidden(end.values, constraints?.end),
  };
  const result: TagScores[] = [];
  const K = start.values.length;
  for (const rows of textBatches(
    sentences.map(({ ids }) => ids),
    BATCH,
  )) {
    const [output] = await predictAll(network, inputsOf(sentences, rows));
    const values = await output.data();
    const T = output.shape[1];
    for (const [b, row] of rows.entries()) {
      const first = b * T * K;
      const emissions = Float64Array.from(values.subarray(first, first + sentences[row].ids.length * K));
      result[row] = { emissions, ...sharedScores };
    }
  }
  return result;
}

/**
 * Returns the ids of the tags that are best for the goal: the most probable sequence or, with a positive tag, the tags with the
 * highest expected F1.
 * @param offsets one for each tag, added to its score at every token. Default: none
 */
export function decide(goal: TagGoal, scores: TagScores, offsets?: readonly number[]): number[] {
  const K = goal.tags.length;
  const shifted =
    offsets === undefined ? scores : { ...scores, emissions: withOffsets(scores.emissions, offsets) };
  if (goal.positive === null) return viterbi(shifted).tags;
  return bestF1(tagProbabilities(shifted), K, goal.tags.indexOf(goal.positive));
}

/** Returns emissions [T, K] plus the offset of each tag. */
function withOffsets(emissions: ArrayLike<number>, offsets: readonly number[]): Float64Array {
  const K = offsets.length;
  const result = new Float64Array(emissions); // Float64Array.from with a function takes ten times as long.
  for (let i = 0; i < result.length; i++) result[i] += offsets[i % K];
  return result;
}

/**
 * Returns the tags with the highest expected F1 of the positive tag in a sentence. The best k tokens are the k most
 * probable ones. Their expected F1 is close to 2 Σ p / (k + Σ p); the first sum is over these k tokens, the second over all tokens.
 * @param probabilities [T, K]
 */
function bestF1(probabilities: Float64Array, K: number, positive: number): number[] {
  const count = probabilities.length / K;
  const probabilityOf = (t: number): number => probabilities[t * K + positive];
  const order = Array.from({ length: count }, (_, t) => t).sort(
    (a, b) => probabilityOf(b) - probabilityOf(a) || a - b,
  );
  const total = order.reduce((sum, t) => sum + probabilityOf(t), 0);
  let [best, size, sum] = [0, 0, 0];
  for (const [i, t] of order.entries()) {
    sum += probabilityOf(t);
    const f1 = (2 * sum) / (i + 1 + total);
    if (f1 > best) [best, size] = [f1, i + 1];
  }
  const chosen = new Set(order.slice(0, size));
  return Array.from({ length: count }, (_, t) =>
    chosen.has(t) ? positive : bestOther(probabilities, t * K, K, positive),
  );
}

/** Returns the most probable tag other than the positive one. */
function bestOther(probabilities: Float64Array, first: number, K: number, positive: number): number {
  let best = positive === 0 ? 1 : 0;
  for (let k = 0; k < K; k++) {
    if (k !== positive && probabilities[first + k] > probabilities[first + best]) best = k;
  }
  return best;
}

/** An offset and its effect on the validation sentences. */
export interface TagOffset {
  /** Added to the scores of the entity tags, or of the positive tag. */
  value: number;
  /** Value of the goal without the offset. */
  before: number;
  /** Value of the goal with the offset. */
  after: number;
}

/** Returns the offset of each tag: `value` for entity tags and the positive tag, 0 for all others. */
export function offsetsOf({ tags, scheme, positive }: TagGoal, value: number): number[] {
  return tags.map((tag) => (scheme === 'none' ? (tag === positive ? value : 0) : tag === 'O' ? 0 : value));
}

/** Returns the offsets to compare: only 0 if the goal is the share of correct tags, or if there is no tag `O`. */
export function offsetRange({ tags, scheme, positive }: TagGoal, step: number): number[] {
  if (scheme === 'none' ? positive === null : !tags.includes('O')) return [0];
  const [first, last] = RANGE;
  return Array.from({ length: (last - first) / step + 1 }, (_, i) => first + i * step);
}

/**
 * Returns the offset with the highest value of the goal after smoothing over neighbouring offsets. If several are equal, the offset
 * nearest to 0 is chosen.
 * @returns null if there is only the offset 0 (see {@link offsetRange})
 */
export function chooseOffset(
  goal: TagGoal,
  scores: readonly TagScores[],
  actual: readonly (readonly string[])[],
): TagOffset | null {
  const choices = offsetRange(goal, 0.25);
  if (choices.length === 1) return null;
  const values = choices.map((offset) => {
    const sums: GoalSums = [0, 0, 0];
    const offsets = offsetsOf(goal, offset);
    for (const [i, sentenceScores] of scores.entries())
      addSentence(
        goal,
        sums,
        actual[i],
        decide(goal, sentenceScores, offsets).map((id) => goal.tags[id]),
      );
    return goalValue(goal, sums);
  });
  const valueAt = (i: number): number => values[Math.max(0, Math.min(values.length - 1, i))];
  const smooth = values.map((_, i) => (valueAt(i - 1) + 2 * valueAt(i) + valueAt(i + 1)) / 4);
  const zero = choices.indexOf(0);
  const isBetter = (i: number, best: number): boolean =>
    smooth[i] > smooth[best] + 1e-9 ||
    (smooth[i] > smooth[best] - 1e-9 && Math.abs(choices[i]) < Math.abs(choices[best]));
  let best = zero;
  for (let i = 0; i < choices.length; i++) if (isBetter(i, best)) best = i;
  return { value: choices[best], before: values[zero], after: values[best] };
}
