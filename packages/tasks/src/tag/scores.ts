/** Scores of a tagger: precision, recall and F1 of entities or tags, and the share of correct tags. */
import { spanScores } from '@unroll/data';
import type { ScoreTable } from '../shared/scores.js';
import { sentenceF1, type TagGoal } from './goal.js';
import { labelScheme } from './tags.js';

/** Precision, recall and F1, 0 to 1, of one type of entity or of one tag. */
export interface TagTypeScore {
  /** Type of the entities, or with the scheme `none`, the tag. */
  type: string;
  precision: number;
  recall: number;
  f1: number;
  /** Number of entities or tokens. */
  support: number;
}

/**
 * The scores of a tagger. Precision, recall and F1 are computed over all entities. With the scheme `none`, they are computed for
 * the positive tag or, without a positive tag, are the means over all tags.
 */
export interface TagScoresReport {
  precision: number;
  recall: number;
  f1: number;
  /** Share of the tokens with the correct tag. */
  accuracy: number;
  /** F1 of the positive tag as a mean over sentences; null without a positive tag. */
  sentenceF1: number | null;
  types: TagTypeScore[];
  tokens: number;
  sentences: number;
}

/** Returns the scores of predicted tags against actual tags. */
export function scoreTags(
  goal: TagGoal,
  actual: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
): TagScoresReport {
  const tokens = actual.reduce((sum, tags) => sum + tags.length, 0);
  const correct = actual.reduce(
    (sum, tags, n) => sum + tags.reduce((count, tag, i) => count + Number(tag === predicted[n][i]), 0),
    0,
  );
  const common = { accuracy: correct / tokens, tokens, sentences: actual.length };
  const scheme = labelScheme(goal.scheme);
  if (scheme !== null) {
    const { micro, labels } = spanScores(actual, predicted, { scheme });
    const types = Object.entries(labels).map(([type, { precision, recall, f1, support }]) => ({
      ...{ type, precision, recall, f1, support },
    }));
    const { precision, recall, f1 } = micro;
    return { precision, recall, f1, ...common, sentenceF1: null, types };
  }
  const types = tagTypes(actual.flat(), predicted.flat());
  const { positive } = goal;
  if (positive !== null) {
    const sentenceScores = actual.map((tags, n) => sentenceF1(tags, predicted[n], positive));
    const none = { precision: 0, recall: 0, f1: 0 };
    const { precision, recall, f1 } = types.find(({ type }) => type === positive) ?? none;
    return { precision, recall, f1, ...common, sentenceF1: meanOf(sentenceScores), types };
  }
  const mean = (key: 'precision' | 'recall' | 'f1') => meanOf(types.map((type) => type[key]));
  return {
    precision: mean('precision'),
    recall: mean('recall'),
    f1: mean('f1'),
    ...common,
    sentenceF1: null,
    types,
  };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** Returns the scores of each actual or predicted tag, sorted by tag. An undefined ratio, 0 / 0, counts as 0. */
function tagTypes(actual: readonly string[], predicted: readonly string[]): TagTypeScore[] {
  const counts = new Map<string, { support: number; predictions: number; correct: number }>();
  const countsOf = (tag: string) => {
    const found = counts.get(tag) ?? { support: 0, predictions: 0, correct: 0 };
    counts.set(tag, found);
    return found;
  };
  for (const [i, tag] of actual.entries()) {
    countsOf(tag).support++;
    countsOf(predicted[i]).predictions++;
    if (tag === predicted[i]) countsOf(tag).correct++;
  }
  const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, { support, predictions, correct }]) => ({
      ...{ type, precision: ratio(correct, predictions), recall: ratio(correct, support) },
      ...{ f1: ratio(2 * correct, support + predictions), support },
    }));
}

const SHARE = { format: 'share' as const, decimals: 1 };
const columnsOf = (names: readonly (readonly [name: string, title: string])[]) =>
  names.map(([name, title]) => ({ name, title, ...SHARE }));
const MAIN_COLUMNS = [
  ['precision', 'precision'],
  ['recall', 'recall'],
  ['f1', 'F1'],
] as const;

/** Returns precision, recall and F1 of each type as a table. */
export function typeTable({ types }: TagScoresReport, { scheme }: Pick<TagGoal, 'scheme'>): ScoreTable {
  const [name, title] = scheme === 'none' ? ['tag', 'tokens'] : ['type', 'entities'];
  return {
    columns: [
      { name, title: name, format: 'text' },
      ...columnsOf(MAIN_COLUMNS),
      { name: 'support', title, format: 'number' },
    ],
    rows: types.map(({ type, precision, recall, f1, support }) => [type, precision, recall, f1, support]),
  };
}

/** Returns the scores of all sentences as a table of one row. */
export function summaryTable(
  scores: TagScoresReport,
  { scheme, positive }: TagGoal,
  model: string,
): ScoreTable {
  const isMacro = scheme === 'none' && positive === null;
  const { precision, recall, f1, accuracy, sentenceF1: perSentence, sentences } = scores;
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      ...columnsOf(
        isMacro ? MAIN_COLUMNS.map(([name, title]) => [name, `macro ${title}`] as const) : MAIN_COLUMNS,
      ),
      ...columnsOf(perSentence === null ? [] : [['sentence_f1', 'sentence F1']]),
      ...columnsOf([['accuracy', 'accuracy']]),
      { name: 'sentences', title: 'sentences', format: 'number' },
    ],
    rows: [
      [model, precision, recall, f1, ...(perSentence === null ? [] : [perSentence]), accuracy, sentences],
    ],
  };
}

/** Returns the metrics for JSON, as fractions from 0 to 1. */
export const metricsOf = ({ precision, recall, f1, accuracy, sentenceF1: perSentence }: TagScoresReport) => ({
  ...{ precision, recall, f1, accuracy },
  ...(perSentence !== null && { sentence_f1: perSentence }),
});
