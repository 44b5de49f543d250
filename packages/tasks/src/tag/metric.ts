/**
 * The validation metric of a tagger: the value of the goal with the best of a few offsets (see decisions.ts). Without offsets, the
 * metric would also depend on how confident the network is, not only on how well it ranks entities.
 */
import { concat, reshape, type TagScores, type Tensor, UnrollError } from '@unroll/core';
import { crfOutputOf, hostValues } from '@unroll/core/internal';
import type { Metric } from '@unroll/train';
import { decide, offsetRange, offsetsOf } from './decisions.js';
import { addSentence, type GoalSums, goalName, goalValue, type TagGoal } from './goal.js';

/** Returns the metric, named `f1` or `accuracy`, for targets that are tag ids [B, T]. */
export function goalMetric(goal: TagGoal): Metric {
  const offsets = offsetRange(goal, 1).map((offset) => offsetsOf(goal, offset));
  const zero = (): GoalSums[] => offsets.map(() => [0, 0, 0]);
  let sums = zero();
  return {
    name: goalName(goal),
    config: {},
    better: 'higher',
    prepare: withScores,
    update(packed, target, mask = null) {
      for (const { actual, scores } of sentencesOf(packed, target, mask)) {
        const names = actual.map((id) => goal.tags[id]);
        for (const [i, tagOffsets] of offsets.entries()) {
          const predicted = decide(goal, scores, tagOffsets).map((id) => goal.tags[id]);
          addSentence(goal, sums[i], names, predicted);
        }
      }
    },
    result: () => Math.max(...sums.map((offsetSums) => goalValue(goal, offsetSums))),
    reset() {
      sums = zero();
    },
    get state() {
      return { width: 3, sums: sums.flat() };
    },
    set state(state) {
      sums = zero().map((_, i) => [0, 1, 2].map((n) => state.sums[3 * i + n] ?? 0) as GoalSums);
    },
  };
}

/** Returns the scores of the output layer as one tensor: emissions [B T, K], transitions [K, K], start and end [1, K]. */
function withScores(emissions: Tensor): Tensor {
  const scores = crfOutputOf(emissions)?.scores();
  if (!scores) throw new UnrollError('state', 'The last layer of a tagger must be a crf.');
  const [B, T, K] = emissions.shape;
  const { transitions, start, end } = scores;
  return concat(
    [reshape(emissions, [B * T, K]), transitions, reshape(start, [1, K]), reshape(end, [1, K])],
    0,
  );
}

/** Returns the actual tags and the scores of each sentence of a batch. */
function sentencesOf(
  packed: Tensor,
  target: Tensor,
  mask: Tensor | null,
): { actual: number[]; scores: TagScores }[] {
  const [B, T] = target.shape;
  const K = packed.shape[1];
  const values = hostValues(packed, 'The prediction');
  const part = (first: number, count: number) => values.subarray(first * K, (first + count) * K);
  const steps = B * T;
  const scores = { transitions: part(steps, K), start: part(steps + K, 1), end: part(steps + K + 1, 1) };
  const [targets, valid] = [hostValues(target, 'The target'), mask && hostValues(mask, 'A mask')];
  return Array.from({ length: B }, (_, b) => {
    // Sentences are padded on the right.
    let length = 0;
    while (length < T && valid?.[b * T + length] !== 0) length++;
    const actual = Array.from(targets.subarray(b * T, b * T + length));
    return { actual, scores: { emissions: part(b * T, length), ...scores } };
  });
}
