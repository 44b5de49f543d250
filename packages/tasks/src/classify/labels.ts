/**
 * Reads the labels of the examples, and splits the examples into training and validation rows. An input has one label, or several in
 * one cell: with a separator between them, or as a JSON list.
 */
import { RandomStream, UnrollError } from '@unroll/core';
import { column, findColumn, nestedValues, type Table } from '@unroll/data';
import { cellError, filledTexts } from '../shared/cells.js';

/** Classes are weighted if the largest is more than this many times as large as the smallest. */
const UNBALANCED = 2;
const MAX_WEIGHT = 10;

/**
 * Returns the labels of each row.
 * @param separator separator of the labels of a row; null: each row has one label
 * @throws UnrollError `data` for a missing column; without a separator, for an empty cell; with one, for nested values
 */
export function readLabels(table: Table, name: string, separator: string | null): string[][] {
  if (separator === null)
    return filledTexts(table, name, 'label', 'Remove the row or write a label.').map((label) => [label]);
  const labelColumn = findColumn(table, name);
  return nestedValues(table, name).map((value, row) => {
    const items = Array.isArray(value) ? value : String(value ?? '').split(separator);
    if (items.some((item) => typeof item === 'object' && item !== null))
      throw cellError(
        table,
        row,
        labelColumn,
        'a list of labels must contain only strings or numbers, got a list or an object.',
      );
    return [...new Set(items.map((item) => String(item).trim()))].filter((label) => label !== '');
  });
}

/**
 * Returns the classes of each row, as indices into `known`.
 * @param labels labels of each row
 * @param known labels of the model, in order
 * @throws UnrollError `data` for a label that is not in `known`
 */
export function classesOf(
  table: Table,
  name: string,
  labels: readonly (readonly string[])[],
  known: readonly string[],
): Int32Array[] {
  const ids = new Map(known.map((label, id) => [label, id]));
  return labels.map((row, index) =>
    Int32Array.from(row, (label) => {
      const id = ids.get(label);
      if (id !== undefined) return id;
      const list = known.slice(0, 12).join(', ') + (known.length > 12 ? ', ...' : '');
      const problem = `label "${label}" does not occur in the training data. Known labels: ${list}.`;
      throw cellError(table, index, findColumn(table, name), problem);
    }),
  );
}

/**
 * Returns the distinct labels in ascending order, by value if all are numbers.
 * @param isStratified whether validation rows of each label will be split off, so that each label needs two rows
 * @throws UnrollError `data` for fewer than two labels and, if `isStratified`, for a label with a single row
 */
export function distinctLabels(
  table: Table,
  name: string,
  labels: readonly (readonly string[])[],
  isStratified: boolean,
): string[] {
  const { source } = table;
  const counts = new Map<string, number>();
  for (const label of labels.flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  if (counts.size < 2) {
    const [only] = counts.keys();
    const got = only === undefined ? 'none' : `only "${only}"`;
    const problem = `column "${name}" must have at least two labels, got ${got} in all ${labels.length} rows.`;
    const message = `${source}: ${problem} Add rows with other labels.`;
    throw new UnrollError('data', message, { source, column: name });
  }
  const single = isStratified ? [...counts].find(([, count]) => count === 1)?.[0] : undefined;
  if (single !== undefined) {
    const problem = `label "${single}" has only this row, but at least 2 are needed: one for training, one for validation. Add rows with this label, remove the row, or pass validation rows.`;
    const row = labels.findIndex(([label]) => label === single);
    throw cellError(table, row, column(table, name), problem);
  }
  const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
  const numeric = [...counts.keys()].every((label) => label !== '' && Number.isFinite(Number(label)));
  return [...counts.keys()].sort((a, b) => (numeric && Number(a) - Number(b)) || compare(a, b));
}

/** Indices of the training and validation rows, ascending. */
export interface RowSplit {
  training: number[];
  validation: number[];
}

/**
 * Draws the same share of the rows of each class for validation, but at least one row per class.
 * @param count number of classes
 */
export function stratifiedSplit(
  classes: readonly Int32Array[],
  count: number,
  share: number,
  seed: number,
): RowSplit {
  const random = new RandomStream(seed, 'classify', 'split');
  const validation = new Set<number>();
  for (let k = 0; k < count; k++) {
    const rows = Array.from(classes.keys()).filter((row) => classes[row][0] === k);
    const size = Math.max(1, Math.round(rows.length * share));
    for (const i of random.permutation(rows.length).slice(0, size)) validation.add(rows[i]);
  }
  return splitOf(classes.length, validation);
}

/**
 * Splits rows that may have several labels: the validation rows are drawn at random. No label loses its last training row.
 * @param count number of classes
 */
export function randomSplit(
  classes: readonly Int32Array[],
  count: number,
  share: number,
  seed: number,
): RowSplit {
  const random = new RandomStream(seed, 'classify', 'split');
  const trainingRows = Array<number>(count).fill(0); // of each class
  for (const ids of classes) for (const id of ids) trainingRows[id]++;
  const size = Math.max(1, Math.round(classes.length * share));
  const validation = new Set<number>();
  for (const row of random.permutation(classes.length)) {
    if (validation.size === size) break;
    if (classes[row].some((id) => trainingRows[id] < 2)) continue;
    for (const id of classes[row]) trainingRows[id]--;
    validation.add(row);
  }
  return splitOf(classes.length, validation);
}

const splitOf = (count: number, validation: ReadonlySet<number>): RowSplit => ({
  training: Array.from({ length: count }, (_, row) => row).filter((row) => !validation.has(row)),
  validation: [...validation].sort((a, b) => a - b),
});

/**
 * Returns the weight N / (K N_k) of each of the K classes, at most 10, like `class_weight='balanced'` of scikit-learn; null if the
 * classes are balanced. N_k of the N examples belong to class k.
 * @param count number of classes
 */
export function classWeightsOf(classes: readonly Int32Array[], count: number): number[] | null {
  const counts = Array<number>(count).fill(0);
  for (const [id] of classes) counts[id]++;
  if (Math.max(...counts) <= UNBALANCED * Math.min(...counts)) return null;
  return counts.map((size) => Number(Math.min(MAX_WEIGHT, classes.length / (count * size)).toFixed(4)));
}
