/**
 * Reads and writes NumPy arrays (numpy.lib.format, versions 1 to 3): a header, which is the text of a Python dict with
 * data type, order and shape, and then the values. The header is parsed, never evaluated. Arrays of objects, which would
 * need a pickle, are refused.
 */
import { type FloatArray, type Shape, UnrollError } from '@unroll/core';
import { decodeUtf8, encodeUtf8, fromFloat16Bits } from '@unroll/core/internal';

/** An array, in row-major order. */
export interface NumpyArray {
  shape: Shape;
  /** Float64Array for float64 and integers of 32 and 64 bits (rounded beyond 2^53), otherwise Float32Array. */
  values: FloatArray;
  /** Data type in NumPy's spelling, without the byte order: `f4`, `i8`, `b1`. */
  dtype: string;
}

type ReadElement = (view: DataView, at: number, littleEndian: boolean) => number;

/** Functions that read one value, by data type. */
const READERS: Readonly<Record<string, ReadElement>> = {
  b1: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
  i1: (view, at) => view.getInt8(at),
  u1: (view, at) => view.getUint8(at),
  i2: (view, at, littleEndian) => view.getInt16(at, littleEndian),
  u2: (view, at, littleEndian) => view.getUint16(at, littleEndian),
  i4: (view, at, littleEndian) => view.getInt32(at, littleEndian),
  u4: (view, at, littleEndian) => view.getUint32(at, littleEndian),
  i8: (view, at, littleEndian) => Number(view.getBigInt64(at, littleEndian)),
  u8: (view, at, littleEndian) => Number(view.getBigUint64(at, littleEndian)),
  f2: (view, at, littleEndian) => fromFloat16Bits(view.getUint16(at, littleEndian)),
  f4: (view, at, littleEndian) => view.getFloat32(at, littleEndian),
  f8: (view, at, littleEndian) => view.getFloat64(at, littleEndian),
};

const npyError = (name: string, problem: string): UnrollError =>
  new UnrollError('format', `${name} is not a NumPy array that can be read: ${problem}.`);

const HEADER =
  /^\{\s*'descr'\s*:\s*'([^']*)'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,\s*'shape'\s*:\s*\(([\d\s,]*)\)\s*,?\s*\}\s*$/;

/** Reads a .npy file. @param name name of the array, for error messages @throws UnrollError `format` for a damaged file */
export function readNpy(bytes: Uint8Array, name: string): NumpyArray {
  const { header, start } = headerOf(bytes, name);
  const match = HEADER.exec(header);
  if (!match)
    throw npyError(name, `its header must have descr, fortran_order and shape, got ${header.slice(0, 80)}`);
  const [, descr, columnMajor, sizes] = match;
  const [, order, dtype] = /^([<>|=])([a-zA-Z]\d*)$/.exec(descr) ?? [];
  const read = dtype !== undefined && Object.hasOwn(READERS, dtype) ? READERS[dtype] : undefined;
  if (!read) {
    const hint = descr.includes('O') ? '; arrays of Python objects are not read' : '';
    throw npyError(name, `its data type "${descr.slice(0, 20)}" is not supported${hint}`);
  }
  const shape = shapeOf(sizes, name);
  const size = Number(dtype[1]);
  const length = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1);
  if (length * size !== bytes.length - start)
    throw npyError(
      name,
      `shape (${shape.join(', ')}) needs ${length * size} bytes, got ${bytes.length - start}`,
    );
  const data = bytes.subarray(start);
  const littleEndian = order !== '>';
  return {
    shape,
    dtype,
    values: valuesOf(data, { shape, dtype, read, littleEndian, columnMajor: columnMajor === 'True' }),
  };
}

function headerOf(bytes: Uint8Array, name: string): { header: string; start: number } {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 10 || magic.some((byte, i) => bytes[i] !== byte))
    throw npyError(name, 'it does not begin with \\x93NUMPY');
  const version = bytes[6];
  if (version < 1 || version > 3) throw npyError(name, `version ${version} of the format is unknown`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = version === 1 ? 10 : 12;
  if (bytes.length < begin) throw npyError(name, 'it is truncated');
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (begin + length > bytes.length) throw npyError(name, 'it is truncated');
  if (length > 10_000) throw npyError(name, `its header has ${length} bytes, more than 10000`);
  return { header: decodeUtf8(bytes.subarray(begin, begin + length), name), start: begin + length };
}

function shapeOf(text: string, name: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  // (3,) has one extent, () has none.
  if (parts.at(-1) === '') parts.pop();
  const shape = parts.map(Number);
  if (parts.some((part) => part === '') || shape.length > 32 || !shape.every(Number.isSafeInteger))
    throw npyError(name, `its shape (${text.slice(0, 80)}) is not valid`);
  return shape;
}

interface Layout {
  shape: Shape;
  dtype: string;
  read: ReadElement;
  littleEndian: boolean;
  columnMajor: boolean;
}

function valuesOf(data: Uint8Array, { shape, dtype, read, littleEndian, columnMajor }: Layout): FloatArray {
  const size = Number(dtype[1]);
  const length = data.length / size;
  const order = columnMajor && shape.length > 1 ? toRowMajor(shape) : null;
  if (dtype === 'f4' && littleEndian && !order) return new Float32Array(new Uint8Array(data).buffer);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const out = /^(f8|[iu][48])$/.test(dtype) ? new Float64Array(length) : new Float32Array(length);
  for (let i = 0; i < length; i++) out[order ? order(i) : i] = read(view, i * size, littleEndian);
  return out;
}

/** Returns a function that converts the position of an element in column-major order to its position in row-major order. */
function toRowMajor(shape: Shape): (position: number) => number {
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((product, extent) => product * extent, 1));
  return (position) => {
    let [rest, target] = [position, 0];
    for (let d = 0; d < shape.length; d++) {
      target += (rest % shape[d]) * strides[d];
      rest = Math.floor(rest / shape[d]);
    }
    return target;
  };
}

/** Returns the bytes of a .npy file with values of the type float32, or float64 for a Float64Array. */
export function writeNpy(values: FloatArray, shape: Shape): Uint8Array {
  const descr = values instanceof Float64Array ? '<f8' : '<f4';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // The values begin at a multiple of 64, and the header ends with a line feed.
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64 - 10;
  const header = encodeUtf8(`${dict.padEnd(length - 1)}\n`);
  const out = new Uint8Array(10 + length + values.byteLength);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 0xff, length >> 8]);
  out.set(header, 10);
  out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 10 + length);
  return out;
}
