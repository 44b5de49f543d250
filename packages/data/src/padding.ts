/**
 * Sequences of different lengths: pads them to a tensor with a mask, and groups sequences of similar lengths into
 * batches to reduce padding. Layers skip padded steps (see packages/nn/src/packing.ts).
 */
import { type RandomStream, shapeError, type Tensor, tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';

/** A sequence: one number per step (an id or a value), or one row of I features per step. */
export type Sequence = ArrayLike<number> | readonly (readonly number[])[];

export interface PadOptions {
  /** Number of steps to pad or truncate to. Default: the length of the longest sequence. */
  steps?: number;
  /** The side that is padded. Default `right`, for which layers are fastest. */
  side?: 'right' | 'left';
  /** For sequences longer than `steps`: `end` removes the last steps, `start` the first ones. Default `end`. */
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
 * Pads or truncates sequences to the same length.
 * @throws UnrollError `shape` if rows of features differ in width, `value` if there are no sequences
 */
export function padSequences(sequences: readonly Sequence[], options: PadOptions = {}): Padded {
  checkOptions('padSequences', options, {
    steps: 'count',
    side: ['right', 'left'],
    truncate: ['end', 'start'],
    value: 'number',
  });
  if (sequences.length === 0) throw valueError('padSequences needs at least one sequence, got none.');
  const { side = 'right', truncate = 'end', value = 0 } = options;
  const longest = sequences.reduce((length, sequence) => Math.max(length, sequence.length), 0);
  const steps = options.steps ?? Math.max(longest, 1);
  const features = featureCount(sequences);
  const width = features ?? 1;
  const values = new Float64Array(sequences.length * steps * width).fill(value);
  const mask = new Float64Array(sequences.length * steps);
  const lengths = Uint32Array.from(sequences, (sequence) => Math.min(sequence.length, steps));
  sequences.forEach((sequence, n) => {
    const length = lengths[n];
    const start = truncate === 'start' ? sequence.length - length : 0;
    const offset = n * steps + (side === 'left' ? steps - length : 0);
    mask.fill(1, offset, offset + length);
    for (let t = 0; t < length; t++)
      values.set(stepOf(sequence[start + t], features, n, start + t), (offset + t) * width);
  });
  const shape = features === null ? [sequences.length, steps] : [sequences.length, steps, features];
  return { values: tensor(values, shape), mask: tensor(mask, [sequences.length, steps]), lengths };
}

export interface BucketOptions {
  /** Number of sequences per batch. Default 32. */
  batchSize?: number;
  /**
   * Random stream for shuffling: batches are in random order, and each contains random sequences of similar lengths.
   * Default (or null): no shuffling.
   */
  random?: RandomStream | null;
  /**
   * With `random`: the number of batches whose sequences are sorted by length together. Smaller pools shuffle more,
   * larger pools pad less. Default 50.
   */
  pool?: number;
}

/**
 * Groups sequences of similar lengths into batches. Returns the indices of the sequences of each batch: every index
 * occurs once. The last batch of a pool may be smaller. Without `random`, batches are ordered from short to long.
 */
export function bucketByLength(lengths: ArrayLike<number>, options: BucketOptions = {}): Uint32Array[] {
  checkOptions('bucketByLength', options, { batchSize: 'count', random: true, pool: 'count' });
  const { batchSize = 32, random = null, pool = 50 } = options;
  const count = lengths.length;
  const indices = random ? random.permutation(count) : Uint32Array.from({ length: count }, (_, row) => row);
  const poolSize = random ? batchSize * pool : Math.max(count, 1);
  const batches: Uint32Array[] = [];
  for (let start = 0; start < count; start += poolSize) {
    const sorted = indices.slice(start, start + poolSize).sort((a, b) => lengths[a] - lengths[b]);
    for (let i = 0; i < sorted.length; i += batchSize) batches.push(sorted.slice(i, i + batchSize));
  }
  return random ? Array.from(random.permutation(batches.length), (n) => batches[n]) : batches;
}

export interface LengthSummary {
  count: number;
  shortest: number;
  longest: number;
  mean: number;
  /** Percentiles of the lengths: `percentiles[90]` is the length that 90 % of the sequences do not exceed. */
  percentiles: Readonly<Record<50 | 90 | 95 | 99, number>>;
  /** Fraction of padded steps if all sequences are padded to the longest one. */
  padding: number;
}

/** Returns statistics of sequence lengths, for choosing `steps`. @throws UnrollError `value` if there are none */
export function summarizeLengths(lengths: ArrayLike<number>): LengthSummary {
  const sorted = Float64Array.from(lengths).sort();
  const count = sorted.length;
  if (count === 0) throw valueError('summarizeLengths needs at least one length, got none.');
  const longest = sorted[count - 1];
  const mean = sorted.reduce((total, length) => total + length, 0) / count;
  const percentile = (p: number): number => sorted[Math.max(0, Math.ceil((p / 100) * count) - 1)];
  return {
    ...{ count, shortest: sorted[0], longest, mean },
    percentiles: { 50: percentile(50), 90: percentile(90), 95: percentile(95), 99: percentile(99) },
    padding: longest > 0 ? 1 - mean / longest : 0,
  };
}

/** Returns the number of features per step, or null for sequences of single numbers. */
function featureCount(sequences: readonly Sequence[]): number | null {
  const first = sequences.find((sequence) => sequence.length > 0)?.[0];
  return typeof first === 'object' ? first.length : null;
}

/** Returns the features of one step. @throws UnrollError `shape` if their number differs from that of the first step */
function stepOf(
  step: number | readonly number[],
  features: number | null,
  sequence: number,
  index: number,
): readonly number[] {
  const row = typeof step === 'number' ? [step] : step;
  if (typeof step === 'number' ? features === null : row.length === features) return row;
  const expected = features === null ? 'a number' : `a row of ${features} features`;
  const got = typeof step === 'number' ? 'a number' : `a row of ${row.length}`;
  throw shapeError(
    `Step ${index} of sequence ${sequence} must be ${expected}, like the first step, got ${got}.`,
    {
      sequence,
      step: index,
    },
  );
}
