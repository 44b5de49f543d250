/** Reads the cells of a table column as texts. Errors name the file, line and column of the cell. */
import { UnrollError } from '@unroll/core';
import { type Cell, type Column, column, locationOf, sourceOf, type Table } from '@unroll/data';

const textOf = (cell: Cell): string =>
  cell === null ? '' : cell instanceof Date ? cell.toISOString() : String(cell).trim();

/** Returns an error that names the file, line and column of a cell. */
export function cellError(
  table: Pick<Table, 'source' | 'lines' | 'numbering' | 'appended'>,
  row: number,
  { name, position }: Pick<Column, 'name' | 'position'>,
  problem: string,
): UnrollError {
  const place = `${locationOf(table, row)}, column ${position} ("${name}")`;
  return new UnrollError('data', `${place}: ${problem}`, {
    ...{ source: sourceOf(table, row), line: table.lines[row], column: name },
  });
}

/**
 * Returns the cells of a column as text.
 * @param what noun for a cell in error messages, such as `label`
 * @param remedy what to do about an empty cell, as a sentence
 * @throws UnrollError `data` for a missing column or an empty cell
 */
export function filledTexts(table: Table, name: string, what: string, remedy: string): string[] {
  const found = column(table, name);
  const cells = found.cells.map(textOf);
  const empty = cells.indexOf('');
  if (empty < 0) return cells;
  throw cellError(table, empty, found, `the ${what} is empty. ${remedy}`);
}
