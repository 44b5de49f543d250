/**
 * Precision, recall and F1 of labelled spans (named entities, chunks, words), with the definitions and numerical results of
 * seqeval 1.2.2. A predicted span is correct if an actual span has the same label, start and end.
 */
import { shapeError, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type LabelScheme, parseSpans, type Span } from './label-schemes.js';

export interface SpanScoreOptions {
  /** Default `BIO`. */
  scheme?: LabelScheme;
  /** Default false. True: tags that break the rules of the scheme belong to no span (`mode="strict"` of seqeval). */
  strict?: boolean;
}

/** Scores are 0 to 1. If the denominator of a score is 0, the score is 0. */
export interface SpanScore {
  precision: number;
  recall: number;
  f1: number;
  /** Number of actual spans. */
  support: number;
}

/** Scores of one label, with the counts that they are computed from. */
export interface LabelScore extends SpanScore {
  /** Number of predicted spans. */
  predicted: number;
  /** Number of spans that are predicted correctly. */
  correct: number;
}

export interface SpanScores {
  /** Scores of each label that occurs in an actual or predicted span, sorted by label. */
  labels: Record<string, LabelScore>;
  /** Scores from the counts of all labels together, as usual in named entity recognition. */
  micro: LabelScore;
  /** Mean over labels. */
  macro: SpanScore;
  /** Mean over labels, weighted by support. */
  weighted: SpanScore;
}

/**
 * Returns the scores of predicted tags.
 * @param actual the true tags of each sequence, such as `[['B-PER', 'I-PER', 'O']]`
 * @param predicted the predicted tags, of the same lengths
 * @throws UnrollError `shape` if lengths differ, `value` for an empty corpus, an unknown scheme or a tag that is not of the
 *   scheme; the message gives the sequence and the index
 */
export function spanScores(
  actual: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  options: SpanScoreOptions = {},
): SpanScores {
  checkOptions('spanScores', options, { scheme: true, strict: 'boolean' });
  const { scheme = 'BIO', strict = false } = options;
  checkTags(actual, predicted);
  const counts = new Map<string, Counts>();
  actual.forEach((tags, n) => {
    const parse = (path: string, sequence: readonly string[]) =>
      parseSpans('spanScores', `${path}[${n}]`, sequence, scheme, { strict });
    addSequence(counts, parse('actual', tags), parse('predicted', predicted[n]));
  });
  const labels = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, c]) => [label, scoreOf(c)] as const);
  const scores = labels.map(([, score]) => score);
  const total = (key: keyof Counts) => scores.reduce((sum, score) => sum + score[key], 0);
  return {
    labels: Object.fromEntries(labels),
    micro: scoreOf({ support: total('support'), predicted: total('predicted'), correct: total('correct') }),
    macro: meanOf(scores, () => 1),
    weighted: meanOf(scores, (score) => score.support),
  };
}

type Counts = Pick<LabelScore, 'support' | 'predicted' | 'correct'>;

function checkTags(actual: readonly (readonly string[])[], predicted: readonly (readonly string[])[]): void {
  for (const [name, value] of Object.entries({ actual, predicted })) {
    if (!Array.isArray(value))
      throw valueError(`spanScores: ${name} must be an array of tag sequences, got ${formatValue(value)}.`);
    const n = value.findIndex((tags) => !Array.isArray(tags));
    if (n >= 0)
      throw valueError(`spanScores: ${name}[${n}] must be an array of tags, got ${formatValue(value[n])}.`);
  }
  if (actual.length !== predicted.length) {
    throw shapeError(
      `spanScores: actual and predicted must have the same number of sequences, got ${actual.length} and ` +
        `${predicted.length}.`,
    );
  }
  if (actual.length === 0) {
    throw valueError('spanScores needs at least one sequence, got none. Check that the corpus was read.');
  }
  const n = actual.findIndex((tags, i) => tags.length !== predicted[i].length);
  if (n >= 0) {
    throw shapeError(
      `spanScores: actual[${n}] and predicted[${n}] must have the same number of tags, got ${actual[n].length} and ` +
        `${predicted[n].length}. Remove the tags of padding.`,
    );
  }
}

function addSequence(counts: Map<string, Counts>, actual: readonly Span[], predicted: readonly Span[]): void {
  const countsOf = (label: string): Counts => {
    const found = counts.get(label) ?? { support: 0, predicted: 0, correct: 0 };
    counts.set(label, found);
    return found;
  };
  const keyOf = ({ label, start, end }: Span) => `${start} ${end} ${label}`;
  const keys = new Set(actual.map(keyOf));
  for (const { label } of actual) countsOf(label).support++;
  for (const span of predicted) {
    const count = countsOf(span.label);
    count.predicted++;
    if (keys.has(keyOf(span))) count.correct++;
  }
}

const ratio = (numerator: number, denominator: number): number =>
  denominator === 0 ? 0 : numerator / denominator;

function scoreOf({ support, predicted, correct }: Counts): LabelScore {
  const precision = ratio(correct, predicted);
  const recall = ratio(correct, support);
  const f1 = ratio(2 * precision * recall, precision + recall);
  return { precision, recall, f1, support, predicted, correct };
}

function meanOf(scores: readonly LabelScore[], weightOf: (score: LabelScore) => number): SpanScore {
  const total = scores.reduce((sum, score) => sum + weightOf(score), 0);
  const mean = (key: 'precision' | 'recall' | 'f1') =>
    ratio(
      scores.reduce((sum, score) => sum + weightOf(score) * score[key], 0),
      total,
    );
  return {
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
    support: scores.reduce((sum, { support }) => sum + support, 0),
  };
}
