/**
 * Reads `.ts` files of sktime and aeon (the format of the UEA and UCR archives of time series). A header of lines that start with
 * `@` is followed by one example per line: its dimensions and then its class label, separated by colons. Values are separated by
 * commas; `?` is a missing value.
 *
 *   @univariate false
 *   @dimensions 2
 *   @classLabel true walking running
 *   @data
 *   0.1,0.2,?:1.5,1.4,1.6:walking
 */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { countText } from './count-text.js';
import { listNames, makeTable, type Table } from './table.js';

const KEYS = [
  ...['problemname', 'timestamps', 'missing', 'univariate', 'dimension', 'dimensions', 'equallength'],
  ...['serieslength', 'classlabel', 'targetlabel', 'data'],
];

/** The contents of the header. A value that it does not state is null (`equalLength`: false). */
interface Header {
  /** The class labels that the header lists; empty if it lists none, so that every label is accepted. Null: no labels. */
  labels: readonly string[] | null;
  dimensions: number | null;
  /** Number of steps of each example. */
  length: number | null;
  equalLength: boolean;
}

/** Returns whether the first line that is neither empty nor a comment belongs to the header of a `.ts` file. */
export function looksLikeTsFile(text: string): boolean {
  const line = /^\uFEFF?(?:[ \t]*(?:#.*)?\r?\n)*[ \t]*@(\w+)/.exec(text.slice(0, 100_000));
  return line !== null && KEYS.includes(line[1].toLowerCase());
}

/**
 * Reads a `.ts` file as a table with the column `sequence` and, if the examples have class labels, the column `label`.
 * `nestedValues` returns the sequences as lists [T][D] of numbers, NaN if missing.
 * @throws UnrollError `data` for an invalid header or line; the message gives the file and line
 */
export function parseTsFile(text: string, options: { source?: string } = {}): Table {
  checkOptions('parseTsFile', options, { source: 'string' });
  const { source = 'table' } = options;
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/);
  const reader = new TsReader(source);
  for (const [i, line] of lines.entries()) reader.read(line.trim(), i + 1);
  return reader.table();
}

class TsReader {
  readonly #source: string;
  readonly #header: Header = { labels: null, dimensions: null, length: null, equalLength: false };
  readonly #sequences: number[][][] = [];
  readonly #labels: string[] = [];
  readonly #lines: number[] = [];
  /** True after `@data`. */
  #inData = false;
  #line = 0;

  constructor(source: string) {
    this.#source = source;
  }

  read(line: string, number: number): void {
    this.#line = number;
    if (line === '' || line.startsWith('#')) return;
    if (this.#inData) this.#readExample(line);
    else this.#readHeader(line);
  }

  table(): Table {
    const source = this.#source;
    if (this.#sequences.length === 0) {
      const problem = this.#inData ? 'has no examples after @data' : 'has no line @data';
      throw new UnrollError('data', `${source} ${problem}.`, { source });
    }
    const labels = this.#header.labels === null ? [] : [this.#labels];
    return makeTable({
      ...{ source, names: ['sequence', 'label'].slice(0, 1 + labels.length), lines: this.#lines },
      cells: [this.#sequences.map(() => undefined), ...labels],
      nested: new Map([['sequence', this.#sequences]]),
    });
  }

  #readHeader(line: string): void {
    const [key, value = '', ...labels] = line.split(/\s+/);
    const name = key.slice(1).toLowerCase();
    if (!key.startsWith('@') || !KEYS.includes(name))
      throw this.#error(
        'a line of the header must begin with @problemName, @timeStamps, @missing, @univariate, @dimensions, ' +
          `@equalLength, @seriesLength, @classLabel, @targetLabel or @data, got "${line.slice(0, 40)}"`,
      );
    const header = this.#header;
    if (name === 'data') this.#inData = true;
    else if (name === 'timestamps' && this.#flag(key, value))
      throw this.#error('series with time stamps (@timeStamps true) cannot be read. Write the values only');
    else if (name === 'targetlabel' && this.#flag(key, value))
      throw this.#error('a file with numeric targets (@targetLabel true) cannot be read: it has no classes');
    else if (name === 'univariate' && this.#flag(key, value)) header.dimensions = 1;
    else if (name === 'dimension' || name === 'dimensions') header.dimensions = this.#count(key, value);
    else if (name === 'serieslength') header.length = this.#count(key, value);
    else if (name === 'equallength') header.equalLength = this.#flag(key, value);
    else if (name === 'classlabel' && this.#flag(key, value)) header.labels = labels;
  }

  #flag(key: string, value: string): boolean {
    if (/^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
    throw this.#error(`${key} must be true or false, got "${value}"`);
  }

  #count(key: string, value: string): number {
    if (/^[1-9]\d*$/.test(value)) return Number(value);
    throw this.#error(`${key} must be a positive integer, got "${value}"`);
  }

  #readExample(line: string): void {
    const { labels, length, equalLength } = this.#header;
    const parts = line.split(':');
    if (labels !== null) this.#labels.push(this.#labelOf(parts, labels));
    this.#header.dimensions ??= parts.length;
    const { dimensions } = this.#header;
    if (parts.length !== dimensions) {
      const last = labels === null ? '' : ' before the class label';
      throw this.#error(
        `an example must have ${countText(dimensions, 'dimension')}${last}, separated by colons, got ${parts.length}`,
      );
    }
    const series = parts.map((part, d) => this.#valuesOf(part, d + 1));
    const [{ length: steps }] = series;
    const other = series.findIndex((values) => values.length !== steps);
    if (other > 0)
      throw this.#error(
        `dimension ${other + 1} has ${countText(series[other].length, 'value')}, but dimension 1 has ${steps}`,
      );
    const expected = length ?? this.#sequences[0]?.length;
    if (equalLength && expected !== undefined && steps !== expected)
      throw this.#error(
        `an example must have ${countText(expected, 'step')} (@equalLength true), got ${steps}`,
      );
    this.#sequences.push(Array.from({ length: steps }, (_, t) => series.map((values) => values[t])));
    this.#lines.push(this.#line);
  }

  /** Removes the class label from the parts of a line and returns it. */
  #labelOf(parts: string[], labels: readonly string[]): string {
    const label = parts.pop()?.trim() ?? '';
    if (parts.length > 0 && (labels.includes(label) || (labels.length === 0 && label !== ''))) return label;
    const expected = labels.length === 0 ? 'follow the values' : `be one of ${listNames(labels)}`;
    throw this.#error(`the class label after the last colon must ${expected}, got "${label.slice(0, 40)}"`);
  }

  #valuesOf(text: string, dimension: number): number[] {
    return text.split(',').map((item, i) => {
      const word = item.trim();
      if (word === '?' || /^nan$/i.test(word)) return Number.NaN;
      const value = word === '' ? Number.NaN : Number(word);
      if (Number.isFinite(value)) return value;
      throw this.#error(
        `value ${i + 1} of dimension ${dimension} must be a number, or ? if it is missing, got "${word.slice(0, 40)}"`,
      );
    });
  }

  #error(problem: string): UnrollError {
    const [source, line] = [this.#source, this.#line];
    return new UnrollError('data', `${source}, line ${line}: ${problem}.`, { source, line });
  }
}
