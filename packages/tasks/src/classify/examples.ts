/** Reads the texts and labels of a table. Every fault is reported with its file, line and column. */
import { column, type Table } from '@unroll/data';
import { cellError, filledTexts } from '../shared/cells.js';

/** Labelled texts, with their places in the file for messages. */
export interface Examples {
  /** Name of the file. */
  source: string;
  texts: readonly string[];
  labels: readonly string[];
  /** Line of each text in the file. */
  lines: Int32Array;
}

/** Returns the texts of a table. @throws UnrollError `data` for a missing column or an empty text */
export const readTexts = (table: Table, name: string): string[] =>
  filledTexts(table, name, 'text', 'Remove the row or write a text.');

/** Returns the texts and labels of a table. @throws UnrollError `data` for missing columns and empty cells */
export function readExamples(table: Table, text: string, label: string): Examples {
  return {
    source: table.source,
    texts: readTexts(table, text),
    labels: filledTexts(table, label, 'label', 'Remove the row or write a label.'),
    lines: table.lines,
  };
}

/**
 * Returns the class of each label.
 * @param classes the labels of the model, in order
 * @throws UnrollError `data` for a label that is not one of them
 */
export function classesOf(
  table: Table,
  label: string,
  labels: readonly string[],
  classes: readonly string[],
) {
  const ids = new Map(classes.map((name, id) => [name, id]));
  return Int32Array.from(labels, (name, row) => {
    const id = ids.get(name);
    if (id !== undefined) return id;
    const known = classes.slice(0, 12).join(', ') + (classes.length > 12 ? ', ...' : '');
    throw cellError(
      table,
      row,
      column(table, label),
      `label "${name}" does not occur in the training data. Its labels: ${known}.`,
    );
  });
}
