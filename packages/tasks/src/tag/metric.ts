/** The validation metric of a tagger: the goal, computed from the best tags of each sentence. */
import { concat, reshape, type Tensor, viterbi } from '@unroll/core';
import { crfOutputOf, hostValues } from '@unroll/core/internal';
import type { Metric } from '@unroll/train';
import { addSentence, type GoalSums, goalName, goalValue, type TagGoal } from './goal.js';

/** Returns the metric. It is named `f1` or `accuracy`; targets are tag ids [B, T]. */
export function goalMetric(goal: TagGoal): Metric {
  let sums: GoalSums = [0, 0, 0];
  return {
    name: goalName(goal),
    config: {},
    better: 'higher',
    prepare: withScores,
    update(packed, target, mask = null) {
      for (const { actual, predicted } of decoded(packed, target, mask)) {
        const names = [actual, predicted].map((ids) => ids.map((id) => goal.tags[id]));
        addSentence(goal, sums, names[0], names[1]);
      }
    },
    result: () => goalValue(goal, sums),
    reset() {
      sums = [0, 0, 0];
    },
    get state() {
      return { width: 3, sums: [...sums] };
    },
    set state(state) {
      sums = [state.sums[0] ?? 0, state.sums[1] ?? 0, state.sums[2] ?? 0];
    },
  };
}

/** Returns the scores of the output layer as one tensor: emissions [B T, K], transitions [K, K], start and end [1, K]. */
function withScores(emissions: Tensor): Tensor {
  const scores = crfOutputOf(emissions)?.scores();
  if (!scores) throw new Error('The last layer of a tagger is a crf.');
  const [B, T, K] = emissions.shape;
  const { transitions, start, end } = scores;
  return concat(
    [reshape(emissions, [B * T, K]), transitions, reshape(start, [1, K]), reshape(end, [1, K])],
    0,
  );
}

/** Yields the actual and the best tags of each sentence of a batch. */
function* decoded(
  packed: Tensor,
  target: Tensor,
  mask: Tensor | null,
): Generator<{ actual: number[]; predicted: number[] }> {
  const [B, T] = target.shape;
  const K = packed.shape[1];
  const values = hostValues(packed, 'The prediction');
  const part = (first: number, count: number) => values.subarray(first * K, (first + count) * K);
  const steps = B * T;
  const scores = { transitions: part(steps, K), start: part(steps + K, 1), end: part(steps + K + 1, 1) };
  const [targets, valid] = [hostValues(target, 'The target'), mask && hostValues(mask, 'A mask')];
  for (let b = 0; b < B; b++) {
    // Sentences are padded on the right.
    let length = 0;
    while (length < T && valid?.[b * T + length] !== 0) length++;
    const predicted = viterbi({ emissions: part(b * T, length), ...scores }).tags;
    yield { actual: Array.from(targets.subarray(b * T, b * T + length)), predicted };
  }
}
