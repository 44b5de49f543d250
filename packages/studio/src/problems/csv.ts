/** The numeric columns of a CSV file that a visitor opens. */
import { InputError } from './input-error.js';

export interface Column {
  name: string;
  values: Float64Array;
}

const MAX_ROWS = 100_000;

/**
 * Returns the columns that have at least 20 numbers, and numbers in at least 90 % of their cells. Each cell without a number
 * gets the last number above it or, at the top of the column, the first number of the column. Only the first 100,000 rows
 * are read.
 * @throws InputError if there is no such column
 */
export function numericColumns(text: string): Column[] {
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .slice(0, MAX_ROWS + 1);
  const separator = [',', ';', '\t'].reduce((best, candidate) =>
    (lines[0] ?? '').split(candidate).length > (lines[0] ?? '').split(best).length ? candidate : best,
  );
  const rows = lines.map((line) => splitRow(line, separator));
  const header = rows[0] ?? [];
  const hasHeader = header.some((cell) => cell !== '' && !isNumber(cell));
  const body = hasHeader ? rows.slice(1) : rows;
  const columns = header.flatMap((name, c) => {
    const cells = body.map((row) => row[c] ?? '');
    const numbers = cells.filter(isNumber).length;
    if (numbers < 20 || numbers < 0.9 * cells.length) return [];
    return [{ name: (hasHeader && name) || `column ${c + 1}`, values: fillGaps(cells) }];
  });
  if (columns.length === 0) {
    throw new InputError('columns', { rows: body.length });
  }
  return columns;
}

const isNumber = (cell: string): boolean => cell !== '' && Number.isFinite(Number(cell));

function fillGaps(cells: readonly string[]): Float64Array {
  let last = Number(cells.find(isNumber));
  return Float64Array.from(cells, (cell) => (last = isNumber(cell) ? Number(cell) : last));
}

/** Splits a row; a separator in double quotes does not count. */
function splitRow(line: string, separator: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (const character of line) {
    if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += character;
  }
  return [...cells, cell.trim()];
}
