/**
 * The data of a row: inputs, targets and initial weights, made here once and handed to every engine as one
 * file of float32, so that all of them compute the same thing.
 */
import { type Mode, outputWidth, type Row, weightSpecs } from './rows.js';

/** Where a tensor lies in the file; `at` counts floats. */
export interface Entry {
  name: string;
  shape: number[];
  at: number;
  size: number;
}

/** A row's data on disk: its inputs, the target, the weights. */
export interface DataFile {
  path: string;
  /** How many of the entries are inputs. */
  inputs: number;
  entries: Entry[];
}

export interface NamedTensor {
  name: string;
  shape: number[];
  values: Float32Array;
}

/**
 * `inputs`: [B, T, I]; of a whole model token numbers [B, T], of a translator for source and target. `y`: [B,
 * outputs]; of a classifier class numbers [B], of a translator [B, T]. Weights in the order of `weightSpecs`.
 */
export interface RowData {
  inputs: NamedTensor[];
  y: NamedTensor;
  weights: NamedTensor[];
}

/** What all weights of a run are rounded to. They are float32 numbers in either case, the same for every engine. */
export const WEIGHT_TYPES = ['float32', 'float16'] as const;
export type WeightType = (typeof WEIGHT_TYPES)[number];

/** Steps that a streaming check runs. */
export const STREAM_STEPS = 5;

/** Steps of x in a mode. */
export const stepsOf = (row: Row, mode: Mode): number => (mode === 'stream' ? STREAM_STEPS : row.T);

/** Uniform numbers from a 32-bit counter through a finaliser (murmur3's): the same on every machine. */
function* uniform(seed: number): Generator<number, never> {
  for (let counter = seed; ; counter = (counter + 0x9e3779b9) | 0) {
    let word = counter;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    yield ((word ^ (word >>> 16)) >>> 8) * 2 ** -24;
  }
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b);

/** The nearest float16, ties to even, of a number within its range: an integer number of steps of its last digit. */
export function half(value: number): number {
  const step = 2 ** Math.max(Math.floor(Math.log2(Math.abs(value))) - 10, -24);
  return (value / step + 1.5 * 2 ** 52 - 1.5 * 2 ** 52) * step;
}

/** Makes the row's data: x of unit variance, y in [-1/2, 1/2), weights in ±1/√H as PyTorch starts them. */
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
  const { B, I, whole } = row;
  const T = stepsOf(row, mode);
  const inputs = whole
    ? (whole.model === 'translator' ? ['source', 'target'] : ['text']).map((name) =>
        tokens(name, [B, T], whole.vocabulary),
      )
    : [numbers('x', [B, T, I], Math.sqrt(3))];
  const y = whole
    ? tokens('y', whole.model === 'translator' ? [B, T] : [B], whole.classes)
    : numbers('y', [B, outputWidth(row)], 0.5);
  const limit = 1 / Math.sqrt(row.H);
  const weights = weightSpecs(row).map(({ name, shape }) => numbers(name, shape, limit));
  if (type === 'float16') for (const { values } of weights) values.set(values.map(half));
  return { inputs, y, weights };
}

/** The tensors of a file, given its bytes. */
export function dataOf({ inputs, entries }: DataFile, bytes: Uint8Array): RowData {
  const tensors = entries.map(({ name, shape, at, size }) => {
    const values = new Float32Array(size);
    new Uint8Array(values.buffer).set(bytes.subarray(at * 4, (at + size) * 4));
    return { name, shape, values };
  });
  return { inputs: tensors.slice(0, inputs), y: tensors[inputs], weights: tensors.slice(inputs + 1) };
}

/** [rows, columns] to [columns, rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c];
  }
  return out;
}

/** [B, T, I] to [T, B, I]. */
export function timeMajor({ shape, values }: NamedTensor): Float32Array {
  const [B, T, I] = shape as [number, number, number];
  const out = new Float32Array(values.length);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      out.set(values.subarray((b * T + t) * I, (b * T + t + 1) * I), (t * B + b) * I);
    }
  }
  return out;
}
