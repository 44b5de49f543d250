/**
 * Sequences of different lengths: pads them to one tensor with a mask, and groups them into batches of similar
 * lengths to keep padding small. Layers skip the computation for padded steps (see packages/nn/src/packing.ts).
 */
import { type RandomStream, shapeError, type Tensor, tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';

/** One sequence: numbers (ids, or one value per step), or one row of I features per step. */
export type Sequence = ArrayLike<number> | readonly (readonly number[])[];

export interface PadOptions {
  /** Number of steps of the result. Default: the length of the longest sequence. */
  steps?: number;
  /** The side of the padding. Default `right`, which is the fastest for layers. */
  side?: 'right' | 'left';
  /** The part of a too long sequence that is cut off: its end, or its start (the oldest steps). Default `end`. */
  truncate?: 'end' | 'start';
  /** The value of the padding. Default 0. */
  value?: number;
}

export interface Padded {
  /** [N, T] for sequences of numbers, [N, T, I] for rows of features. */
  values: Tensor;
  /** [N, T]: 1 for steps of the sequence, 0 for padding. */
  mask: Tensor;
  /** Number of steps of each sequence, after truncation. */
  lengths: Uint32Array;
}

/**
 * Pads sequences to one length.
 * @throws UnrollError `shape` if rows of features differ in width, `value` if there are no sequences
 */
export function padSequences(sequences: readonly Sequence[], options: PadOptions = {}): Padded {
  checkOptions('padSequences', options, {
    steps: 'count',
    side: ['right', 'left'],
    truncate: ['end', 'start'],
    value: 'number',
  });
  if (sequences.length === 0) throw valueError('padSequences needs at least one sequence.');
  const { side = 'right', truncate = 'end', value = 0 } = options;
  const longest = sequences.reduce((most, sequence) => Math.max(most, sequence.length), 0);
  const steps = options.steps ?? Math.max(longest, 1);
  const features = widthOf(sequences);
  const width = features ?? 1;
  const values = new Float64Array(sequences.length * steps * width).fill(value);
  const mask = new Float64Array(sequences.length * steps);
  const lengths = Uint32Array.from(sequences, (sequence) => Math.min(sequence.length, steps));
  sequences.forEach((sequence, n) => {
    const length = lengths[n];
    const from = truncate === 'start' ? sequence.length - length : 0;
    const at = n * steps + (side === 'left' ? steps - length : 0);
    mask.fill(1, at, at + length);
    for (let t = 0; t < length; t++)
      values.set(stepOf(sequence[from + t], features, n, from + t), (at + t) * width);
  });
  const shape = features === null ? [sequences.length, steps] : [sequences.length, steps, features];
  return { values: tensor(values, shape), mask: tensor(mask, [sequences.length, steps]), lengths };
}

export interface BucketOptions {
  /** Sequences in a batch. Default 32. */
  batchSize?: number;
  /**
   * Random stream for shuffling: batches in random order, each of random sequences of similar length. Default: no
   * shuffling.
   */
  random?: RandomStream | null;
  /**
   * With `random`: the number of batches whose sequences are sorted together. A smaller number mixes sequences more,
   * a larger one pads less. Default 50.
   */
  pool?: number;
}

/**
 * Groups sequences of similar lengths into batches, given as row numbers. Every row occurs once; the last batch of a
 * pool may be smaller. Without `random`, batches are ordered from short to long.
 */
export function bucketByLength(lengths: ArrayLike<number>, options: BucketOptions = {}): Uint32Array[] {
  checkOptions('bucketByLength', options, { batchSize: 'count', random: true, pool: 'count' });
  const { batchSize = 32, random = null, pool = 50 } = options;
  const count = lengths.length;
  const rows = random ? random.permutation(count) : Uint32Array.from({ length: count }, (_, row) => row);
  const together = random ? batchSize * pool : Math.max(count, 1);
  const batches: Uint32Array[] = [];
  for (let from = 0; from < count; from += together) {
    const sorted = rows.slice(from, from + together).sort((a, b) => lengths[a] - lengths[b]);
    for (let at = 0; at < sorted.length; at += batchSize) batches.push(sorted.slice(at, at + batchSize));
  }
  return random ? Array.from(random.permutation(batches.length), (n) => batches[n]) : batches;
}

export interface LengthSummary {
  count: number;
  shortest: number;
  longest: number;
  mean: number;
  /** Lengths that half, 90 %, 95 % and 99 % of the sequences do not exceed. */
  percentiles: Readonly<Record<50 | 90 | 95 | 99, number>>;
  /** Share of padding if all sequences are padded to the longest one. */
  padding: number;
}

/** Statistics of sequence lengths, for the choice of `steps`. @throws UnrollError `value` if there are no sequences */
export function summarizeLengths(lengths: ArrayLike<number>): LengthSummary {
  const sorted = Float64Array.from(lengths).sort();
  const count = sorted.length;
  if (count === 0) throw valueError('There are no lengths to summarize.');
  const longest = sorted[count - 1];
  const mean = sorted.reduce((total, length) => total + length, 0) / count;
  const percentile = (p: number): number => sorted[Math.max(0, Math.ceil((p / 100) * count) - 1)];
  return {
    ...{ count, shortest: sorted[0], longest, mean },
    percentiles: { 50: percentile(50), 90: percentile(90), 95: percentile(95), 99: percentile(99) },
    padding: longest > 0 ? 1 - mean / longest : 0,
  };
}

/** Number of features per step; null for sequences of plain numbers. */
function widthOf(sequences: readonly Sequence[]): number | null {
  const first = sequences.find((sequence) => sequence.length > 0)?.[0];
  return typeof first === 'object' ? first.length : null;
}

function stepOf(
  step: number | readonly number[],
  features: number | null,
  sequence: number,
  at: number,
): readonly number[] {
  const row = typeof step === 'number' ? [step] : step;
  if (typeof step === 'number' ? features === null : row.length === features) return row;
  const wanted = features === null ? 'a number' : `a row of ${features} features`;
  const got = typeof step === 'number' ? 'a number' : `a row of ${row.length}`;
  throw shapeError(`Step ${at} of sequence ${sequence} must be ${wanted}, like the first step, got ${got}.`, {
    sequence,
    step: at,
  });
}
