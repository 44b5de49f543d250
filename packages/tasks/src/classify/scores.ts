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
  accuracy: number;
  /** Mean F1 over the classes that occur among labels or predictions. */
  macroF1: number;
  classes: ClassScore[];
  /** Number of examples by [label][prediction]. */
  confusion: number[][];
}

/**
 * Compares predictions with labels. An undefined ratio, 0 / 0, counts as 0, as in scikit-learn.
 * @param actual the class of each example @param predicted its predicted class
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
    const named = confusion.reduce((sum, row) => sum + row[k], 0);
    const share = (total: number): number => (total === 0 ? 0 : hits / total);
    const f1 = support + named === 0 ? 0 : (2 * hits) / (support + named);
    return { label, precision: share(named), recall: share(support), f1, support };
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

/** Returns precision, recall and F1 of each class as a table. */
export function classTable({ classes }: ClassifyScores): ScoreTable {
  const share = { format: 'share' as const, decimals: 1 };
  return {
    columns: [
      { name: 'label', title: 'label', format: 'text' },
      { name: 'precision', title: 'precision', ...share },
      { name: 'recall', title: 'recall', ...share },
      { name: 'f1', title: 'F1', ...share },
      { name: 'support', title: 'texts', format: 'number' },
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

/** Returns accuracy and macro F1 as a table of one row. */
export function summaryTable(
  { accuracy, macroF1 }: ClassifyScores,
  texts: number,
  model: string,
): ScoreTable {
  const share = { format: 'share' as const, decimals: 1 };
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'accuracy', title: 'accuracy', ...share },
      { name: 'macro_f1', title: 'macro F1', ...share },
      { name: 'texts', title: 'texts', format: 'number' },
    ],
    rows: [[model, accuracy, macroF1, texts]],
  };
}

/** The metrics for programs: fractions from 0 to 1. */
export const metricsOf = ({ accuracy, macroF1 }: ClassifyScores) => ({ accuracy, macro_f1: macroF1 });
