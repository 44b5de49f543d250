/**
 * Reads CSV text as a table. Papa Parse splits the text into fields and guesses the delimiter. This file reads the
 * header, checks the number of fields of each row, and records the line on which each row begins, for error messages.
 */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import Papa from 'papaparse';
import { cellNumber, type NumberOptions, SEPARATOR_OPTIONS } from './number-format.js';
import { cleanName, makeTable, type Table } from './table.js';

export interface CsvOptions extends NumberOptions {
  /** Name for messages; default `table`. */
  source?: string;
  /** Field delimiter. Default: as stated by a first line such as `sep=;`, otherwise detected (comma, semicolon, tab or pipe). */
  delimiter?: string;
  /** Whether the first line names the columns. Without a header, the names are the positions `1`, `2`, ... Default true. */
  header?: boolean;
}

/**
 * Reads CSV text as a table. Lines without text in any field are skipped; empty cells become empty strings. A first line such as
 * `sep=;`, which Excel reads, sets the delimiter.
 * @throws UnrollError `data` for an empty text, a header without names, a table without rows, a row with more or fewer fields
 * than the first, or an unclosed quote; the message gives the file and, except for empty tables, the line
 */
export function parseCsv(text: string, options: CsvOptions = {}): Table {
  checkOptions('parseCsv', options, {
    ...{ source: 'string', delimiter: 'string', header: 'boolean' },
    ...SEPARATOR_OPTIONS,
  });
  const { source = 'table', header = true, decimal, thousands } = options;
  const body = normalizeText(text);
  if (body.trim() === '') {
    const content = header ? 'a header line and one line per row' : 'one line per row';
    throw new UnrollError('data', `${source} is empty. Write ${content}.`, { source });
  }
  const separatorLine = /^"?sep=(.)"?\n/i.exec(body);
  const { names, cells, lines, delimiter } = splitRows(
    separatorLine === null ? body : body.slice(separatorLine[0].length),
    {
      source,
      header,
      delimiter: options.delimiter ?? separatorLine?.[1],
      line: separatorLine === null ? 1 : 2,
    },
  );
  if (lines.length === 0) {
    throw new UnrollError('data', `${source} has a header but no rows.`, { source });
  }
  return makeTable({
    ...{ source, names, cells, lines, delimiter },
    ...(decimal && { decimal }),
    ...(thousands && { thousands }),
  });
}

/** Removes a byte order mark and converts line ends to \n. */
function normalizeText(text: string): string {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  return body.includes('\r') ? body.replace(/\r\n?/g, '\n') : body;
}

interface SplitOptions {
  source: string;
  header: boolean;
  delimiter: string | undefined;
  /** The line of the source at which the text begins. */
  line: number;
}

interface SplitTable {
  names: string[];
  cells: string[][];
  lines: number[];
  delimiter: string;
}

function splitRows(
  body: string,
  { source, header, delimiter: requested, line: first }: SplitOptions,
): SplitTable {
  const delimiter = requested ?? guessDelimiter(body);
  const split: SplitTable = { names: [], cells: [], lines: [], delimiter };
  const tabRows = delimiter === '\t' ? splitLines(body) : null;
  if (tabRows !== null) {
    for (const [i, fields] of tabRows.entries()) {
      if (fields !== null) addRow(split, { fields, line: first + i }, { source, header });
    }
    return split;
  }
  let offset = 0;
  let line = first;
  Papa.parse<string[]>(body, {
    delimiter,
    newline: '\n',
    skipEmptyLines: false,
    step: ({ data, errors, meta }) => {
      const quote = errors.find((error) => error.type === 'Quotes');
      if (quote !== undefined) throw quoteError(source, line, quote.message);
      if (data.some((field) => field.trim() !== ''))
        addRow(split, { fields: data, line }, { source, header });
      for (; offset < meta.cursor; offset++) if (body.charCodeAt(offset) === 10) line++;
    },
  });
  return split;
}

/**
 * Splits tab-separated text line by line; null stands for an empty line. Tab-separated files usually have no quoting, so a
 * quotation mark at the start of a field need not be closed. Quotes around a whole field are removed.
 * @returns null if the lines differ in their number of fields: quoted fields may then contain tabs or line breaks
 */
function splitLines(body: string): (string[] | null)[] | null {
  const rows = body.split('\n').map((line) => (line.trim() === '' ? null : line.split('\t')));
  const width = rows.find((fields) => fields !== null)?.length;
  if (rows.some((fields) => fields !== null && fields.length !== width)) return null;
  const unquote = (field: string): string =>
    /^"(?:[^"]|"")*"$/.test(field) ? field.slice(1, -1).replaceAll('""', '"') : field;
  return rows.map((fields) => fields?.map(unquote) ?? null);
}

/** Adds a row of fields to the columns. If the table has a header, the first row gives the names. */
function addRow(
  { names, cells, lines, delimiter }: SplitTable,
  row: RawRow,
  { source, header }: Pick<SplitOptions, 'source' | 'header'>,
): void {
  if (names.length === 0) {
    names.push(...(header ? headerNames(row, source) : row.fields.map((_, i) => String(i + 1))));
    cells.push(...names.map(() => []));
    if (header) return;
  }
  checkWidth(row, names, { source, header, delimiter });
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

/** Returns the column names of a header. @throws UnrollError `data` if all fields look like values */
function headerNames(header: RawRow, source: string): string[] {
  const names = header.fields.map(cleanName);
  if (names.every((name) => name === '' || cellNumber(name) !== undefined || /^\d{4}-\d\d/.test(name))) {
    throw new UnrollError(
      'data',
      `${source}, line ${header.line}: the first line must name the columns, got values (${names.slice(0, 3).join(', ')}). Add a line with column names above it.`,
      { source, line: header.line },
    );
  }
  return names.map((name, i) => (name === '' ? `column${i + 1}` : name));
}

function checkWidth(
  record: RawRow,
  names: readonly string[],
  { source, header, delimiter }: { source: string; header: boolean; delimiter: string },
): void {
  if (record.fields.length === names.length) return;
  const count = record.fields.length === 1 ? '1 field' : `${record.fields.length} fields`;
  const comparison = record.fields.length > names.length ? 'more' : 'fewer';
  const mark = delimiter === '\t' ? 'a tab' : `"${delimiter}"`;
  const advice =
    comparison === 'more'
      ? `Put text that contains ${mark} in quotes.`
      : 'Write an empty field for each missing value.';
  throw new UnrollError(
    'data',
    `${source}, line ${record.line}: ${count}, ${comparison} than ${header ? "the header's" : "the first line's"} ` +
      `${names.length} (${header ? `${names.slice(0, 6).join(', ')}; ` : ''}separated by ${mark}). ${advice}`,
    { source, line: record.line, fields: record.fields.length, columns: names.length },
  );
}
