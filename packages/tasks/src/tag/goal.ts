/**
 * The score that a tagger should maximise: F1 of entities, F1 of the tokens with one tag, or the share of correct tags. This score
 * is the validation metric; it determines the best epoch and the offset of the decisions.
 */
import { spansOf } from '@unroll/data';
import { labelScheme, type TagScheme } from './tags.js';

export interface TagGoal {
  tags: readonly string[];
  scheme: TagScheme;
  /** With the scheme `none`: the tag whose tokens are scored by F1, as a mean over sentences; null: all tags. */
  positive: string | null;
}

/**
 * Sums over sentences, from which the value of a goal is computed. With entities: correct, predicted and actual entities; with a
 * positive tag: F1, sentences, 0; otherwise: correct tags, tokens, 0.
 */
export type GoalSums = [a: number, b: number, c: number];

/** Returns the name of the goal, for metrics: `f1` or `accuracy`. */
export const goalName = ({ scheme, positive }: TagGoal): 'f1' | 'accuracy' =>
  scheme === 'none' && positive === null ? 'accuracy' : 'f1';

/** Adds one sentence to the sums. */
export function addSentence(
  goal: TagGoal,
  sums: GoalSums,
  actual: readonly string[],
  predicted: readonly string[],
): void {
  const scheme = labelScheme(goal.scheme);
  if (scheme !== null) {
    const [actualSpans, predictedSpans] = [actual, predicted].map((tags) =>
      spansOf(tags, scheme).map(({ label, start, end }) => `${start} ${end} ${label}`),
    );
    const actualSet = new Set(actualSpans);
    sums[0] += predictedSpans.filter((span) => actualSet.has(span)).length;
    sums[1] += predictedSpans.length;
    sums[2] += actualSpans.length;
  } else if (goal.positive !== null) {
    sums[0] += sentenceF1(actual, predicted, goal.positive);
    sums[1]++;
  } else {
    sums[0] += actual.filter((tag, i) => tag === predicted[i]).length;
    sums[1] += actual.length;
  }
}

/** Returns the value of the goal, 0 to 1. */
export function goalValue({ scheme }: TagGoal, [a, b, c]: Readonly<GoalSums>): number {
  const count = scheme === 'none' ? b : (b + c) / 2;
  return count === 0 ? 0 : a / count;
}

/** Returns F1 of one tag over the tokens of a sentence; 1 if the tag neither occurs nor is predicted. */
export function sentenceF1(actual: readonly string[], predicted: readonly string[], tag: string): number {
  const [support, predictions] = [actual, predicted].map(
    (tags) => tags.filter((candidate) => candidate === tag).length,
  );
  const correct = actual.filter((candidate, i) => candidate === tag && predicted[i] === tag).length;
  return support + predictions === 0 ? 1 : (2 * correct) / (support + predictions);
}
