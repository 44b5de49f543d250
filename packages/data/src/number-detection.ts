/**
 * Detects how the numbers of a column are written. The decimal and thousands separators of a column are detected from its cells,
 * the other columns and the delimiter of the file. If these are ambiguous, a convention decides, and a note says so.
 */
import {
  cellNumber,
  type Decimal,
  isMissing,
  type NumberFormat,
  type NumberOptions,
  PLAIN_COMMA_NUMBER,
  PLAIN_NUMBER,
  partsOf,
  type Thousands,
  toNumber,
} from './number-format.js';
import type { Cell } from './table.js';

/** Counts of cells that show how the numbers of a column are written. */
interface Evidence {
  /** Cells that are not missing. */
  filled: number;
  dates: number;
  /** Cells that are valid numbers only if the decimal separator is a point. */
  point: number;
  /** Cells that are valid numbers only if the decimal separator is a comma. */
  comma: number;
  /** Cells whose value depends on whether the decimal separator is a point or a comma. */
  ambiguous: number;
  /** Numbers of more than three digits without separators. */
  long: number;
  /** Numbers of up to three digits without separators, except 0. */
  short: number;
  numeric: number;
  percent: number;
  /** More than 0 if at least one number without a percent sign is not 0. */
  noPercent: number;
  currencies: Set<string>;
  /** The first number with a percent sign, or an empty string. */
  percentExample: string;
  /** The first number in parentheses, or an empty string. */
  parentheses: string;
  /** The first ambiguous cell, or an empty string. */
  example: string;
}

/** After this many cells, a column that is mostly text is not examined further. */
const TEXT_LIMIT = 1000;
/** A number with points as thousands separators. */
const GROUPED_NUMBER = /^\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*$/;
/** A number with one comma as a thousands separator. */
const GROUPED_BY_COMMA = /^\s*[+-]?[1-9]\d{0,2},\d{3}\s*$/;
/** An integer of up to three digits. */
const SHORT_INTEGER = /^\s*[+-]?\d{1,3}\s*$/;

/** Counts the notations of the numbers in a column. */
function collectEvidence(cells: readonly Cell[]): Evidence {
  const evidence: Evidence = {
    ...{
      filled: 0,
      dates: 0,
      point: 0,
      comma: 0,
      ambiguous: 0,
      long: 0,
      short: 0,
      numeric: 0,
      percent: 0,
      noPercent: 0,
    },
    ...{ currencies: new Set<string>(), parentheses: '', percentExample: '', example: '' },
  };
  for (let row = 0; row < cells.length; row++) {
    const cell = cells[row];
    if (typeof cell === 'string') addText(cell, evidence);
    else if (!isMissing(cell)) {
      evidence.filled++;
      if (cell instanceof Date) evidence.dates++;
      else evidence.numeric++;
    }
    if (row >= TEXT_LIMIT && evidence.numeric + evidence.dates < evidence.filled / 2) break;
  }
  return evidence;
}

function addText(cell: string, evidence: Evidence): void {
  if (PLAIN_NUMBER.test(cell)) addPlain(cell, evidence);
  else if (PLAIN_COMMA_NUMBER.test(cell)) addWithComma(cell, evidence);
  else if (isMissing(cell)) return;
  else addFormatted(cell, evidence);
  evidence.filled++;
}

function addPlain(cell: string, evidence: Evidence): void {
  evidence.numeric++;
  if (evidence.noPercent === 0 && /[1-9]/.test(cell)) evidence.noPercent++;
  if (!cell.includes('.')) {
    if (cell.length > 3 && !SHORT_INTEGER.test(cell)) evidence.long++;
    else if (cell !== '0') evidence.short++;
  } else if (evidence.point === 0 && GROUPED_NUMBER.test(cell)) {
    evidence.ambiguous++;
    evidence.example ||= cell.trim();
  } else evidence.point++;
}

function addWithComma(cell: string, evidence: Evidence): void {
  evidence.numeric++;
  if (evidence.noPercent === 0 && /[1-9]/.test(cell)) evidence.noPercent++;
  if (evidence.comma === 0 && GROUPED_BY_COMMA.test(cell)) {
    evidence.ambiguous++;
    evidence.example ||= cell.trim();
  } else evidence.comma++;
}

function addFormatted(cell: string, evidence: Evidence): void {
  const parts = partsOf(cell);
  if (parts === undefined) return;
  const [point, comma] = [toNumber(parts, { decimal: '.' }), toNumber(parts, { decimal: ',' })];
  if (point === undefined && comma === undefined) return;
  evidence.numeric++;
  if (parts.percent) {
    evidence.percent++;
    evidence.percentExample ||= cell.trim();
  } else if (point !== 0) evidence.noPercent++;
  if (parts.currency !== '') evidence.currencies.add(parts.currency);
  if (parts.parentheses) evidence.parentheses ||= cell.trim();
  if (point === undefined) evidence.comma++;
  else if (comma === undefined) evidence.point++;
  else if (point !== comma) {
    evidence.ambiguous++;
    evidence.example ||= cell.trim();
  } else if (/^\d{4}/.test(parts.body)) evidence.long++;
  else if (/^\d+$/.test(parts.body)) evidence.short++;
}

/** The type of a column, the format of its numbers, and notes about decisions by convention. */
export interface ColumnFormat {
  kind: 'number' | 'text' | 'time';
  format: NumberFormat;
  notes: string[];
}

/**
 * Detects the number format of each column and the decimal separator of the table.
 * @param options.delimiter the field delimiter of the file; decimal commas are unlikely in a file with comma delimiters
 */
export function numberFormats(
  names: readonly string[],
  columns: readonly (readonly Cell[])[],
  options: NumberOptions & { delimiter?: string },
): { decimal: Decimal; columns: ColumnFormat[] } {
  const { thousands, delimiter = ',' } = options;
  const requested = options.decimal ?? (thousands === '.' ? ',' : thousands === ',' ? '.' : undefined);
  const evidence = columns.map(collectEvidence);
  const required = requested ?? requiredDecimal(evidence);
  const decimals = evidence.map((counts) => decimalOf(counts, { requested, required, delimiter, thousands }));
  const hasDecimalComma = decimals.some(
    ({ decimal }, i) => decimal === ',' && (evidence[i].comma > 0 || evidence[i].ambiguous > 0),
  );
  const decimal = required ?? (hasDecimalComma && delimiter !== ',' ? ',' : '.');
  const formats = evidence.map((counts, i): ColumnFormat => {
    const decision: Decision = counts.numeric === 0 ? { decimal, isDefault: true } : decimals[i];
    const mixed = mixedUnits(counts);
    const { decimal: mark, isDefault } = decision;
    const notes = [
      ...(decision.note === undefined ? [] : [decision.note(names[i])]),
      ...signNotes(names[i], counts, mixed),
    ];
    return {
      kind: kindOf(counts),
      format: {
        ...{ decimal: mark, ...(isDefault && { isDefault }) },
        ...{ ...(thousands && { thousands }), ...(mixed && { mixed }) },
      },
      notes: counts.numeric < counts.filled ? [] : notes,
    };
  });
  return { decimal, columns: formats };
}

function kindOf({ filled, numeric, dates }: Evidence): ColumnFormat['kind'] {
  if (filled === 0) return 'text';
  return numeric === filled ? 'number' : dates === filled ? 'time' : 'text';
}

/** Returns the decimal separator that at least one column requires, or undefined if none does or columns disagree. */
function requiredDecimal(evidence: readonly Evidence[]): Decimal | undefined {
  const numeric = evidence.filter(({ numeric, filled }) => numeric > 0 && numeric === filled);
  const commas = numeric.filter(({ comma, point }) => comma > 0 && point === 0).length;
  const points = numeric.filter(({ comma, point }) => point > 0 && comma === 0).length;
  return commas > 0 && points === 0 ? ',' : points > 0 && commas === 0 ? '.' : undefined;
}

/** Information about the decimal separator of a column that does not come from its own cells. */
interface DecimalContext {
  /** The decimal separator that the options determine. */
  requested: Decimal | undefined;
  /** `requested`, or the decimal separator that other columns require. */
  required: Decimal | undefined;
  delimiter: string;
  thousands: Thousands | undefined;
}

interface Decision {
  decimal: Decimal;
  isDefault?: true;
  note?: (name: string) => string;
}

/** Decides on the decimal separator of a column. */
function decimalOf(
  evidence: Evidence,
  { requested, required, delimiter, thousands }: DecimalContext,
): Decision {
  if (requested !== undefined) return { decimal: requested };
  if (evidence.point > 0 || evidence.comma > 0)
    return { decimal: evidence.comma > evidence.point ? ',' : '.' };
  if (evidence.ambiguous === 0)
    return required === undefined ? { decimal: '.', isDefault: true } : { decimal: required };
  const mark: Decimal = /\.\d{3}/.test(evidence.example) ? '.' : ',';
  const other: Decimal = mark === '.' ? ',' : '.';
  // A column with 1435 and 1.004 does not separate thousands.
  if (evidence.long > 0 || thousands !== undefined) return { decimal: mark };
  if (required !== undefined) return { decimal: required };
  // In a column with 987, 1.004 and 1.435, the points separate thousands: numbers with three decimals would include 987.000.
  // Without a short number like 987, commas separate thousands in comma-delimited files, and points in other files.
  const grouped = evidence.short > 0 || (mark === ',') === (delimiter === ',');
  return {
    decimal: grouped ? other : mark,
    note: (name) => separatorNote(name, evidence.example, mark, grouped),
  };
}

function separatorNote(name: string, example: string, mark: Decimal, grouped: boolean): string {
  const other = mark === '.' ? ',' : '.';
  if (grouped) {
    const read = cellNumber(example, other);
    return (
      `In "${name}", "${mark}" is read as a thousands separator (${example} as ${read}). ` +
      `If it is the decimal separator, set decimal (--decimal ${mark}).`
    );
  }
  const read = cellNumber(example, mark);
  return (
    `In "${name}", "${mark}" is read as the decimal separator (${example} as ${read}). ` +
    `If it separates thousands, set thousands (--thousands ${mark}).`
  );
}

const mixedUnits = ({ percent, noPercent, currencies }: Evidence): NumberFormat['mixed'] =>
  percent > 0 && noPercent > 0 ? 'percent' : currencies.size > 1 ? 'currency' : undefined;

/** Returns notes about percent signs and parentheses. */
function signNotes(
  name: string,
  { percent, percentExample, parentheses }: Evidence,
  mixed: NumberFormat['mixed'],
): string[] {
  const notes: string[] = [];
  if (percent > 0 && mixed === undefined)
    notes.push(
      `Percent signs in "${name}" are dropped: ${percentExample} is read as ${percentExample.replace(/\s*%/, '')}, not as a fraction.`,
    );
  if (parentheses !== '')
    notes.push(`Numbers of "${name}" in parentheses, such as ${parentheses}, are read as negative.`);
  return notes;
}
