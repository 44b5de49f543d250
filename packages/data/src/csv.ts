/**
 * Reads CSV. Papa Parse splits the text into fields (quotes, escapes, delimiter guessing); this file adds what a table
 * needs beyond that: a header, rows of equal length, the line on which each row begins, and messages with file and
 * line.
 */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import Papa from 'papaparse';
import { cellNumber, type NumberOptions, SEPARATOR_OPTIONS } from './number-format.js';
import { cleanName, makeTable, type Table } from './table.js';

export interface CsvOptions extends NumberOptions {
  /** Name for messages; default `table`. */
  source?: string;
  /** Default: the one that the first line names (`sep=;`), else the best fit of comma, semicolon, tab and pipe. */
  delimiter?: string;
}

/**
 * Reads CSV text with a header line. Empty lines are skipped; missing cells become empty text. A first line `sep=;`,
 * as Excel writes it, sets the delimiter.
 * @throws UnrollError `data` for an empty text, a header without names, a row with more or fewer fields than the
 * header, or an unclosed quote; the message names the file and line
 */
export function parseCsv(text: string, options: CsvOptions = {}): Table {
  checkOptions('parseCsv', options, { source: 'text', delimiter: 'text', ...SEPARATOR_OPTIONS });
  const { source = 'table', decimal, thousands } = options;
  const body = unified(text);
  if (body.trim() === '') {
    throw new UnrollError(
      'data',
      `${source} is empty. It needs a header line and one line for each time step.`,
      {
        source,
      },
    );
  }
  const excel = /^"?sep=(.)"?\n/i.exec(body);
  const { names, cells, lines, delimiter } = splitRows(excel === null ? body : body.slice(excel[0].length), {
    source,
    delimiter: options.delimiter ?? excel?.[1],
    line: excel === null ? 1 : 2,
  });
  if (lines.length === 0) {
    throw new UnrollError('data', `${source} has a header but no rows.`, { source });
  }
  return makeTable({
    ...{ source, names, cells, lines, delimiter },
    ...(decimal && { decimal }),
    ...(thousands && { thousands }),
  });
}

/** Removes a byte order mark, and replaces all line ends by \n. */
function unified(text: string): string {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  return body.includes('\r') ? body.replace(/\r\n?/g, '\n') : body;
}

interface SplitOptions {
  source: string;
  delimiter: string | undefined;
  /** The line of the source at which the text begins. */
  line: number;
}

interface Split {
  names: string[];
  cells: string[][];
  lines: number[];
  delimiter: string;
}

function splitRows(body: string, { source, delimiter: given, line: first }: SplitOptions): Split {
  const delimiter = given ?? guessDelimiter(body);
  const split: Split = { names: [], cells: [], lines: [], delimiter };
  let at = 0;
  let line = first;
  Papa.parse<string[]>(body, {
    delimiter,
    newline: '\n',
    skipEmptyLines: false,
    step: ({ data, errors, meta }) => {
      const quote = errors.find((error) => error.type === 'Quotes');
      if (quote !== undefined) throw quoteError(source, line, quote.message);
      if (data.some((field) => field.trim() !== '')) addRow(split, { fields: data, line }, source);
      for (; at < meta.cursor; at++) if (body.charCodeAt(at) === 10) line++;
    },
  });
  return split;
}

/** Adds a row to the columns; the first one gives their names. */
function addRow({ names, cells, lines, delimiter }: Split, row: RawRow, source: string): void {
  if (names.length === 0) {
    names.push(...headerNames(row, source));
    cells.push(...names.map(() => []));
    return;
  }
  checkWidth(row, names, source, delimiter);
  for (let i = 0; i < names.length; i++) cells[i].push(row.fields[i]);
  lines.push(row.line);
}

interface RawRow {
  fields: string[];
  line: number;
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
    `${source}, line ${line}: a quotation mark is not closed or is inside a field (${detail.toLowerCase()}). ` +
      'Inside quotes, write a quotation mark twice.',
    { source, line },
  );
}

function headerNames(header: RawRow, source: string): string[] {
  const names = header.fields.map(cleanName);
  if (names.every((name) => name === '' || cellNumber(name) !== undefined || /^\d{4}-\d\d/.test(name))) {
    throw new UnrollError(
      'data',
      `${source}, line ${header.line}: the first line must name the columns, got values (${names.slice(0, 3).join(', ')}). Add a line of names above.`,
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
