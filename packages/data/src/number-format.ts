/**
 * Reads numbers as people write them: with decimal and thousands separators, signs, percent signs, currencies and
 * parentheses. number-detection.ts finds out how the numbers of a column are written.
 */
import type { Cell } from './table.js';

export type Decimal = '.' | ',';
export type Thousands = '.' | ',' | ' ' | "'" | 'none';

/** The separators of the numbers in a table, if they are known. */
export interface NumberOptions {
  /** Decimal separator. Default: detected. */
  decimal?: Decimal;
  /** Thousands separator, or `none`. Default: detected. */
  thousands?: Thousands;
}

/** The allowed values of {@link NumberOptions}, for `checkOptions`. */
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
   * `percent`: only some cells have a percent sign. `currency`: the cells have different currency signs. Cells with a percent
   * or currency sign then do not count as numbers, because the units of the column differ.
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

/** Returns whether a text is an error value of a spreadsheet, such as #DIV/0!, #N/A or #VALUE!. */
export const isErrorValue = (text: string): boolean => text.startsWith('#') && ERROR_VALUE.test(text);

/**
 * Returns whether a cell is null, the number NaN, an invalid date, or a text with a usual notation of a missing value: empty, NA,
 * n/a, NaN, null, none, a dash, ?, or an error value of a spreadsheet.
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
export const PLAIN_NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
/** A number without thousands separators, with a decimal comma. */
export const PLAIN_COMMA_NUMBER = /^\s*[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?\s*$/;
const CURRENCY =
  '(?:[A-Z]{0,2}\\p{Sc}|CHF|EUR|USD|GBP|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|Fr\\.|kr\\.?|z\u0142|K\u010d)';
const MINUS = '[-\u2212\u2012\u2013\uFE63]';
/**
 * A number with any of: sign, currency, parentheses, thousands separators, exponent, percent sign, or a minus at the
 * end (as SAP writes it).
 */
const FORMATTED_NUMBER = new RegExp(
  `^([+]|${MINUS})? ?(${CURRENCY})? ?(\\()? ?(${CURRENCY})? ?([+]|${MINUS})? ?` +
    `((?:\\d|[.,]\\d)[\\d.,' ]*?)([eE][+-]?\\d+)? ?(%)? ?(${CURRENCY})? ?(\\))? ?(%)? ?(${CURRENCY})?(${MINUS})?$`,
  'u',
);
/** Pattern of digit groups: groups of three, or Indian groups of two with a final group of three. */
const groups = (mark: string) => `[1-9]\\d{0,2}(?:${mark}\\d{3})+|[1-9]\\d?(?:${mark}\\d\\d)+${mark}\\d{3}`;
/** Patterns of digits with valid separators, for each decimal separator. */
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
export function partsOf(cell: string): NumberParts | undefined {
  let text = cell.trim();
  if (text.length > 40) return undefined;
  if (/[\uFF01-\uFF5E]/.test(text)) text = text.normalize('NFKC'); // full-width digits and signs
  text = text.replace(/[\s\u00A0\u202F\u2009]+/g, ' ').replace(/[\u2019\u02BC\u00B4`]/g, "'");
  const match = FORMATTED_NUMBER.exec(text);
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
  const signs = [sign, inner, last].filter((text) => text !== '');
  const currencies = [c1, c2, c3, c4].filter((text) => text !== '');
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
export function toNumber(parts: NumberParts, { decimal, thousands }: NumberFormat): number | undefined {
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
    if (numberFormat.decimal === '.' && PLAIN_NUMBER.test(cell)) return Number(cell);
    if (numberFormat.decimal === ',' && PLAIN_COMMA_NUMBER.test(cell)) return Number(cell.replace(',', '.'));
  }
  if (isMissing(cell)) return Number.NaN;
  const parts = typeof cell === 'string' ? partsOf(cell) : undefined;
  if (parts === undefined) return undefined;
  if (numberFormat.mixed === 'percent' && parts.percent) return undefined;
  if (numberFormat.mixed === 'currency' && parts.currency !== '') return undefined;
  return toNumber(parts, numberFormat);
}
