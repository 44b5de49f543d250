/**
 * Reads numeric sequences from nested lists of numbers, fills missing values, standardises the features and adds the changes of the
 * features between steps.
 */
import { type Tensor, tensor, UnrollError } from '@unroll/core';
import { type Column, findColumn, nestedValues, placeOf, type Table } from '@unroll/data';
import { cellError } from '../shared/cells.js';
import { checkStandardisation } from '../shared/standardize.js';
import type { TaskFact } from '../shared/task.js';
import type { ClassifyEncoder, EncodedInput, TitledInputs } from './inputs.js';

/** A sequence of T steps with F features each, as read: NaN for missing values. */
export interface RawSequence {
  /** [T, F], row by row. */
  values: Float64Array;
  features: number;
}

/** A sequence as the network reads it. */
export interface EncodedSequence extends EncodedInput {
  /** [T, 2F], row by row: the standardised features and their changes since the previous step. */
  readonly values: Float32Array;
}

/** What a saved model stores to read sequences. */
export interface SequenceConfig {
  /** Mean of each feature in the training rows. */
  means: readonly number[];
  /** Standard deviation of each feature in the training rows; 1 for a constant feature. */
  deviations: readonly number[];
}

/** Standardised values are clipped to the range from -LIMIT to LIMIT. */
const LIMIT = 10;

/** A problem in a sequence. The caller adds the file and line. */
class SequenceProblem extends Error {}

/**
 * Converts a parsed value to a sequence: a list of steps, each a number or nested lists of numbers, which are flattened; or the
 * same as JSON text. null and NaN are missing values.
 * @param features required number of features. Default: the number of values in the first step
 * @throws SequenceProblem if the value is not a valid sequence
 */
function sequenceOf(value: unknown, features?: number): RawSequence {
  const list = typeof value === 'string' ? parseList(value) : value;
  if (!isList(list))
    throw new SequenceProblem(`a sequence must be a list of steps, got ${describeValue(list)}`);
  const values: number[] = [];
  let width = features;
  for (const [t, step] of Array.from(list).entries()) {
    const start = values.length;
    flatten(step, values, t);
    const count = values.length - start;
    width ??= count;
    if (count === width && count > 0) continue;
    const expected = width === 0 ? 'at least one value' : `${width} values`;
    throw new SequenceProblem(`step ${t + 1} must have ${expected}, got ${count}`);
  }
  if (width === undefined || values.length === 0)
    throw new SequenceProblem('a sequence must have at least one step');
  return { values: Float64Array.from(values), features: width };
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));

/** Appends the numbers of a step to `out`. */
function flatten(step: unknown, out: number[], t: number): void {
  if (isList(step)) for (const value of Array.from(step)) flatten(value, out, t);
  else if (step === null || (typeof step === 'number' && Number.isNaN(step))) out.push(Number.NaN);
  else if (typeof step === 'number' && Number.isFinite(step)) out.push(step);
  else throw new SequenceProblem(`step ${t + 1} must consist of numbers, got ${describeValue(step)}`);
}

/** Returns the number of values in nested lists. */
const sizeOf = (list: ArrayLike<unknown>): number =>
  Array.from(list).reduce((sum: number, value) => sum + (isList(value) ? sizeOf(value) : 1), 0);

function parseList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SequenceProblem(
      `a sequence must be a list such as [[0.1, 2], [0.3, 1]], got ${describeValue(text)}`,
    );
  }
}

function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  const text = typeof value === 'object' ? 'an object' : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

/**
 * Returns the sequences of a table.
 * @param features required number of features. Default: the number of features of the first sequence
 * @throws UnrollError `data` for a missing column and an invalid sequence; the message gives the file and line
 */
export function sequencesOf(table: Table, name: string, features?: number): RawSequence[] {
  const column: Column = findColumn(table, name);
  let width = features;
  return nestedValues(table, name).map((value, row) => {
    try {
      const sequence = sequenceOf(value, width);
      width ??= sequence.features;
      return sequence;
    } catch (error) {
      if (error instanceof SequenceProblem) throw cellError(table, row, column, `${error.message}.`);
      throw error;
    }
  });
}

/** Returns the share of values that are missing. */
export function missingShare(sequences: readonly RawSequence[]): number {
  let [missing, total] = [0, 0];
  for (const { values } of sequences) {
    total += values.length;
    for (const value of values) missing += Number(Number.isNaN(value));
  }
  return missing / total;
}

export class SequenceEncoder implements ClassifyEncoder {
  readonly kind = 'sequence';
  readonly batchSize = () => 128;
  readonly column: string;
  readonly config: SequenceConfig;

  constructor(column: string, config: SequenceConfig) {
    this.column = column;
    this.config = config;
    checkStandardisation(config, config.means?.length);
  }

  /**
   * Returns an encoder whose standardisation is fitted to sequences. Missing values are ignored.
   * @throws UnrollError `data` if all values of a feature are missing
   */
  static fit(column: string, sequences: readonly RawSequence[], source: string): SequenceEncoder {
    const [{ features }] = sequences;
    const counts = new Float64Array(features);
    const means = new Float64Array(features);
    const squares = new Float64Array(features);
    // Running means and sums of squared deviations (Welford 1962).
    for (const { values } of sequences) {
      for (let i = 0; i < values.length; i++) {
        if (Number.isNaN(values[i])) continue;
        const f = i % features;
        const change = values[i] - means[f];
        means[f] += change / ++counts[f];
        squares[f] += change * (values[i] - means[f]);
      }
    }
    const empty = counts.indexOf(0);
    if (empty >= 0) {
      const problem = `feature ${empty + 1} of column "${column}" has no values in the training rows. Remove the feature.`;
      throw new UnrollError('data', `${source}: ${problem}`, { source, column });
    }
    const deviations = Array.from(squares, (sum, f) => Math.sqrt(sum / counts[f]) || 1);
    return new SequenceEncoder(column, { means: [...means], deviations });
  }

  /** Number of features of a step, without the changes. */
  get features(): number {
    return this.config.means.length;
  }

  /**
   * Encodes a sequence. A missing value is replaced by the previous value of the feature or, if there is none, by the mean of the
   * feature. The changes correspond to the delta features of speech recognition (Furui 1986): from few examples, networks do not
   * learn to compute them well.
   */
  encode({ values, features }: RawSequence): EncodedSequence {
    const { means, deviations } = this.config;
    const length = values.length / features;
    const out = new Float32Array(2 * values.length);
    for (let t = 0; t < length; t++) {
      for (let f = 0; f < features; f++) {
        const index = 2 * t * features + f;
        const previous = t === 0 ? null : out[index - 2 * features];
        const value = values[t * features + f];
        const scaled = Math.max(-LIMIT, Math.min(LIMIT, (value - means[f]) / deviations[f]));
        out[index] = Number.isNaN(value) ? (previous ?? 0) : scaled;
        out[index + features] = previous === null ? 0 : out[index] - previous;
      }
    }
    return { values: out, length };
  }

  readTable(table: Table): TitledInputs {
    const sequences = sequencesOf(table, this.column, this.features);
    return {
      titles: sequences.map((_, row) => placeOf(table, row)),
      encoded: sequences.map((sequence) => this.encode(sequence)),
    };
  }

  readTexts(texts: readonly string[]): TitledInputs {
    return { titles: texts, encoded: this.encodeValues(texts, 'data') };
  }

  /**
   * Encodes sequences that a program or a request passes.
   * @param code code of the error for an invalid sequence
   * @throws UnrollError `value` or `data` for an invalid sequence
   */
  encodeValues(sequences: readonly unknown[], code: 'value' | 'data' = 'value'): EncodedSequence[] {
    return sequences.map((value, n) => {
      try {
        return this.encode(sequenceOf(value, this.features));
      } catch (error) {
        if (!(error instanceof SequenceProblem)) throw error;
        const position = sequences.length === 1 ? '' : ` ${n + 1}`;
        throw new UnrollError(code, `Sequence${position}: ${error.message}.`);
      }
    });
  }

  /**
   * Returns whether a value that a program passes is one sequence, not a list of sequences. A list is one sequence if its first
   * element is a number or a list with as many values as a step.
   */
  isSingle(value: unknown): boolean {
    if (!Array.isArray(value) || value.length === 0) return !Array.isArray(value);
    const [first] = value as readonly unknown[];
    return isList(first) ? sizeOf(first) === this.features : typeof first !== 'string';
  }

  batch(encoded: readonly EncodedInput[], rows: Uint32Array): { x: Tensor; mask?: Tensor } {
    const chosen = Array.from(rows, (row) => encoded[row] as EncodedSequence);
    const steps = chosen.reduce((longest, { length }) => Math.max(longest, length), 0);
    const width = 2 * this.features;
    const values = new Float32Array(chosen.length * steps * width);
    const mask = new Float32Array(chosen.length * steps);
    for (const [i, sequence] of chosen.entries()) {
      values.set(sequence.values, i * steps * width);
      mask.fill(1, i * steps, i * steps + sequence.length);
    }
    const x = tensor(values, [chosen.length, steps, width]);
    const haveEqualLengths = chosen.every(({ length }) => length === steps);
    return haveEqualLengths ? { x } : { x, mask: tensor(mask, [chosen.length, steps]) };
  }

  notes(): string[] {
    return [];
  }

  get inputSize(): number {
    return 2 * this.features;
  }

  properties(): TaskFact[] {
    return [{ name: 'features', value: this.features }];
  }
}
