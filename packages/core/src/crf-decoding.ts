/**
 * Decoding of linear-chain conditional random fields in JavaScript, without a backend: the best sequence of tags (Viterbi
 * 1967), the n best ones, and the probability of each tag at each step. All computations are in float64.
 */
import { shapeError, valueError } from './errors.js';
import { logSumExp } from './log-sum-exp.js';
import { checkPositiveInteger } from './predict.js';

/** The scores of one sequence of T steps with K tags. A score of -∞ rules a tag or transition out. */
export interface TagScores {
  /** [T, K], row-major. */
  emissions: ArrayLike<number>;
  /** [K, K], row-major: from the tag of the row to the tag of the column. */
  transitions: ArrayLike<number>;
  /** [K]: the score of each tag as the first tag. */
  start: ArrayLike<number>;
  /** [K]: the score of each tag as the last tag. */
  end: ArrayLike<number>;
}

/** A sequence of tags with its score. */
export interface TagPath {
  /** One tag per step. */
  tags: number[];
  /** Start score + emissions + transitions + end score. */
  score: number;
}

/** A sequence of tags with its score and its probability. */
export interface RankedTagPath extends TagPath {
  /** exp(score) divided by the sum over all sequences of tags. */
  probability: number;
}

interface Size {
  T: number;
  K: number;
}

/** Returns the numbers of steps and tags. @throws UnrollError `shape` if the arrays do not fit each other */
function checkSizes({ emissions, transitions, start, end }: TagScores): Size {
  const K = start.length;
  const fits =
    K > 0 && transitions.length === K * K && end.length === K && Number.isInteger(emissions.length / K);
  if (fits) return { T: emissions.length / K, K };
  throw shapeError(
    `For ${K} start scores, there must be ${K} end scores, ${K * K} transitions and a multiple of ${K} emissions, got ` +
      `${end.length}, ${transitions.length} and ${emissions.length}.`,
    { start: K, end: end.length, transitions: transitions.length, emissions: emissions.length },
  );
}

/**
 * One of the n best paths to a tag at some step. {@link nBestPaths} keeps the list of these paths for each step and tag.
 * Without its last step, the path is entry `rank` of the list for `tag`, the previous tag, at the previous step.
 */
interface PartialPath {
  score: number;
  tag: number;
  rank: number;
}

/**
 * Returns the sequence of tags with the highest score. If several have the same score, returns the one that comes first
 * when they are compared from the last tag to the first.
 * @throws UnrollError `value` if no sequence of tags is possible
 */
export function viterbi(scores: TagScores): TagPath {
  const { T, K } = checkSizes(scores);
  const { emissions, start, end } = scores;
  const transitions = new Float64Array(scores.transitions); // arrays of one type are faster
  const previous = new Int32Array(T * K);
  let best = Float64Array.from({ length: K }, (_, j) => start[j] + emissions[j]);
  let next = new Float64Array(K);
  for (let t = 1; t < T; t++) {
    next.fill(Number.NEGATIVE_INFINITY);
    for (let i = 0; i < K; i++) {
      for (let j = 0; j < K; j++) {
        const score = best[i] + transitions[i * K + j];
        if (score > next[j]) {
          next[j] = score;
          previous[t * K + j] = i;
        }
      }
    }
    for (let j = 0; j < K; j++) next[j] += emissions[t * K + j];
    [best, next] = [next, best];
  }
  if (T === 0) return { tags: [], score: 0 };
  let tag = 0;
  for (let j = 1; j < K; j++) if (best[j] + end[j] > best[tag] + end[tag]) tag = j;
  const score = best[tag] + end[tag];
  if (score === Number.NEGATIVE_INFINITY) throw impossible(T);
  const tags = new Array<number>(T);
  for (let t = T - 1; t >= 0; t--) {
    tags[t] = tag;
    tag = previous[t * K + tag];
  }
  return { tags, score };
}

/**
 * Returns the n best sequences of tags, the best one first; fewer if fewer are possible. Sequences with the same score are
 * compared from the last tag to the first; those with smaller tags come first.
 * @throws UnrollError `value` if n is not a positive integer, or if no sequence of tags is possible
 */
export function nBestPaths(scores: TagScores, n: number): RankedTagPath[] {
  checkPositiveInteger('n', n);
  const { T, K } = checkSizes(scores);
  const { emissions, transitions, start, end } = scores;
  if (T === 0) return [{ tags: [], score: 0, probability: 1 }];
  /** table[t][j]: the n best paths to tag j of step t, the best first. */
  const table: PartialPath[][][] = [];
  for (let t = 0; t < T; t++) {
    const entriesOf = (j: number): PartialPath[] => {
      const emission = emissions[t * K + j];
      if (t === 0) return bestExtensions([[{ score: start[j], tag: -1, rank: 0 }]], n, () => emission);
      return bestExtensions(table[t - 1], n, (i) => transitions[i * K + j] + emission);
    };
    table.push(Array.from({ length: K }, (_, j) => entriesOf(j)));
  }
  const last = bestExtensions(table[T - 1], n, (j) => end[j]);
  if (last.length === 0) throw impossible(T);
  const logZ = logPartition(scores);
  return last.map(({ score, tag, rank }) => ({
    tags: trace(table, tag, rank),
    score,
    probability: Math.exp(score - logZ),
  }));
}

/**
 * Extends paths by one step, and returns the n best results.
 * @param paths the paths by their last tag
 * @param added returns the score that the extension adds to a path with this last tag
 */
function bestExtensions(
  paths: readonly (readonly PartialPath[])[],
  n: number,
  added: (tag: number) => number,
): PartialPath[] {
  return paths
    .flatMap((entries, tag) =>
      entries.map(({ score }, rank): PartialPath => ({ score: score + added(tag), tag, rank })),
    )
    .filter(({ score }) => score > Number.NEGATIVE_INFINITY)
    .sort((a, b) => b.score - a.score || a.tag - b.tag || a.rank - b.rank)
    .slice(0, n);
}

/** Returns the tags of the path whose last step is entry `rank` of the list of `tag`, by going back from step to step. */
function trace(table: readonly (readonly (readonly PartialPath[])[])[], tag: number, rank: number): number[] {
  const tags: number[] = [];
  for (const step of table.toReversed()) {
    tags.unshift(tag);
    ({ tag, rank } = step[tag][rank]);
  }
  return tags;
}

/**
 * Returns the probability of each tag at each step, [T, K], row-major.
 * @throws UnrollError `value` if no sequence of tags is possible
 */
export function tagProbabilities(scores: TagScores): Float64Array {
  const { T, K } = checkSizes(scores);
  const { emissions, transitions, start, end } = scores;
  if (T === 0) return new Float64Array(0);
  const alpha = forwardScores(scores, { T, K });
  const logZ = logSumExp(alpha[T - 1].map((score, j) => score + end[j]));
  if (logZ === Number.NEGATIVE_INFINITY) throw impossible(T);
  const probabilities = new Float64Array(T * K);
  let beta = Float64Array.from(end);
  for (let t = T - 1; t >= 0; t--) {
    for (let j = 0; j < K; j++) probabilities[t * K + j] = Math.exp(alpha[t][j] + beta[j] - logZ);
    if (t === 0) break;
    const later = beta.map((score, j) => score + emissions[t * K + j]);
    beta = Float64Array.from(start, (_, i) =>
      logSumExp(later.map((score, j) => score + transitions[i * K + j])),
    );
  }
  return probabilities;
}

/** Returns the logarithm of the sum of exp(score) over all sequences of tags. */
export function logPartition(scores: TagScores): number {
  const size = checkSizes(scores);
  const last = forwardScores(scores, size).at(-1);
  return last ? logSumExp(last.map((score, j) => score + scores.end[j])) : 0;
}

/** Returns for each step and tag the logarithm of the sum of exp(score) over all partial paths that end there. */
function forwardScores({ emissions, transitions, start }: TagScores, { T, K }: Size): Float64Array[] {
  const alpha: Float64Array[] = [];
  for (let t = 0; t < T; t++) {
    const score = (j: number): number =>
      t === 0 ? start[j] : logSumExp(alpha[t - 1].map((before, i) => before + transitions[i * K + j]));
    alpha.push(Float64Array.from({ length: K }, (_, j) => score(j) + emissions[t * K + j]));
  }
  return alpha;
}

const impossible = (steps: number) =>
  valueError(
    `No sequence of tags of length ${steps} is possible: the scores rule out all of them. Check the constraints.`,
    { steps },
  );
