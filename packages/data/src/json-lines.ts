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
  const { rows, lines } = body.trimStart().startsWith('[') ? arrayRows(body, source) : lineRows(body, source);
  if (rows.length === 0) throw new UnrollError('data', `${source} has no rows.`, { source });
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = names.map((name) => rows.map((row) => (Object.hasOwn(row, name) ? cellOf(row[name]) : null)));
  const nested = new Map(names.map((name) => [name, rows.map((row) => row[name] ?? null)]));
  return makeTable({ source, names, cells, nested, lines, ...separators });
}

/** Reads JSON Lines. `lines` are the line numbers of the rows. */
function lineRows(body: string, source: string): { rows: Row[]; lines: number[] } {
  const rows: Row[] = [];
  const lines: number[] = [];
  for (const [i, line] of body.split(/\r\n|\r|\n/).entries()) {
    if (line.trim() === '') continue;
    const where = `${source}, line ${i + 1}`;
    rows.push(asRow(parseJson(line, where), where));
    lines.push(i + 1);
  }
  return { rows, lines };
}

/** Reads a JSON array. `lines` are the numbers of the records, from 1. */
function arrayRows(body: string, source: string): { rows: Row[]; lines: number[] } {
  const records = parseJson(body, source) as unknown[];
  const rows = records.map((record, i) => asRow(record, `${source}, record ${i + 1}`));
  return { rows, lines: rows.map((_, i) => i + 1) };
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.replace(/ \(line.*\)$/, '').replace(/ in JSON/, '');
    throw new UnrollError('data', `${where}: invalid JSON (${reason.slice(0, 80)}).`);
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
