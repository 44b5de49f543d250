/**
 * The data of a row of the benchmark (a network with its sizes, rows.ts): inputs, targets and initial weights. They are
 * generated once and written to a float32 file that every engine reads.
 */
import { type Mode, outputWidth, type Row, weightSpecs } from './rows.js';

/** The position of a tensor in the file. */
export interface Entry {
  name: string;
  shape: number[];
  /** Number of float32 values before the tensor. */
  offset: number;
  /** Number of float32 values. */
  size: number;
}

/** The layout of a row's data file: the inputs, then the targets, then the weights. */
export interface DataFile {
  path: string;
  /** Number of entries that are inputs. */
  inputs: number;
  entries: Entry[];
}

export interface NamedTensor {
  name: string;
  shape: number[];
  values: Float32Array;
}

/**
 * The tensors of a row.
 * `inputs`: one tensor [B, T, I]. Text models take token ids [B, T]; a translator takes two tensors, source and target.
 * `y`: the targets [B, outputs]. A classifier has class ids [B], a translator [B, T].
 * `weights`: the initial weights in the order of `weightSpecs`.
 */
export interface RowData {
  inputs: NamedTensor[];
  y: NamedTensor;
  weights: NamedTensor[];
}

/** Types to which the weights of a run can be rounded. Rounded weights are still stored as float32. */
export const WEIGHT_TYPES = ['float32', 'float16'] as const;
export type WeightType = (typeof WEIGHT_TYPES)[number];

/** Number of steps that a stream runs when results are compared. */
export const STREAM_STEPS = 5;

/** Returns the number of time steps in the inputs. */
export const stepsOf = (row: Row, mode: Mode): number => (mode === 'stream' ? STREAM_STEPS : row.T);

/** Generates uniform numbers in [0, 1), the same on every machine, by hashing a counter (finaliser of MurmurHash3). */
export function* uniform(seed: number): Generator<number, never> {
  for (let counter = seed; ; counter = (counter + 0x9e3779b9) | 0) {
    let word = counter;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    yield ((word ^ (word >>> 16)) >>> 8) * 2 ** -24;
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b);

/** Rounds to the nearest float16, ties to even. The value must be within the range of float16. */
export function roundToFloat16(value: number): number {
  const step = 2 ** Math.max(Math.floor(Math.log2(Math.abs(value))) - 10, -24);
  return (value / step + 1.5 * 2 ** 52 - 1.5 * 2 ** 52) * step;
}

/**
 * Generates the data of a row from uniform numbers: x has unit variance, y is in [-1/2, 1/2), and weights are within
 * ±1/√H as in PyTorch.
 */
export function makeData(row: Row, mode: Mode, type: WeightType = 'float32'): RowData {
  let seed = 0;
  const numbers = (name: string, shape: number[], limit: number): NamedTensor => {
    const stream = uniform(Math.imul(++seed, 0x01000193));
    const values = new Float32Array(sizeOf(shape));
    for (let i = 0; i < values.length; i++) values[i] = (2 * stream.next().value - 1) * limit;
    return { name, shape, values };
  };
  const tokens = (name: string, shape: number[], below: number): NamedTensor => {
    const { values } = numbers(name, shape, 1);
    return { name, shape, values: values.map((value) => Math.floor(((value + 1) / 2) * below)) };
  };
  const { B, I, textModel } = row;
  const T = stepsOf(row, mode);
  const inputs = textModel
    ? (textModel.model === 'translator' ? ['source', 'target'] : ['text']).map((name) =>
        tokens(name, [B, T], textModel.vocabulary),
      )
    : [numbers('x', [B, T, I], Math.sqrt(3))];
  const y = textModel
    ? tokens('y', textModel.model === 'translator' ? [B, T] : [B], textModel.classes)
    : numbers('y', [B, outputWidth(row)], 0.5);
  const limit = 1 / Math.sqrt(row.H);
  const weights = weightSpecs(row).map(({ name, shape }) => numbers(name, shape, limit));
  if (type === 'float16') for (const { values } of weights) values.set(values.map(roundToFloat16));
  return { inputs, y, weights };
}

/** Decodes the tensors from the bytes of a data file. */
export function decodeData({ inputs, entries }: DataFile, bytes: Uint8Array): RowData {
  const tensors = entries.map(({ name, shape, offset, size }) => {
    const values = new Float32Array(size);
    new Uint8Array(values.buffer).set(bytes.subarray(offset * 4, (offset + size) * 4));
    return { name, shape, values };
  });
  return { inputs: tensors.slice(0, inputs), y: tensors[inputs], weights: tensors.slice(inputs + 1) };
}

/** Transposes [rows, columns] to [columns, rows]. */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c];
  }
  return out;
}

/** Transposes [B, T, I] to [T, B, I]. */
export function toTimeMajor({ shape, values }: NamedTensor): Float32Array {
  const [B, T, I] = shape as [number, number, number];
  const out = new Float32Array(values.length);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      out.set(values.subarray((b * T + t) * I, (b * T + t + 1) * I), (t * B + b) * I);
    }
  }
  return out;
}
