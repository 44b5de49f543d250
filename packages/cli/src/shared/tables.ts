/** Formats columns and rows as CSV or JSON lines. */
import type { TaskCell, TaskResult } from '@unroll/tasks';

export interface CellTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly TaskCell[])[];
  /** The rows as objects for JSON. Default: the cells by column name. */
  readonly objects?: TaskResult['objects'];
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

/** Formats the rows as JSON objects, one per line. */
export const jsonLinesOf = (table: CellTable): string =>
  table.rows.map((_, i) => `${JSON.stringify(objectOf(table, i))}\n`).join('');

/** Returns a row as an object. */
export const objectOf = ({ columns, rows, objects }: CellTable, row: number): object =>
  objects?.[row] ?? Object.fromEntries(columns.map((name, i) => [name, rows[row][i]]));
