/**
 * Reads and writes the safetensors format (github.com/huggingface/safetensors): named tensors without executable
 * content. Checkpoints and artifacts use it. Layout of a file, with all integers little-endian:
 *
 *   8 bytes    H, the length of the header
 *   H bytes    JSON { name: { dtype, shape, data_offsets: [begin, end] }, ..., "__metadata__": { key: text } }
 *   the rest   the values of all tensors, without gaps or overlap; data_offsets count from their first byte
 *
 * The reader is strict: it rejects everything that the specification forbids, before it allocates memory.
 */
import { UnrollError } from './errors.js';
import type { Shape } from './shape.js';
import { decodeUtf8, encodeUtf8, type Json, type JsonObject, parseStrictJson } from './strict-json.js';

/** Bits per element of every dtype of the format. */
export const bitsPerElement = {
  BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6,
  I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32, F32: 32, F64: 64, I64: 64, U64: 64, C64: 64,
} as const; // biome-ignore format: a table

export type SafetensorsType = keyof typeof bitsPerElement;

export interface StoredTensor {
  dtype: SafetensorsType;
  shape: Shape;
  /** The values, little-endian, row-major. The reader returns views of the file's bytes, not copies. */
  bytes: Uint8Array;
}

export interface SafetensorsFile {
  tensors: ReadonlyMap<string, StoredTensor>;
  metadata: ReadonlyMap<string, string>;
}

/** Largest length of a header in bytes, as in the reference implementation. */
const MAX_HEADER_LENGTH = 100_000_000;
const METADATA = '__metadata__';

function invalidFile(message: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('format', `This is not a valid safetensors file: ${message}`, data);
}

/** Where the values of a tensor are in a file. */
export interface SafetensorsEntry {
  name: string;
  dtype: SafetensorsType;
  shape: number[];
  /** Byte offsets, counted from the end of the header. */
  begin: number;
  end: number;
}

/** The contents of the header of a file. */
export interface SafetensorsHeader {
  /** In the order in which their values follow each other in the file. */
  entries: SafetensorsEntry[];
  metadata: ReadonlyMap<string, string>;
  /** Number of bytes before the values. */
  start: number;
}

/** Parses a safetensors file. @throws UnrollError `format` for anything that the specification forbids */
export function readSafetensors(file: Uint8Array): SafetensorsFile {
  const { entries, metadata, start } = readSafetensorsHeader(file, file.length);
  const tensors = new Map(
    entries.map(({ name, dtype, shape, begin, end }): [string, StoredTensor] => [
      name,
      { dtype, shape, bytes: file.subarray(start + begin, start + end) },
    ]),
  );
  return { tensors, metadata };
}

/**
 * Parses the header of a safetensors file.
 * @param file the first bytes of the file, at least up to {@link safetensorsStart}
 * @param length the size of the whole file in bytes
 * @throws UnrollError `format` for anything that the specification forbids
 */
export function readSafetensorsHeader(file: Uint8Array, length: number): SafetensorsHeader {
  const start = safetensorsStart(file, length);
  if (file[8] !== 0x7b) throw invalidFile('the header does not begin with "{".');
  const what = 'The header of the safetensors file';
  const header = parseStrictJson(decodeUtf8(file.subarray(8, start), what), what) as JsonObject;
  const metadata = readMetadata(header[METADATA]);
  const entries = Object.entries(header).flatMap(([name, entry]) =>
    name === METADATA ? [] : [readEntry(name, entry, length - start)],
  );
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let expected = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== expected) {
      const fault = begin > expected ? 'a gap before' : 'an overlap with';
      throw invalidFile(
        `there is ${fault} tensor "${name}": it begins at byte ${begin} of the values instead of ${expected}.`,
        {
          name,
          begin,
          expected,
        },
      );
    }
    expected = end;
  }
  const excess = length - start - expected;
  if (excess !== 0)
    throw invalidFile(`${excess} bytes follow the last tensor.`, { length, expected: length - excess });
  return { entries, metadata, start };
}

/**
 * Returns the number of bytes before the values.
 * @param head the first 8 bytes of the file, or more
 * @param length the size of the whole file in bytes
 * @throws UnrollError `format` for a file that is too short
 */
export function safetensorsStart(head: Uint8Array, length: number): number {
  if (length < 8) throw invalidFile(`it must have at least 8 bytes, got ${length}.`);
  const view = new DataView(head.buffer, head.byteOffset, 8);
  const size = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  const limit = Math.min(length - 8, MAX_HEADER_LENGTH);
  if (size > limit)
    throw invalidFile(`the header length must be at most ${limit} bytes, got ${size}.`, { size, length });
  return 8 + size;
}

function readMetadata(value: Json | undefined): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) throw invalidFile(`${METADATA} is not an object.`);
  const wrong = Object.keys(value).find((key) => typeof value[key] !== 'string');
  if (wrong !== undefined) throw invalidFile(`the metadata "${wrong}" is not a string.`, { key: wrong });
  return new Map(Object.entries(value) as [string, string][]);
}

function readEntry(name: string, entry: Json, available: number): SafetensorsEntry {
  if (!isObject(entry)) throw invalidFile(`the entry of tensor "${name}" is not an object.`, { name });
  const extra = Object.keys(entry).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key));
  if (extra !== undefined)
    throw invalidFile(`tensor "${name}" has the unknown field "${extra}".`, { name, field: extra });
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(bitsPerElement, dtype)) {
    throw invalidFile(`tensor "${name}" has the unknown dtype ${JSON.stringify(dtype)}.`, { name, dtype });
  }
  if (!isCountArray(shape))
    throw invalidFile(`the shape of tensor "${name}" is not a list of integers.`, { name, shape });
  if (!isCountArray(offsets) || offsets.length !== 2) {
    throw invalidFile(`data_offsets of tensor "${name}" are not two integers.`, { name, offsets });
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > available) {
    throw invalidFile(
      `the data_offsets of tensor "${name}" must ascend and be at most ${available}, got ${begin} and ${end}.`,
      {
        name,
        begin,
        end,
        available,
      },
    );
  }
  const bits = bitsOf(shape, dtype as SafetensorsType, available);
  if (bits !== (end - begin) * 8) {
    throw invalidFile(
      `the size of tensor "${name}", ${end - begin} bytes, does not match its shape [${shape.join(', ')}] and dtype ` +
        `${dtype}.`,
      {
        name,
        shape,
        dtype,
        bytes: end - begin,
      },
    );
  }
  return { name, dtype: dtype as SafetensorsType, shape, begin, end };
}

/** Returns the number of bits of a tensor, or Infinity for more than `available` bytes, so that products stay exact. */
function bitsOf(shape: readonly number[], dtype: SafetensorsType, available: number): number {
  if (shape.includes(0)) return 0;
  let bits: number = bitsPerElement[dtype];
  for (const extent of shape) {
    bits *= extent;
    if (bits > available * 8) return Number.POSITIVE_INFINITY;
  }
  return bits;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns true for an array of non-negative integers. */
function isCountArray(value: Json | undefined): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}

/**
 * Encodes a safetensors file. Tensors of wide dtypes come first, as in the reference implementation, so that every
 * tensor is aligned. Tensors of equally wide dtypes keep their order.
 * @throws UnrollError `value` if the bytes do not match a shape, or a name is `__metadata__`
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const entries = [...tensors].sort(([, a], [, b]) => bitsPerElement[b.dtype] - bitsPerElement[a.dtype]);
  const fields: string[] = [];
  if (metadata.size > 0) fields.push(`"${METADATA}":${JSON.stringify(Object.fromEntries(metadata))}`);
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of entries) {
    if (name === METADATA || bitsOf(shape, dtype, bytes.length) !== bytes.length * 8) {
      throw new UnrollError(
        'value',
        name === METADATA
          ? `A tensor cannot have the reserved name "${METADATA}".`
          : `Tensor "${name}": ${bytes.length} bytes do not match shape [${shape.join(', ')}] and dtype ${dtype}.`,
        { name, shape, dtype, bytes: bytes.length },
      );
    }
    const entry = { dtype, shape, data_offsets: [end, end + bytes.length] };
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    end += bytes.length;
  }
  const header = encodeUtf8(`{${fields.join(',')}}`);
  const padded = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(8 + padded + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  file.fill(0x20, 8, 8 + padded).set(header, 8);
  let offset = 8 + padded;
  for (const [, { bytes }] of entries) {
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

/** Returns a stored tensor over the memory of `values` (no copy). */
export function storeFloats(values: Float32Array | Float64Array, shape: Shape): StoredTensor {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { dtype: values instanceof Float64Array ? 'F64' : 'F32', shape: [...shape], bytes };
}

/** Returns a copy of the values of an F32 or F64 tensor. @throws UnrollError `format` for other dtypes */
export function loadFloats({ dtype, bytes }: StoredTensor, name: string): Float32Array | Float64Array {
  const copy = new Uint8Array(bytes).buffer; // slice() of a Node Buffer would share the memory
  if (dtype === 'F32') return new Float32Array(copy);
  if (dtype === 'F64') return new Float64Array(copy);
  throw new UnrollError('format', `Tensor "${name}" must be F32 or F64, got ${dtype}.`, {
    name,
    dtype,
  });
}
