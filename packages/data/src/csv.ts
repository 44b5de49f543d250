/**
 * CSV in. Papa Parse splits the text into fields (quotes, escapes, delimiter guessing); what stands here is what a table
 * needs beyond that: a header, equal rows, the line each row began on, and messages that name file and line.
 */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import Papa from 'papaparse';
import { cellNumber, makeTable, type Table } from './table.js';

export interface CsvOptions {
  /** Name for messages; default `table`. */
  source?: string;
  /** Default: guessed among comma, semicolon, tab and pipe. */
  delimiter?: string;
  /** Default: a comma where the delimiter is not a comma and the numbers need it, else a point. */
  decimal?: '.' | ',';
}

interface RawRow {
  fields: string[];
  line: number;
}

/**
 * Reads CSV text with a header line. Empty lines are passed over; missing cells stay empty text.
 * @throws UnrollError `data` for an empty text, a header without names, rows of another length than the header, or a
 *   quote that is never closed; file and line are in the message
 */
export function parseCsv(text: string, options: CsvOptions = {}): Table {
  checkOptions('parseCsv', options, { source: 'text', delimiter: 'text', decimal: ['.', ','] });
  const source = options.source ?? 'table';
  if (text.trim() === '') {
    throw new UnrollError(
      'data',
      `${source} is empty. It needs a header line and one line for each time step.`,
      {
        source,
      },
    );
  }
  const body = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const { rows, delimiter } = splitRows(body, source, options.delimiter);
  const [header, ...records] = rows as [RawRow, ...RawRow[]];
  const names = headerNames(header, source);
  if (records.length === 0) {
    throw new UnrollError('data', `${source} has a header but no rows.`, { source });
  }
  for (const record of records) checkWidth(record, names, source, delimiter);
  const cells = names.map((_, i) => records.map((record) => record.fields[i]));
  const decimal = options.decimal ?? guessDecimal(cells, delimiter);
  return makeTable({ source, names, cells, lines: records.map((record) => record.line), decimal });
}

function splitRows(body: string, source: string, delimiter?: string): { rows: RawRow[]; delimiter: string } {
  const rows: RawRow[] = [];
  const used = delimiter ?? guessDelimiter(body);
  let at = 0;
  let line = 1;
  Papa.parse<string[]>(body, {
    delimiter: used,
    newline: '\n',
    skipEmptyLines: false,
    step: ({ data, errors, meta }) => {
      const quote = errors.find((error) => error.type === 'Quotes');
      if (quote !== undefined) throw quoteError(source, line, quote.message);
      if (data.some((field) => field.trim() !== '')) rows.push({ fields: data, line });
      for (; at < meta.cursor; at++) if (body.charCodeAt(at) === 10) line++;
    },
  });
  return { rows, delimiter: used };
}

function guessDelimiter(body: string): string {
  const { meta } = Papa.parse(body, {
    newline: '\n',
    preview: 20,
    skipEmptyLines: 'greedy',
    delimitersToGuess: [',', ';', '\t', '|'],
  });
  return meta.delimiter;
}

function quoteError(source: string, line: number, detail: string): UnrollError {
  return new UnrollError(
    'data',
    `${source}, line ${line}: a quotation mark is not closed or stands inside a field (${detail.toLowerCase()}). ` +
      'Inside quotes, write a quotation mark twice.',
    { source, line },
  );
}

function headerNames(header: RawRow, source: string): string[] {
  const names = header.fields.map((field) => field.trim());
  if (names.every((name) => name === '' || cellNumber(name) !== undefined || /^\d{4}-\d\d/.test(name))) {
    throw new UnrollError(
      'data',
      `${source}, line ${header.line}: the first line must name the columns, and this one holds values (${names.slice(0, 3).join(', ')}).`,
      { source, line: header.line },
    );
  }
  return names.map((name, i) => (name === '' ? `column${i + 1}` : name));
}

function checkWidth(record: RawRow, names: readonly string[], source: string, delimiter: string): void {
  if (record.fields.length === names.length) return;
  const what = record.fields.length > names.length ? 'more' : 'fewer';
  const mark = delimiter === '\t' ? 'a tab' : `"${delimiter}"`;
  throw new UnrollError(
    'data',
    `${source}, line ${record.line}: ${record.fields.length} fields, ${what} than the header's ${names.length} ` +
      `(${names.slice(0, 6).join(', ')}; separated by ${mark}). Put text that contains ${mark} in quotes.`,
    { source, line: record.line, fields: record.fields.length, columns: names.length },
  );
}

function guessDecimal(cells: readonly (readonly string[])[], delimiter: string): '.' | ',' {
  if (delimiter === ',') return '.';
  const needsComma = cells.some((one) => {
    const filled = one.filter((cell) => cell.trim() !== '');
    return (
      filled.some((cell) => cell.includes(',')) && filled.every((cell) => cellNumber(cell, ',') !== undefined)
    );
  });
  return needsComma ? ',' : '.';
}
