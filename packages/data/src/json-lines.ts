/** Tables from JSON: one object a line, or one array of objects. */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type Cell, makeTable, type Table } from './table.js';

type Row = Record<string, Cell>;

/** True if the text begins like JSON rather than like a line of column names. */
export function looksLikeJson(text: string): boolean {
  return /^\uFEFF?\s*(\{\s*"|\[\s*\{)/.test(text);
}

/**
 * Reads JSON lines, or an array of objects. Columns are the keys in order of appearance; a key that is absent is a missing
 * cell; numbers, texts, booleans and null are cells.
 * @throws UnrollError `data` naming file and line (or record) of what is not JSON, not an object, or holds an object
 */
export function parseJsonLines(text: string, options: { source?: string } = {}): Table {
  checkOptions('parseJsonLines', options, { source: 'text' });
  const source = options.source ?? 'table';
  const body = text.replace(/^\uFEFF/, '');
  const { rows, lines } = body.trimStart().startsWith('[') ? arrayRows(body, source) : lineRows(body, source);
  if (rows.length === 0) throw new UnrollError('data', `${source} holds no rows.`, { source });
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = names.map((name) => rows.map((row) => (Object.hasOwn(row, name) ? row[name] : null)));
  return makeTable({ source, names, cells, lines });
}

function lineRows(body: string, source: string): { rows: Row[]; lines: number[] } {
  const rows: Row[] = [];
  const lines: number[] = [];
  for (const [i, line] of body.split(/\r\n|\r|\n/).entries()) {
    if (line.trim() === '') continue;
    const where = `${source}, line ${i + 1}`;
    rows.push(checkedRow(parsed(line, where), where));
    lines.push(i + 1);
  }
  return { rows, lines };
}

function arrayRows(body: string, source: string): { rows: Row[]; lines: number[] } {
  const records = parsed(body, source) as unknown[];
  const rows = records.map((record, i) => checkedRow(record, `${source}, record ${i + 1}`));
  return { rows, lines: rows.map((_, i) => i + 1) };
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.replace(/ \(line.*\)$/, '').replace(/ in JSON/, '');
    throw new UnrollError('data', `${where}: this is not JSON (${reason.slice(0, 80)}).`);
  }
}

function checkedRow(value: unknown, where: string): Row {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const hint = 'Each line is an object such as {"month": "1960-12", "passengers": 432}.';
    throw new UnrollError('data', `${where}: an object is needed, and this is ${kindOf(value)}. ${hint}`);
  }
  for (const [key, cell] of Object.entries(value)) {
    if (cell === null || typeof cell !== 'object') continue;
    throw new UnrollError(
      'data',
      `${where}, key "${key}": a number or text is needed, and this is ${kindOf(cell)}.`,
    );
  }
  return value as Row;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
