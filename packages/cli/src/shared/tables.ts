/** Formats columns and rows as CSV or JSON lines. */
import type { TaskCell } from '@unroll/tasks';

export interface CellTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly TaskCell[])[];
  /** Further fields of each row, for JSON only. */
  readonly json?: readonly Readonly<Record<string, unknown>>[];
}

/** Formats one line of CSV. Fields with commas, quotes or line breaks are quoted. */
function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\n\r]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')}\n`;
}

/** Formats a table as CSV with a header. Null becomes an empty field. */
export const csvOf = ({ columns, rows }: CellTable): string =>
  [columns, ...rows.map((row) => row.map((cell) => (cell === null ? '' : String(cell))))]
    .map(csvLine)
    .join('');

/** Formats a row as a JSON object. */
export function jsonOf({ columns, rows, json }: CellTable, row: number): string {
  const cells = Object.fromEntries(columns.map((name, i) => [name, rows[row][i]]));
  return JSON.stringify({ ...cells, ...json?.[row] });
}

/** Formats the rows as JSON objects, one per line. */
export const jsonLinesOf = (table: CellTable): string =>
  table.rows.map((_, row) => `${jsonOf(table, row)}\n`).join('');
