/** Scores of a classifier: accuracy, precision, recall and F1 of each class, macro F1 and the confusion matrix. */
import type { ScoreTable } from '../shared/scores.js';

export interface ClassScore {
  label: string;
  precision: number;
  recall: number;
  f1: number;
  /** Number of examples with this label. */
  support: number;
}

export interface ClassifyScores {
  /** Share of the examples whose label or, for several labels, set of labels is correct. */
  accuracy: number;
  /** F1 over all pairs of an example and a label. Only for several labels per example. */
  microF1?: number;
  /** Mean F1 over the classes that occur among labels or predictions. */
  macroF1: number;
  classes: ClassScore[];
  /** Number of examples by [label][prediction]; empty for several labels per example. */
  confusion: number[][];
}

/**
 * Returns the scores of predictions. An undefined ratio, 0 / 0, counts as 0, as in scikit-learn.
 * @param actual class of each example
 * @param predicted predicted class of each example
 */
export function classifyScores(
  actual: ArrayLike<number>,
  predicted: ArrayLike<number>,
  labels: readonly string[],
): ClassifyScores {
  const confusion = labels.map(() => labels.map(() => 0));
  for (let i = 0; i < actual.length; i++) confusion[actual[i]][predicted[i]]++;
  const classes = labels.map((label, k): ClassScore => {
    const hits = confusion[k][k];
    const support = confusion[k].reduce((sum, count) => sum + count, 0);
    const predictions = confusion.reduce((sum, row) => sum + row[k], 0);
    const share = (total: number): number => (total === 0 ? 0 : hits / total);
    const f1 = support + predictions === 0 ? 0 : (2 * hits) / (support + predictions);
    return { label, precision: share(predictions), recall: share(support), f1, support };
  });
  const occurring = classes.filter(({ support }, k) => support > 0 || confusion.some((row) => row[k] > 0));
  const correct = confusion.reduce((sum, row, k) => sum + row[k], 0);
  return {
    accuracy: correct / actual.length,
    macroF1: occurring.reduce((sum, { f1 }) => sum + f1, 0) / occurring.length,
    classes,
    confusion,
  };
}

/**
 * Returns the scores of predicted sets of labels. An undefined ratio, 0 / 0, counts as 0, as in scikit-learn.
 * @param actual classes of each example
 * @param predicted predicted classes of each example
 */
export function multiLabelScores(
  actual: readonly Iterable<number>[],
  predicted: readonly Iterable<number>[],
  labels: readonly string[],
): ClassifyScores {
  const counts = labels.map(() => ({ hits: 0, support: 0, predictions: 0 }));
  let exact = 0;
  for (const [i, classes] of actual.entries()) {
    const [expected, predictedIds] = [new Set(classes), new Set(predicted[i])];
    const common = [...expected].filter((id) => predictedIds.has(id));
    exact += Number(common.length === expected.size && common.length === predictedIds.size);
    for (const id of expected) counts[id].support++;
    for (const id of predictedIds) counts[id].predictions++;
    for (const id of common) counts[id].hits++;
  }
  const f1Of = (hits: number, support: number, predictions: number): number =>
    support + predictions === 0 ? 0 : (2 * hits) / (support + predictions);
  const classes = counts.map(
    ({ hits, support, predictions }, k): ClassScore => ({
      label: labels[k],
      precision: predictions === 0 ? 0 : hits / predictions,
      recall: support === 0 ? 0 : hits / support,
      f1: f1Of(hits, support, predictions),
      support,
    }),
  );
  const occurring = classes.filter((_, k) => counts[k].support + counts[k].predictions > 0);
  const total = (key: 'hits' | 'support' | 'predictions'): number =>
    counts.reduce((sum, labelCounts) => sum + labelCounts[key], 0);
  return {
    accuracy: exact / actual.length,
    microF1: f1Of(total('hits'), total('support'), total('predictions')),
    macroF1: occurring.reduce((sum, { f1 }) => sum + f1, 0) / Math.max(1, occurring.length),
    classes,
    confusion: [],
  };
}

/**
 * Returns precision, recall and F1 of each class as a table.
 * @param noun plural noun for the examples, such as `texts`
 */
export function classTable({ classes }: ClassifyScores, noun = 'texts'): ScoreTable {
  const share = { format: 'share' as const, decimals: 1 };
  return {
    columns: [
      { name: 'label', title: 'label', format: 'text' },
      { name: 'precision', title: 'precision', ...share },
      { name: 'recall', title: 'recall', ...share },
      { name: 'f1', title: 'F1', ...share },
      { name: 'support', title: noun, format: 'number' },
    ],
    rows: classes.map(({ label, precision, recall, f1, support }) => [label, precision, recall, f1, support]),
  };
}

/** Returns the confusion matrix as a table: one row per label, one column per prediction. */
export function confusionTable({ classes, confusion }: ClassifyScores): ScoreTable {
  return {
    columns: [
      { name: 'label', title: 'label \\ predicted', format: 'text' },
      ...classes.map(({ label }) => ({ name: label, title: label, format: 'number' as const })),
    ],
    rows: confusion.map((counts, k) => [classes[k].label, ...counts]),
  };
}

/**
 * Returns the scores of a model as a table of one row.
 * @param count number of examples
 * @param noun plural noun for the examples, such as `texts`
 */
export function summaryTable(
  { accuracy, macroF1, microF1 }: ClassifyScores,
  count: number,
  model: string,
  noun = 'texts',
): ScoreTable {
  const share = { format: 'share' as const, decimals: 1 };
  const isMultiLabel = microF1 !== undefined;
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      ...(isMultiLabel ? [{ name: 'micro_f1', title: 'micro F1', ...share }] : []),
      ...(isMultiLabel ? [] : [{ name: 'accuracy', title: 'accuracy', ...share }]),
      { name: 'macro_f1', title: 'macro F1', ...share },
      ...(isMultiLabel ? [{ name: 'exact_match', title: 'exact match', ...share }] : []),
      { name: noun, title: noun, format: 'number' },
    ],
    rows: [isMultiLabel ? [model, microF1, macroF1, accuracy, count] : [model, accuracy, macroF1, count]],
  };
}

/** Returns the metrics by name, as fractions from 0 to 1. */
export const metricsOf = ({ accuracy, macroF1, microF1 }: ClassifyScores): Record<string, number> =>
  microF1 === undefined
    ? { accuracy, macro_f1: macroF1 }
    : { micro_f1: microF1, macro_f1: macroF1, exact_match: accuracy };

/** Returns the tables after the summary: the scores of each label and, with one label per example, the confusion matrix. */
export function detailTables(scores: ClassifyScores, noun: string) {
  const classes = { name: 'classes', title: 'Scores by label', ...classTable(scores, noun) };
  if (scores.confusion.length === 0) return [classes];
  return [classes, { name: 'confusion', title: 'Confusion matrix', ...confusionTable(scores) }];
}
