/**
 * Detects how the numbers of a column are written. Decimal and thousands separators are detected for a whole column
 * from its cells, the other columns and the delimiter of the file. A decision by convention alone adds a note.
 */
import type { Cell } from './table.js';

export type Decimal = '.' | ',';
export type Thousands = '.' | ',' | ' ' | "'" | 'none';

/** The known separators of the numbers in a table. */
export interface NumberOptions {
  /** Decimal separator. Default: detected. */
  decimal?: Decimal;
  /** Thousands separator, or `none`. Default: detected. */
  thousands?: Thousands;
}

/** The types of NumberOptions, for `checkOptions`. */
export const SEPARATOR_OPTIONS = {
  decimal: ['.', ','],
  thousands: ['.', ',', ' ', "'", 'none'],
} as const;

/** How the numbers of one column are read. */
export interface NumberFormat {
  readonly decimal: Decimal;
  /** The only accepted thousands separator. If undefined, any separator other than the decimal one is accepted. */
  readonly thousands?: Thousands;
  /** The sign that only some of the cells have, which makes their numbers incomparable. */
  readonly mixed?: 'percent' | 'currency';
  /** True if no number has a separator that shows the decimal separator, which is then a default. */
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
/** #DIV/0!, #VALUE!, #NAME?, and #N/A, #N/D, #NV of Excel in several languages. */
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

const PLAIN = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
const COMMA_PLAIN = /^\s*[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?\s*$/;
const CURRENCY =
  '(?:[A-Z]{0,2}\\p{Sc}|CHF|EUR|USD|GBP|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|Fr\\.|kr\\.?|z\u0142|K\u010d)';
const MINUS = '[-\u2212\u2012\u2013\uFE63]';
/** Sign, currency and parentheses around digits with separators, followed by a percent sign or a minus (SAP). */
const ORNATE = new RegExp(
  `^([+]|${MINUS})? ?(${CURRENCY})? ?(\\()? ?(${CURRENCY})? ?([+]|${MINUS})? ?` +
    `((?:\\d|[.,]\\d)[\\d.,' ]*?)([eE][+-]?\\d+)? ?(%)? ?(${CURRENCY})? ?(\\))? ?(%)? ?(${CURRENCY})?(${MINUS})?$`,
  'u',
);
/** Digit groups: threes, or the Indian system of twos and a final three. */
const groups = (mark: string) => `[1-9]\\d{0,2}(?:${mark}\\d{3})+|[1-9]\\d?(?:${mark}\\d\\d)+${mark}\\d{3}`;
const BODY: Readonly<Record<Decimal, RegExp>> = {
  '.': new RegExp(`^(?:\\d+|${groups(',')}|${groups("'")}|${groups(' ')})?(?:\\.\\d*)?$`),
  ',': new RegExp(`^(?:\\d+|${groups('\\.')}|${groups("'")}|${groups(' ')})?(?:,\\d*)?$`),
};
const SEPARATORS: readonly Thousands[] = ['.', ',', ' ', "'"];

/** The parts of a number, before its separators are interpreted. */
interface Parts {
  negative: boolean;
  parentheses: boolean;
  percent: boolean;
  currency: string;
  /** Digits and separators. */
  body: string;
  exponent: string;
}

/** Splits a text into the parts of a number; undefined if it is not a number in any notation. */
function partsOf(cell: string): Parts | undefined {
  let text = cell.trim();
  if (text.length > 40) return undefined;
  if (/[\uFF01-\uFF5E]/.test(text)) text = text.normalize('NFKC'); // full-width digits and signs
  text = text.replace(/[\s\u00A0\u202F\u2009]+/g, ' ').replace(/[\u2019\u02BC\u00B4`]/g, "'");
  const match = ORNATE.exec(text);
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

/** The number that the parts represent in a format; undefined if the separators do not fit the format. */
function numberIn(parts: Parts, { decimal, thousands }: NumberFormat): number | undefined {
  const { body, exponent, negative } = parts;
  if (!BODY[decimal].test(body)) return undefined;
  const grouping = SEPARATORS.find((mark) => mark !== decimal && body.includes(mark));
  if (grouping !== undefined && thousands !== undefined && thousands !== grouping) return undefined;
  const bare = grouping === undefined ? body : body.replaceAll(grouping, '');
  const value = Number(bare.replace(',', '.') + exponent);
  return negative ? -value : value;
}

/** The number in a cell: NaN if the cell is missing, undefined if it is not a number. */
export function cellNumber(cell: Cell, format: Decimal | NumberFormat = '.'): number | undefined {
  if (typeof cell === 'number') return cell;
  if (typeof cell === 'boolean') return cell ? 1 : 0;
  const known = typeof format === 'string' ? { decimal: format } : format;
  if (typeof cell === 'string') {
    if (known.decimal === '.' && PLAIN.test(cell)) return Number(cell);
    if (known.decimal === ',' && COMMA_PLAIN.test(cell)) return Number(cell.replace(',', '.'));
  }
  if (isMissing(cell)) return Number.NaN;
  const parts = typeof cell === 'string' ? partsOf(cell) : undefined;
  if (parts === undefined) return undefined;
  if (known.mixed === 'percent' && parts.percent) return undefined;
  if (known.mixed === 'currency' && parts.currency !== '') return undefined;
  return numberIn(parts, known);
}

/** Evidence in the cells of a column for the way its numbers are written. */
interface Evidence {
  /** Cells that are not missing. */
  filled: number;
  dates: number;
  /**
   * The numbers of cells valid only with a decimal point, only with a decimal comma, or with both but with different
   * values.
   */
  point: number;
  comma: number;
  either: number;
  /** Numbers without a separator: those longer than a digit group, and the others except 0. */
  long: number;
  short: number;
  numeric: number;
  percent: number;
  /** Cells with neither a percent sign nor the value 0. */
  noPercent: number;
  currencies: Set<string>;
  parentheses: string;
  /** The first ambiguous cell. */
  example: string;
}

/** After this many cells, a column that is mostly text is not examined further. */
const ENOUGH = 1000;
const GROUPED = /^\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*$/;
const GROUPED_BY_COMMA = /^\s*[+-]?[1-9]\d{0,2},\d{3}\s*$/;
const SHORT = /^\s*[+-]?\d{1,3}\s*$/;

function evidenceIn(cells: readonly Cell[]): Evidence {
  const seen: Evidence = {
    ...{
      filled: 0,
      dates: 0,
      point: 0,
      comma: 0,
      either: 0,
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
    if (typeof cell === 'string') look(cell, seen);
    else if (!isMissing(cell)) {
      seen.filled++;
      if (cell instanceof Date) seen.dates++;
      else seen.numeric++;
    }
    if (row >= ENOUGH && seen.numeric + seen.dates < seen.filled / 2) break;
  }
  return seen;
}

function look(cell: string, seen: Evidence): void {
  if (PLAIN.test(cell)) lookAtPlain(cell, seen);
  else if (COMMA_PLAIN.test(cell)) lookAtComma(cell, seen);
  else if (isMissing(cell)) return;
  else lookAtOrnate(cell, seen);
  seen.filled++;
}

function lookAtPlain(cell: string, seen: Evidence): void {
  seen.numeric++;
  if (seen.noPercent === 0 && /[1-9]/.test(cell)) seen.noPercent++;
  if (!cell.includes('.')) {
    if (cell.length > 3 && !SHORT.test(cell)) seen.long++;
    else if (cell !== '0') seen.short++;
  } else if (seen.point === 0 && GROUPED.test(cell)) {
    seen.either++;
    seen.example ||= cell.trim();
  } else seen.point++;
}

function lookAtComma(cell: string, seen: Evidence): void {
  seen.numeric++;
  if (seen.noPercent === 0 && /[1-9]/.test(cell)) seen.noPercent++;
  if (seen.comma === 0 && GROUPED_BY_COMMA.test(cell)) {
    seen.either++;
    seen.example ||= cell.trim();
  } else seen.comma++;
}

function lookAtOrnate(cell: string, seen: Evidence): void {
  const parts = partsOf(cell);
  if (parts === undefined) return;
  const [point, comma] = [numberIn(parts, { decimal: '.' }), numberIn(parts, { decimal: ',' })];
  if (point === undefined && comma === undefined) return;
  seen.numeric++;
  if (parts.percent) seen.percent++;
  else if (point !== 0) seen.noPercent++;
  if (parts.currency !== '') seen.currencies.add(parts.currency);
  if (parts.parentheses) seen.parentheses ||= cell.trim();
  if (point === undefined) seen.comma++;
  else if (comma === undefined) seen.point++;
  else if (point !== comma) {
    seen.either++;
    seen.example ||= cell.trim();
  } else if (/^\d{4}/.test(parts.body)) seen.long++;
  else if (/^\d+$/.test(parts.body)) seen.short++;
}

/** The type of a column, the format of its numbers, and notes about uncertain decisions. */
export interface ColumnFormat {
  kind: 'number' | 'text' | 'time';
  format: NumberFormat;
  notes: string[];
}

/**
 * Detects the number format of each column and the decimal separator of the table.
 * @param delimiter the field delimiter of the file; if it is not a comma, the decimal separator may be one
 */
export function numberFormats(
  names: readonly string[],
  columns: readonly (readonly Cell[])[],
  options: NumberOptions & { delimiter?: string },
): { decimal: Decimal; columns: ColumnFormat[] } {
  const { thousands, delimiter = ',' } = options;
  const given = options.decimal ?? (thousands === '.' ? ',' : thousands === ',' ? '.' : undefined);
  const evidence = columns.map(evidenceIn);
  const required = given ?? requiredDecimal(evidence);
  const decimals = evidence.map((seen) => decimalOf(seen, { given, required, delimiter, thousands }));
  const commas = decimals.some(
    ({ decimal }, i) => decimal === ',' && (evidence[i].comma > 0 || evidence[i].either > 0),
  );
  const decimal = required ?? (commas && delimiter !== ',' ? ',' : '.');
  const formats = evidence.map((seen, i): ColumnFormat => {
    const own: Decided = seen.numeric === 0 ? { decimal, isDefault: true } : decimals[i];
    const mixed = mixedIn(seen);
    const { decimal: mark, isDefault } = own;
    const notes = [
      ...(own.note === undefined ? [] : [own.note(names[i])]),
      ...signNotes(names[i], seen, mixed),
    ];
    return {
      kind: kindOf(seen),
      format: {
        ...{ decimal: mark, ...(isDefault && { isDefault }) },
        ...{ ...(thousands && { thousands }), ...(mixed && { mixed }) },
      },
      notes: seen.numeric < seen.filled ? [] : notes,
    };
  });
  return { decimal, columns: formats };
}

function kindOf({ filled, numeric, dates }: Evidence): ColumnFormat['kind'] {
  if (filled === 0) return 'text';
  return numeric === filled ? 'number' : dates === filled ? 'time' : 'text';
}

/** The decimal separator that the cells of some column require. */
function requiredDecimal(evidence: readonly Evidence[]): Decimal | undefined {
  const numeric = evidence.filter(({ numeric, filled }) => numeric > 0 && numeric === filled);
  const commas = numeric.filter(({ comma, point }) => comma > 0 && point === 0).length;
  const points = numeric.filter(({ comma, point }) => point > 0 && comma === 0).length;
  return commas > 0 && points === 0 ? ',' : points > 0 && commas === 0 ? '.' : undefined;
}

interface Circumstances {
  given: Decimal | undefined;
  required: Decimal | undefined;
  delimiter: string;
  thousands: Thousands | undefined;
}

interface Decided {
  decimal: Decimal;
  isDefault?: true;
  note?: (name: string) => string;
}

function decimalOf(seen: Evidence, { given, required, delimiter, thousands }: Circumstances): Decided {
  if (given !== undefined) return { decimal: given };
  if (seen.point > 0 || seen.comma > 0) return { decimal: seen.comma > seen.point ? ',' : '.' };
  if (seen.either === 0)
    return required === undefined ? { decimal: '.', isDefault: true } : { decimal: required };
  const mark: Decimal = /\.\d{3}/.test(seen.example) ? '.' : ',';
  const other: Decimal = mark === '.' ? ',' : '.';
  // 1435 beside 1.004: thousands are not separated in this column.
  if (seen.long > 0 || thousands !== undefined) return { decimal: mark };
  if (required !== undefined) return { decimal: required };
  // 987 beside 1.004 and 1.435: if these were decimals, all numbers or none would have three digits after the mark.
  const grouped = seen.short > 0 || (mark === ',') === (delimiter === ',');
  return {
    decimal: grouped ? other : mark,
    note: (name) => separatorNote(name, seen.example, mark, grouped),
  };
}

function separatorNote(name: string, example: string, mark: Decimal, grouped: boolean): string {
  const what = mark === '.' ? 'Points' : 'Commas';
  const other = mark === '.' ? ',' : '.';
  if (grouped) {
    const read = cellNumber(example, other);
    return (
      `${what} in "${name}" are read as thousands separators (${example} as ${read}). ` +
      `If they are decimal separators, set decimal (--decimal ${mark}).`
    );
  }
  const read = cellNumber(example, mark);
  return (
    `${what} in "${name}" are read as decimal separators (${example} as ${read}). ` +
    `If they separate thousands, set thousands (--thousands ${mark}).`
  );
}

const mixedIn = ({ percent, noPercent, currencies }: Evidence): NumberFormat['mixed'] =>
  percent > 0 && noPercent > 0 ? 'percent' : currencies.size > 1 ? 'currency' : undefined;

function signNotes(name: string, { percent, parentheses }: Evidence, mixed: NumberFormat['mixed']): string[] {
  const notes: string[] = [];
  if (percent > 0 && mixed === undefined)
    notes.push(`Percent signs in "${name}" are dropped: 51.5% is read as 51.5, not as 0.515.`);
  if (parentheses !== '')
    notes.push(`Numbers of "${name}" in parentheses, such as ${parentheses}, are read as negative.`);
  return notes;
}
