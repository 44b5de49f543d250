/** Score tables: metrics with their display formats, as plain JSON. */

/** Display format of a column. */
export type ScoreFormat =
  | 'text'
  /** A dimensionless number, with `decimals`. */
  | 'number'
  /** A percentage: 5.74 is shown as `5.74 %`. */
  | 'percent'
  /** A fraction, 0 to 1: 0.79 is shown as `79 %`. */
  | 'share'
  /** A number in the unit of the data: two decimals, or four significant digits if it is below 0.1 or at least 1e5. */
  | 'quantity';

export interface ScoreColumn {
  /** Identifier: `mase`, `coverage-80`. */
  name: string;
  /** Column heading: `MASE`, `coverage 80%`. */
  title: string;
  format: ScoreFormat;
  /** Decimals of a number, percentage or share. Default 0. */
  decimals?: number;
}

export interface ScoreTable {
  columns: ScoreColumn[];
  /** One cell for each column; null if there is no score. A table that compares models has the best one first. */
  rows: (string | number | null)[][];
}

/** Formats a table as text: the headings, then the rows. */
export function scoreTexts({ columns, rows }: ScoreTable): string[][] {
  return [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map((cell, c) => cellText(cell, columns[c]))),
  ];
}

function cellText(cell: string | number | null, { format, decimals = 0 }: ScoreColumn): string {
  if (cell === null) return '-';
  if (typeof cell === 'string') return cell;
  if (format === 'percent') return `${cell.toFixed(decimals)} %`;
  if (format === 'share') return `${(100 * cell).toFixed(decimals)} %`;
  if (format === 'quantity') return cell >= 0.1 && cell < 1e5 ? cell.toFixed(2) : cell.toPrecision(4);
  return cell.toFixed(decimals);
}
