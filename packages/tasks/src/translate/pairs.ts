/** Reads pairs of texts: a source and its target. Errors name the file and the line. */
import { UnrollError } from '@unroll/core';
import type { Table } from '@unroll/data';
import { filledTexts } from '../shared/cells.js';
import type { TextFile } from '../shared/task.js';

/** Two columns of a table, or two parallel text files with one text per line. */
export type PairData = { table: Table } | ParallelFiles;

/** Line n of the target file is the target of line n of the source file. */
export interface ParallelFiles {
  sourceFile: TextFile;
  targetFile: TextFile;
}

/** Names of the columns of a table. */
export interface PairColumns {
  source: string;
  target: string;
}

/** Pairs of texts. All texts have at least one character that is not white space. */
export interface Pairs {
  /** Name of the file, or of both files. */
  origin: string;
  source: readonly string[];
  target: readonly string[];
}

/** Returns the source texts of a table. @throws UnrollError `data` for a missing column or an empty text */
export const readSources = (table: Table, name: string): string[] =>
  filledTexts(table, name, 'source text', 'Remove the row or write a text.');

/**
 * Returns the lines of a text file.
 * @throws UnrollError `data` for an empty file or line
 */
export function readLines({ source, text }: TextFile): string[] {
  const lines = linesOf(text).map((line) => line.trim());
  if (lines.length === 0)
    throw new UnrollError('data', `${source} is empty. The file must have one text per line.`, { source });
  const empty = lines.indexOf('');
  if (empty < 0) return lines;
  const message = `${source}, line ${empty + 1}: the line is empty. Remove the line (from both files if they are parallel).`;
  throw new UnrollError('data', message, { source, line: empty + 1 });
}

/**
 * Returns the pairs of two parallel files or of a table.
 * @param columns the columns of a table; null for parallel files
 * @throws UnrollError `data` for files of different lengths, missing columns, and empty texts or lines
 */
export function readPairs(data: PairData, columns: PairColumns | null): Pairs {
  if (!('table' in data)) return readParallel(data);
  const { source, target } = columns ?? { source: 'source', target: 'target' };
  return {
    origin: data.table.source,
    source: readSources(data.table, source),
    target: filledTexts(data.table, target, 'target text', 'Remove the row or write a text.'),
  };
}

function readParallel({ sourceFile, targetFile }: ParallelFiles): Pairs {
  const [n, m] = [sourceFile, targetFile].map(({ text }) => linesOf(text).length);
  if (n !== m && n > 0 && m > 0) {
    throw new UnrollError(
      'data',
      `${sourceFile.source} has ${n} ${n === 1 ? 'line' : 'lines'}, but ${targetFile.source} has ${m}. Line n of one file must ` +
        'be the translation of line n of the other.',
      { source: n, target: m },
    );
  }
  return {
    origin: `${sourceFile.source} and ${targetFile.source}`,
    source: readLines(sourceFile),
    target: readLines(targetFile),
  };
}

/** Splits a text into lines. A line break at the end does not begin a new line. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
