/** Reads the values of tensors, which are in the ONNX file or in other files of its folder. */
import { type FloatArray, formatShape, type Shape, UnrollError } from '@unroll/core';
import { fromFloat16Bits } from '@unroll/core/internal';
import type { ByteSource } from '../source.js';
import { damaged } from './protobuf.js';
import type { ByteRange, TensorProto } from './schema.js';

/** A tensor in memory. Integers are exact up to 2^53. */
export interface ArrayValue {
  shape: Shape;
  values: FloatArray;
  type: ElementType;
}

export type ElementType = 'float' | 'int' | 'bool';

interface DataType {
  name: string;
  type: ElementType;
  /** Bytes of an element in rawData. */
  size: number;
  read(view: DataView, at: number): number;
  /** The field that contains the values if rawData is empty. */
  field: 'floatData' | 'int32Data' | 'int64Data' | 'doubleData' | 'uint64Data';
}

const dataType = (
  name: string,
  type: ElementType,
  size: number,
  field: DataType['field'],
  read: DataType['read'],
): DataType => ({ name, type, size, read, field });

const int32 = 'int32Data';
/** The data types that Unroll reads, by number in onnx.proto: not strings, complex numbers, 8-bit floats or 4-bit types. */
const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: dataType('float32', 'float', 4, 'floatData', (view, at) => view.getFloat32(at, true)),
  2: dataType('uint8', 'int', 1, int32, (view, at) => view.getUint8(at)),
  3: dataType('int8', 'int', 1, int32, (view, at) => view.getInt8(at)),
  4: dataType('uint16', 'int', 2, int32, (view, at) => view.getUint16(at, true)),
  5: dataType('int16', 'int', 2, int32, (view, at) => view.getInt16(at, true)),
  6: dataType('int32', 'int', 4, int32, (view, at) => view.getInt32(at, true)),
  7: dataType('int64', 'int', 8, 'int64Data', (view, at) => Number(view.getBigInt64(at, true))),
  9: dataType('bool', 'bool', 1, int32, (view, at) => (view.getUint8(at) === 0 ? 0 : 1)),
  10: dataType('float16', 'float', 2, int32, (view, at) => fromFloat16Bits(view.getUint16(at, true))),
  11: dataType('float64', 'float', 8, 'doubleData', (view, at) => view.getFloat64(at, true)),
  12: dataType('uint32', 'int', 4, 'uint64Data', (view, at) => view.getUint32(at, true)),
  13: dataType('uint64', 'int', 8, 'uint64Data', (view, at) => Number(view.getBigUint64(at, true))),
  16: dataType('bfloat16', 'float', 2, int32, (view, at) => fromBfloat16(view.getUint16(at, true))),
};

const OTHER_NAMES: Readonly<Record<number, string>> = { 8: 'string', 14: 'complex64', 15: 'complex128' };

/** Returns the name of a data type. */
export function dataTypeName(number: number): string {
  return DATA_TYPES[number]?.name ?? OTHER_NAMES[number] ?? `data type ${number}`;
}

/** Returns the element type of a data type; null if Unroll cannot read it. */
export function elementType(number: number): ElementType | null {
  return DATA_TYPES[number]?.type ?? null;
}

/**
 * Reads the values of a tensor.
 * @throws UnrollError `format` if the payload does not match the shape, or if the file with the payload is missing or outside
 * the folder of the model, `value` for a data type that Unroll does not read
 */
export async function readTensor(proto: TensorProto, source: ByteSource): Promise<ArrayValue> {
  const { name, dims } = proto;
  const label = `the tensor "${name}"`;
  const found = DATA_TYPES[proto.dataType];
  if (!found)
    throw new UnrollError(
      'value',
      `${source.name}: ${label} has the type ${dataTypeName(proto.dataType)}, which Unroll does not read.`,
      { name },
    );
  const count = elementCount(proto, source.name);
  const wrongSize = (bytes: number): UnrollError =>
    damaged(source.name, `${label} has ${bytes} bytes, which do not fit its shape ${formatShape(dims)}`, {
      name,
      dims,
    });
  const ranges = proto[found.field];
  if (proto.dataLocation !== 1 && proto.rawData.length === 0 && ranges.length > 0) {
    const values = packedValues(found, await join(ranges, source), count);
    if (values === null) throw wrongSize(ranges.reduce((sum, { begin, end }) => sum + end - begin, 0));
    return { shape: dims, values, type: found.type };
  }
  const bytes =
    proto.dataLocation === 1 ? await externalBytes(proto, source) : await join(proto.rawData, source);
  if (bytes.length !== count * found.size) throw wrongSize(bytes.length);
  return { shape: dims, values: rawValues(found, bytes, count), type: found.type };
}

/** Returns the number of elements. @throws UnrollError `format` for sizes that are negative or too large */
export function elementCount({ name, dims }: TensorProto, file: string): number {
  const count = dims.reduce((product, extent) => product * extent, 1);
  if (dims.every((extent) => Number.isSafeInteger(extent) && extent >= 0) && count < 2 ** 32) return count;
  throw damaged(file, `the tensor "${name}" has the shape ${formatShape(dims)}, which is not valid`, {
    name,
    dims,
  });
}

function rawValues({ type, size, name, read }: DataType, bytes: Uint8Array, count: number): FloatArray {
  // Unroll assumes a little-endian machine, so the bytes need no conversion. The copy aligns them.
  if (name === 'float32') return new Float32Array(new Uint8Array(bytes).buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = type === 'float' && size < 8 ? new Float32Array(count) : new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = read(view, i * size);
  return values;
}

/** Reads values of a typed field. Returns null if there are more or fewer than `count`. */
function packedValues(found: DataType, bytes: Uint8Array, count: number): FloatArray | null {
  const { field, name } = found;
  if (field === 'floatData' || field === 'doubleData')
    return bytes.length === count * found.size ? rawValues(found, bytes, count) : null;
  if (bytes.length < count) return null;
  const numbers = varints(bytes, count);
  if (numbers === null) return null;
  if (name === 'float16') return Float32Array.from(numbers, fromFloat16Bits);
  return name === 'bfloat16' ? Float32Array.from(numbers, fromBfloat16) : numbers;
}

/** Reads `count` varints, which must take up all the bytes. Returns null if there are more or fewer. */
function varints(bytes: Uint8Array, count: number): Float64Array | null {
  const values = new Float64Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let value = 0n;
    let shift = 0n;
    for (;;) {
      if (at >= bytes.length || shift > 63n) return null;
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
      if (byte < 128) break;
    }
    values[i] = Number(BigInt.asIntN(64, value));
  }
  return at === bytes.length ? values : null;
}

async function join(ranges: readonly ByteRange[], source: ByteSource): Promise<Uint8Array> {
  if (ranges.length === 1) return source.read(ranges[0].begin, ranges[0].end);
  const parts = await Promise.all(ranges.map(({ begin, end }) => source.read(begin, end)));
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Reads the payload of a tensor from another file of the folder. */
async function externalBytes({ name, externalData }: TensorProto, source: ByteSource): Promise<Uint8Array> {
  const entries = new Map(externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (!location) throw damaged(source.name, `the tensor "${name}" has external data without a location`);
  if (!source.sibling)
    throw new UnrollError(
      'format',
      `${source.name}: the values of "${name}" are in another file, ${location}. Open the model by its path or URL, ` +
        'or save it with its weights inside.',
      { location },
    );
  const file = await source.sibling(location);
  const offset = Number(entries.get('offset') ?? 0);
  const length = Number(entries.get('length') ?? file.size - offset);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
    throw damaged(
      source.name,
      `the external data of "${name}" has the offset ${offset} and the length ${length}`,
    );
  return file.read(offset, offset + length);
}

const floatView = new DataView(new ArrayBuffer(4));

/** Converts a bfloat16, which is the upper half of a float32. */
function fromBfloat16(bits: number): number {
  floatView.setUint32(0, bits << 16);
  return floatView.getFloat32(0);
}
