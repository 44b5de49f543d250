/** Finds the most probable alignment of labels with the outputs of a CTC network (Viterbi), which gives the times of words. */
import { BLANK } from './tokens.js';

/** The steps of a label. */
export interface LabelSteps {
  /** The first step. */
  from: number;
  /** The step after the last step. */
  to: number;
}

/**
 * Returns the steps of each label in the most probable alignment.
 * @param scores [steps, classes]: logits or log probabilities
 * @returns the steps of each label; null if there are too few steps
 */
export function alignLabels(
  scores: Float32Array,
  classes: number,
  labels: ArrayLike<number>,
): LabelSteps[] | null {
  const steps = scores.length / classes;
  const states = 2 * labels.length + 1; // Even states are blanks, odd states are the labels between them.
  const labelOf = (state: number): number => (state % 2 === 0 ? BLANK : labels[(state - 1) / 2]);
  let best = new Float64Array(states).fill(Number.NEGATIVE_INFINITY);
  const moves = new Uint8Array(steps * states); // [t, s]: by how many states the best path to state s advances at step t.
  for (let t = 0; t < steps; t++) {
    const next = new Float64Array(states).fill(Number.NEGATIVE_INFINITY);
    for (let s = 0; s < states; s++) {
      const { score, move } = t === 0 ? startOf(s) : bestMove(best, s, labelOf);
      next[s] = score + scores[t * classes + labelOf(s)];
      moves[t * states + s] = move;
    }
    best = next;
  }
  let state = states > 1 && best[states - 2] > best[states - 1] ? states - 2 : states - 1;
  if (steps === 0 || best[state] === Number.NEGATIVE_INFINITY) return labels.length === 0 ? [] : null;
  const ranges = Array.from({ length: labels.length }, (): LabelSteps => ({ from: 0, to: 0 }));
  for (let t = steps - 1; t >= 0; t--) {
    if (state % 2 === 1) {
      const range = ranges[(state - 1) / 2];
      range.from = t;
      if (range.to === 0) range.to = t + 1;
    }
    state -= moves[t * states + state];
  }
  return ranges;
}

const startOf = (state: number) => ({ score: state < 2 ? 0 : Number.NEGATIVE_INFINITY, move: 0 });

/** Returns the score of the best predecessor of a state, and the distance: 0, 1 or, if a blank between labels is skipped, 2. */
function bestMove(
  best: Float64Array,
  state: number,
  labelOf: (state: number) => number,
): { score: number; move: number } {
  let [score, move] = [best[state], 0];
  if (state > 0 && best[state - 1] > score) [score, move] = [best[state - 1], 1];
  const canSkipBlank = state > 1 && state % 2 === 1 && labelOf(state) !== labelOf(state - 2);
  if (canSkipBlank && best[state - 2] > score) [score, move] = [best[state - 2], 2];
  return { score, move };
}
