/** Reads the texts and labels of a table. Every fault is reported with its file, line and column. */
import { UnrollError } from '@unroll/core';
import { type Cell, type Column, column, type Table } from '@unroll/data';

/** Labelled texts, with their places in the file for messages. */
export interface Examples {
  /** Name of the file. */
  source: string;
  texts: readonly string[];
  labels: readonly string[];
  /** Line of each text in the file. */
  lines: Int32Array;
}

const textOf = (cell: Cell): string =>
  cell === null ? '' : cell instanceof Date ? cell.toISOString() : String(cell).trim();

/** Returns an error that names the place of a cell. */
export function cellError(
  { source, lines }: Pick<Table, 'source' | 'lines'>,
  row: number,
  { name, position }: Pick<Column, 'name' | 'position'>,
  problem: string,
): UnrollError {
  const line = lines[row];
  return new UnrollError('data', `${source}, line ${line}, column ${position} ("${name}"): ${problem}`, {
    ...{ source, line, column: name },
  });
}

/** Returns the cells of a column as text. @throws UnrollError `data` for a missing column or an empty cell */
function filledTexts(table: Table, name: string, what: string, remedy: string): string[] {
  const found = column(table, name);
  const cells = found.cells.map(textOf);
  const empty = cells.indexOf('');
  if (empty < 0) return cells;
  throw cellError(table, empty, found, `the ${what} is empty. ${remedy}`);
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
