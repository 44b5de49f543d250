/** Reads tables from JSON Lines (one object per line) and from JSON arrays of objects. */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type NumberOptions, SEPARATOR_OPTIONS } from './number-format.js';
import { cellOf, makeTable, type Table } from './table.js';

type Row = Record<string, unknown>;

/** Returns whether the text begins like JSON rather than like a CSV header. */
export function looksLikeJson(text: string): boolean {
  return /^\uFEFF?\s*(\{\s*"|\[\s*\{)/.test(text);
}

/**
 * Reads JSON Lines, or an array of objects, as a table. The keys become the columns, in order of appearance. If a row lacks a key,
 * its cell is missing. Cells are numbers, strings, booleans or null. Arrays and objects are kept, but not as cells; the
 * function `nestedValues` returns them.
 * @throws UnrollError `data` for invalid JSON and for rows that are not objects; the message gives the file and line
 * (or record)
 */
export function parseJsonLines(text: string, options: NumberOptions & { source?: string } = {}): Table {
  checkOptions('parseJsonLines', options, { source: 'string', ...SEPARATOR_OPTIONS });
  const { source = 'table', ...separators } = options;
  const body = text.replace(/^\uFEFF/, '');
  const isArray = body.trimStart().startsWith('[');
  const { rows, lines } = isArray ? arrayRows(body, source) : lineRows(body, source);
  if (rows.length === 0) throw new UnrollError('data', `${source} has no rows.`, { source });
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = names.map((name) => rows.map((row) => (Object.hasOwn(row, name) ? cellOf(row[name]) : null)));
  const nested = new Map(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));
  return makeTable({
    source,
    names,
    cells,
    nested,
    lines,
    numbering: isArray ? 'record' : 'line',
    ...separators,
  });
}

/** Reads JSON Lines. `lines` are the line numbers of the rows. */
function lineRows(body: string, source: string): { rows: Row[]; lines: number[] } {
  const rows: Row[] = [];
  const lines: number[] = [];
  for (const [i, line] of body.split(/\r\n|\r|\n/).entries()) {
    if (line.trim() === '') continue;
    const where = `${source}, line ${i + 1}`;
    const row = parseJson(line, () => where);
    rows.push(asRow(row, where));
    lines.push(i + 1);
  }
  return { rows, lines };
}

/** Reads a JSON array. `lines` are the numbers of the records, from 1. */
function arrayRows(body: string, source: string): { rows: Row[]; lines: number[] } {
  const records = parseJson(body, (error) => `${source}${linePlace(body, error)}`) as unknown[];
  const rows = records.map((record, i) => asRow(record, `${source}, record ${i + 1}`));
  return { rows, lines: rows.map((_, i) => i + 1) };
}

/** @param placeOf returns the place for the message about a syntax error */
function parseJson(text: string, placeOf: (error: SyntaxError) => string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as SyntaxError;
    const reason = message
      .replace(/ \(line.*\)$/, '')
      .replace(FIREFOX_LINE, '')
      .replace(/ in JSON/, '');
    throw new UnrollError('data', `${placeOf(error as SyntaxError)}: invalid JSON (${reason.slice(0, 80)}).`);
  }
}

/** The end of the message about a syntax error in Firefox. */
const FIREFOX_LINE = / at line (\d+) column \d+ of the JSON data$/;

/** Largest text, in characters, whose syntax error is searched for if V8 gives no position. */
const MAX_SEARCHED = 2 ** 24;

/** Returns the line of a syntax error as `, line 7`; an empty text if it is unknown. */
function linePlace(text: string, error: SyntaxError): string {
  const line = FIREFOX_LINE.exec(error.message)?.[1];
  if (line !== undefined) return `, line ${line}`;
  const position = positionOf(error, text.length) ?? searchError(text);
  return position === null ? '' : `, line ${text.slice(0, position).split(/\r\n|\r|\n/).length}`;
}

/** Returns the position of a syntax error in a text; null if V8 does not give it, as for an unexpected token. */
function positionOf({ message }: SyntaxError, length: number): number | null {
  if (/^Unexpected end/.test(message)) return length;
  const position = / at position (\d+)/.exec(message)?.[1];
  return position === undefined ? null : Number(position);
}

/**
 * Finds the first character after which no continuation of the text is valid JSON. Returns null for a long text, and in
 * engines other than V8, whose messages `isBeginning` does not recognise.
 */
function searchError(text: string): number | null {
  if (text.length > MAX_SEARCHED || !isBeginning('[')) return null;
  let [low, high] = [0, text.length];
  while (low < high) {
    const length = Math.ceil((low + high) / 2);
    if (isBeginning(text.slice(0, length))) low = length;
    else high = length - 1;
  }
  return low;
}

/** Returns whether a text is the beginning of valid JSON: it has no error, or the error is at its end. */
function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    return (
      /^Unterminated string/.test((error as Error).message) ||
      positionOf(error as SyntaxError, text.length) === text.length
    );
  }
}

/** Returns a row. @throws UnrollError `data` if it is not an object */
function asRow(value: unknown, where: string): Row {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const hint = 'Write an object such as {"month": "1960-12", "passengers": 432}.';
    throw new UnrollError('data', `${where}: a row must be an object, got ${typeName(value)}. ${hint}`);
  }
  return value as Row;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
