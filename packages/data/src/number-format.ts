/**
 * Detects how the numbers of a column are written, and reads them. Decimal and thousands separators are detected for a
 * whole column from its cells, the other columns and the delimiter of the file. If these do not decide, a convention
 * does, and a note reports it.
 */
import type { Cell } from './table.js';

export type Decimal = '.' | ',';
export type Thousands = '.' | ',' | ' ' | "'" | 'none';

/** The separators of the numbers in a table, as far as they are known. */
export interface NumberOptions {
  /** Decimal separator. Default: detected. */
  decimal?: Decimal;
  /** Thousands separator, or `none`. Default: detected. */
  thousands?: Thousands;
}

/** The types of {@link NumberOptions}, for `checkOptions`. */
export const SEPARATOR_OPTIONS = {
  decimal: ['.', ','],
  thousands: ['.', ',', ' ', "'", 'none'],
} as const;

/** How the numbers of one column are read. */
export interface NumberFormat {
  readonly decimal: Decimal;
  /** The accepted thousands separator. Default: any separator other than the decimal separator. */
  readonly thousands?: Thousands;
  /**
   * `percent`: only some cells have a percent sign; `currency`: the cells have different currency signs. Numbers with
   * that sign are not read, because they have another unit than the other numbers.
   */
  readonly mixed?: 'percent' | 'currency';
  /** True if no cell shows which decimal separator is used, so that `decimal` is a default. */
  readonly isDefault?: true;
}

const MISSING = new Set([
  '',
  'na',
  'n/a',
  '#n/a',
  'nan',
  'null',
  'none',
  '-',
  '\u2013',
  '\u2014',
  '\u2212',
  '?',
]);
/** Excel's error values #DIV/0!, #VALUE!, #NAME? and so on, and #N/A in several languages (#N/D, #NV). */
const ERROR_VALUE = /^#(?:[^\s#]{1,16}[!?]|N\/[ADV]|NV)$/i;

/** True for an error value of a spreadsheet, such as #DIV/0!, #N/A or #VALUE!. */
export const isErrorValue = (text: string): boolean => text.startsWith('#') && ERROR_VALUE.test(text);

/**
 * True for null and for the usual notations of a missing value: empty, NA, n/a, NaN, null, none, a dash, ?, and the
 * error values of spreadsheets.
 */
export function isMissing(cell: Cell): boolean {
  if (cell === null) return true;
  if (typeof cell === 'number') return Number.isNaN(cell);
  if (typeof cell !== 'string') return cell instanceof Date && Number.isNaN(cell.getTime());
  const first = cell.charCodeAt(0);
  if (first >= 48 && first <= 57) return false; // a digit
  const text = cell.trim();
  return text.length < 20 && (MISSING.has(text.toLowerCase()) || isErrorValue(text));
}

/** A number without thousands separators, with a decimal point. */
const PLAIN = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
/** A number without thousands separators, with a decimal comma. */
const COMMA_PLAIN = /^\s*[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?\s*$/;
const CURRENCY =
  '(?:[A-Z]{0,2}\\p{Sc}|CHF|EUR|USD|GBP|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|Fr\\.|kr\\.?|z\u0142|K\u010d)';
const MINUS = '[-\u2212\u2012\u2013\uFE63]';
/**
 * A number with any of: sign, currency, parentheses, thousands separators, exponent, percent sign, or a minus at the
 * end (as SAP writes it).
 */
const FORMATTED = new RegExp(
  `^([+]|${MINUS})? ?(${CURRENCY})? ?(\\()? ?(${CURRENCY})? ?([+]|${MINUS})? ?` +
    `((?:\\d|[.,]\\d)[\\d.,' ]*?)([eE][+-]?\\d+)? ?(%)? ?(${CURRENCY})? ?(\\))? ?(%)? ?(${CURRENCY})?(${MINUS})?$`,
  'u',
);
/** Pattern of digit groups: groups of three, or Indian groups of two with a final group of three. */
const groups = (mark: string) => `[1-9]\\d{0,2}(?:${mark}\\d{3})+|[1-9]\\d?(?:${mark}\\d\\d)+${mark}\\d{3}`;
/** Digits with valid separators, by decimal separator. */
const BODY: Readonly<Record<Decimal, RegExp>> = {
  '.': new RegExp(`^(?:\\d+|${groups(',')}|${groups("'")}|${groups(' ')})?(?:\\.\\d*)?$`),
  ',': new RegExp(`^(?:\\d+|${groups('\\.')}|${groups("'")}|${groups(' ')})?(?:,\\d*)?$`),
};
const SEPARATORS: readonly Thousands[] = ['.', ',', ' ', "'"];

/** The parts of a number. The meaning of its separators is not decided yet. */
interface NumberParts {
  negative: boolean;
  parentheses: boolean;
  percent: boolean;
  currency: string;
  /** Digits and separators. */
  body: string;
  exponent: string;
}

/** Splits a text into the parts of a number; returns undefined if it is not a number in any notation. */
function partsOf(cell: string): NumberParts | undefined {
  let text = cell.trim();
  if (text.length > 40) return undefined;
  if (/[\uFF01-\uFF5E]/.test(text)) text = text.normalize('NFKC'); // full-width digits and signs
  text = text.replace(/[\s\u00A0\u202F\u2009]+/g, ' ').replace(/[\u2019\u02BC\u00B4`]/g, "'");
  const match = FORMATTED.exec(text);
  if (match === null) return undefined;
  const [
    ,
    sign = '',
    c1 = '',
    open = '',
    c2 = '',
    inner = '',
    body,
    exponent = '',
    p1,
    c3 = '',
    close = '',
    p2,
    c4 = '',
    last = '',
  ] = match;
  const signs = [sign, inner, last].filter((each) => each !== '');
  const currencies = [c1, c2, c3, c4].filter((each) => each !== '');
  const parentheses = open !== '';
  if (signs.length > 1 || currencies.length > 1 || parentheses !== (close !== '')) return undefined;
  if (parentheses && signs.length > 0) return undefined;
  return {
    negative: parentheses || (signs.length === 1 && signs[0] !== '+'),
    parentheses,
    percent: p1 !== undefined || p2 !== undefined,
    currency: currencies[0] ?? '',
    body,
    exponent,
  };
}

/** Returns the number that the parts represent in a format, or undefined if their separators do not fit the format. */
function toNumber(parts: NumberParts, { decimal, thousands }: NumberFormat): number | undefined {
  const { body, exponent, negative } = parts;
  if (!BODY[decimal].test(body)) return undefined;
  const grouping = SEPARATORS.find((mark) => mark !== decimal && body.includes(mark));
  if (grouping !== undefined && thousands !== undefined && thousands !== grouping) return undefined;
  const digits = grouping === undefined ? body : body.replaceAll(grouping, '');
  const value = Number(digits.replace(',', '.') + exponent);
  return negative ? -value : value;
}

/** Returns the number in a cell: NaN if the cell is missing, undefined if it is not a number in the format. */
export function cellNumber(cell: Cell, format: Decimal | NumberFormat = '.'): number | undefined {
  if (typeof cell === 'number') return cell;
  if (typeof cell === 'boolean') return cell ? 1 : 0;
  const numberFormat = typeof format === 'string' ? { decimal: format } : format;
  if (typeof cell === 'string') {
    if (numberFormat.decimal === '.' && PLAIN.test(cell)) return Number(cell);
    if (numberFormat.decimal === ',' && COMMA_PLAIN.test(cell)) return Number(cell.replace(',', '.'));
  }
  if (isMissing(cell)) return Number.NaN;
  const parts = typeof cell === 'string' ? partsOf(cell) : undefined;
  if (parts === undefined) return undefined;
  if (numberFormat.mixed === 'percent' && parts.percent) return undefined;
  if (numberFormat.mixed === 'currency' && parts.currency !== '') return undefined;
  return toNumber(parts, numberFormat);
}

/** Counts of cells that show how the numbers of a column are written. */
interface Evidence {
  /** Cells that are not missing. */
  filled: number;
  dates: number;
  /** Cells that are numbers only with a decimal point. */
  point: number;
  /** Cells that are numbers only with a decimal comma. */
  comma: number;
  /** Cells that are different numbers with a decimal point and with a decimal comma. */
  ambiguous: number;
  /** Numbers without separators of more than three digits. */
  long: number;
  /** Numbers without separators of up to three digits, except 0. */
  short: number;
  numeric: number;
  percent: number;
  /** More than 0 if there are numbers other than 0 without a percent sign. */
  noPercent: number;
  currencies: Set<string>;
  /** The first number in parentheses, or an empty string. */
  parentheses: string;
  /** The first ambiguous cell, or an empty string. */
  example: string;
}

/** After this many cells, a column that is mostly text is not examined further. */
const TEXT_LIMIT = 1000;
/** A number with points as thousands separators. */
const GROUPED = /^\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*$/;
/** A number with one comma as a thousands separator. */
const GROUPED_BY_COMMA = /^\s*[+-]?[1-9]\d{0,2},\d{3}\s*$/;
/** An integer of up to three digits. */
const SHORT = /^\s*[+-]?\d{1,3}\s*$/;

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
    ...{ currencies: new Set<string>(), parentheses: '', example: '' },
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
  if (PLAIN.test(cell)) addPlain(cell, evidence);
  else if (COMMA_PLAIN.test(cell)) addWithComma(cell, evidence);
  else if (isMissing(cell)) return;
  else addFormatted(cell, evidence);
  evidence.filled++;
}

function addPlain(cell: string, evidence: Evidence): void {
  evidence.numeric++;
  if (evidence.noPercent === 0 && /[1-9]/.test(cell)) evidence.noPercent++;
  if (!cell.includes('.')) {
    if (cell.length > 3 && !SHORT.test(cell)) evidence.long++;
    else if (cell !== '0') evidence.short++;
  } else if (evidence.point === 0 && GROUPED.test(cell)) {
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
  if (parts.percent) evidence.percent++;
  else if (point !== 0) evidence.noPercent++;
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
  const decimals = evidence.map((each) => decimalOf(each, { requested, required, delimiter, thousands }));
  const commas = decimals.some(
    ({ decimal }, i) => decimal === ',' && (evidence[i].comma > 0 || evidence[i].ambiguous > 0),
  );
  const decimal = required ?? (commas && delimiter !== ',' ? ',' : '.');
  const formats = evidence.map((each, i): ColumnFormat => {
    const decision: Decision = each.numeric === 0 ? { decimal, isDefault: true } : decimals[i];
    const mixed = mixedUnits(each);
    const { decimal: mark, isDefault } = decision;
    const notes = [
      ...(decision.note === undefined ? [] : [decision.note(names[i])]),
      ...signNotes(names[i], each, mixed),
    ];
    return {
      kind: kindOf(each),
      format: {
        ...{ decimal: mark, ...(isDefault && { isDefault }) },
        ...{ ...(thousands && { thousands }), ...(mixed && { mixed }) },
      },
      notes: each.numeric < each.filled ? [] : notes,
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

/** What is known apart from the cells of the column. */
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
  // In a column with 987, 1.004 and 1.435, the points separate thousands: if they were decimal points, 987 would have
  // decimals too, or the other numbers would not all have three. Without such a number, commas separate thousands in
  // comma-delimited files, and points in other files.
  const grouped = evidence.short > 0 || (mark === ',') === (delimiter === ',');
  return {
    decimal: grouped ? other : mark,
    note: (name) => separatorNote(name, evidence.example, mark, grouped),
  };
}

function separatorNote(name: string, example: string, mark: Decimal, grouped: boolean): string {
  const marks = mark === '.' ? 'Points' : 'Commas';
  const other = mark === '.' ? ',' : '.';
  if (grouped) {
    const read = cellNumber(example, other);
    return (
      `${marks} in "${name}" are read as thousands separators (${example} as ${read}). ` +
      `If they are decimal separators, set decimal (--decimal ${mark}).`
    );
  }
  const read = cellNumber(example, mark);
  return (
    `${marks} in "${name}" are read as decimal separators (${example} as ${read}). ` +
    `If they separate thousands, set thousands (--thousands ${mark}).`
  );
}

const mixedUnits = ({ percent, noPercent, currencies }: Evidence): NumberFormat['mixed'] =>
  percent > 0 && noPercent > 0 ? 'percent' : currencies.size > 1 ? 'currency' : undefined;

/** Returns notes about percent signs and parentheses. */
function signNotes(name: string, { percent, parentheses }: Evidence, mixed: NumberFormat['mixed']): string[] {
  const notes: string[] = [];
  if (percent > 0 && mixed === undefined)
    notes.push(`Percent signs in "${name}" are dropped: 51.5% is read as 51.5, not as 0.515.`);
  if (parentheses !== '')
    notes.push(`Numbers of "${name}" in parentheses, such as ${parentheses}, are read as negative.`);
  return notes;
}
