/**
 * Reads single files of a zip without reading the others, also from archives beyond 4 GB (zip64), which PyTorch and NumPy
 * write. The reader is strict: entries must not overlap, names must not occur twice, sizes and checksums must match.
 */
import { UnrollError } from '@unroll/core';
import { decodeUtf8 } from '@unroll/core/internal';
import { crc32, inflate } from '../zip.js';
import type { ByteSource } from './source.js';

// Signatures and sizes of the records
const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const [END64, LOCATOR64] = [0x06064b50, 0x07064b50];
const [LOCAL_SIZE, CENTRAL_SIZE, END_SIZE, END64_SIZE, LOCATOR64_SIZE] = [30, 46, 22, 56, 20];
const [STORED, DEFLATED] = [0, 8];
/** A decompressed file may have at most MAX_RATIO times its compressed size, plus by default MAX_EXTRA bytes. */
const MAX_RATIO = 32;
const MAX_EXTRA = 1 << 16;
/** Largest size of the directory in bytes, enough for about a million files. */
const MAX_DIRECTORY = 1 << 27;

export interface ZipEntry {
  name: string;
  method: number;
  crc: number;
  /** Bytes in the archive. */
  compressedSize: number;
  /** Bytes when decompressed. */
  size: number;
  /** Offset of the local header. */
  offset: number;
}

/** The files of an archive by name, in the order of the directory. Folders are left out. */
export type ZipIndex = ReadonlyMap<string, ZipEntry>;

const zipError = (source: ByteSource, problem: string): UnrollError =>
  new UnrollError('format', `${source.name} cannot be read as a zip file: ${problem}.`);

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Returns an unsigned 64-bit integer. Numbers beyond 2^53 are rounded, but no file is that large. */
const uint64 = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

/**
 * Reads the directory of a zip.
 * @param maxExtra a decompressed file may have {@link MAX_RATIO} times its compressed size, plus this many bytes
 * @throws UnrollError `format` for a damaged or encrypted zip
 */
export async function zipIndex(source: ByteSource, { maxExtra = MAX_EXTRA } = {}): Promise<ZipIndex> {
  const { count, size, offset, end } = await findDirectory(source);
  if (offset + size !== end) throw zipError(source, 'its directory is not at the recorded offset');
  if (size > MAX_DIRECTORY)
    throw zipError(source, `its directory has ${size} bytes; the maximum is ${MAX_DIRECTORY}`);
  if (count * CENTRAL_SIZE > size)
    throw zipError(source, `its directory of ${size} bytes is too small for ${count} entries`);
  const bytes = await source.read(offset, offset + size);
  const view = viewOf(bytes);
  const index = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_SIZE > size || view.getUint32(at, true) !== CENTRAL)
      throw zipError(source, 'its directory is damaged');
    const [length, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const next = at + CENTRAL_SIZE + length + extra + comment;
    if (next > size) throw zipError(source, 'its directory is damaged');
    if (view.getUint16(at + 8, true) & 1) throw zipError(source, 'it is encrypted');
    const entry = entryAt(source, bytes.subarray(at, next), length, extra);
    if (index.has(entry.name)) throw zipError(source, `it contains ${entry.name} twice`);
    index.set(entry.name, entry);
    at = next;
  }
  if (at !== size) throw zipError(source, 'its directory is damaged');
  checkEntries(source, [...index.values()], offset, maxExtra);
  return new Map([...index].filter(([name]) => !name.endsWith('/')));
}

/** Returns the number of entries, the size and the offset of the directory, and the offset at which it must end. */
async function findDirectory(
  source: ByteSource,
): Promise<{ count: number; size: number; offset: number; end: number }> {
  const at = source.size - END_SIZE;
  if (at < 0) throw zipError(source, 'it has no end record');
  const start = Math.max(0, at - LOCATOR64_SIZE);
  const tail = viewOf(await source.read(start, source.size));
  const record = at - start;
  if (tail.getUint32(record, true) !== END || tail.getUint16(record + 20, true) !== 0)
    throw zipError(source, 'it has no end record');
  if (tail.getUint16(record + 4, true) !== 0 && tail.getUint16(record + 4, true) !== 0xffff)
    throw zipError(source, 'it is a part of a split archive');
  if (record === LOCATOR64_SIZE && tail.getUint32(0, true) === LOCATOR64) {
    const end = uint64(tail, 8);
    if (end + END64_SIZE > start) throw zipError(source, 'its end record is damaged');
    const record64 = viewOf(await source.read(end, end + END64_SIZE));
    if (record64.getUint32(0, true) !== END64) throw zipError(source, 'its end record is damaged');
    return { count: uint64(record64, 32), size: uint64(record64, 40), offset: uint64(record64, 48), end };
  }
  const [count, size] = [tail.getUint16(record + 10, true), tail.getUint32(record + 12, true)];
  return { count, size, offset: tail.getUint32(record + 16, true), end: at };
}

/** Returns an entry. @param record the record of the entry in the directory */
function entryAt(source: ByteSource, record: Uint8Array, nameLength: number, extraLength: number): ZipEntry {
  const view = viewOf(record);
  const entry: ZipEntry = {
    name: decodeUtf8(record.subarray(CENTRAL_SIZE, CENTRAL_SIZE + nameLength), 'A name in the zip'),
    method: view.getUint16(10, true),
    crc: view.getUint32(16, true),
    compressedSize: view.getUint32(20, true),
    size: view.getUint32(24, true),
    offset: view.getUint32(42, true),
  };
  const end = CENTRAL_SIZE + nameLength + extraLength;
  for (let at = CENTRAL_SIZE + nameLength; at + 4 <= end; ) {
    const [id, length] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
    if (at + 4 + length > end) throw zipError(source, 'its directory is damaged');
    if (id === 1) readSizes64(source, entry, record.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return entry;
}

/** Replaces the sizes of an entry that are too large for 32 bits by the sizes in its zip64 field. */
function readSizes64(source: ByteSource, entry: ZipEntry, field: Uint8Array): void {
  const view = viewOf(field);
  let at = 0;
  for (const key of ['size', 'compressedSize', 'offset'] as const) {
    if (entry[key] !== 0xffffffff) continue;
    if (at + 8 > field.length) throw zipError(source, 'its directory is damaged');
    entry[key] = uint64(view, at);
    at += 8;
  }
}

/** Checks all entries. If entries could share bytes, a small file could decompress to many times its size. */
function checkEntries(source: ByteSource, entries: readonly ZipEntry[], end: number, maxExtra: number): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset);
  sorted.forEach(({ name, method, offset, compressedSize, size }, i) => {
    if (offset + LOCAL_SIZE + compressedSize > (sorted[i + 1]?.offset ?? end))
      throw zipError(source, `${name} overlaps the next entry`);
    if (method !== STORED && method !== DEFLATED)
      throw zipError(source, `${name} uses the unsupported compression method ${method}`);
    if (method === STORED && size !== compressedSize) throw zipError(source, `the size of ${name} is wrong`);
    if (size > MAX_RATIO * compressedSize + maxExtra)
      throw zipError(
        source,
        `${name} would need ${size} bytes when decompressed, too many for ${compressedSize} compressed bytes`,
      );
  });
}

/** Reads one file of a zip. @throws UnrollError `format` if it is damaged */
export async function readZipEntry(source: ByteSource, entry: ZipEntry): Promise<Uint8Array> {
  const { name, method, crc, compressedSize, size, offset } = entry;
  const header = viewOf(await source.read(offset, offset + LOCAL_SIZE));
  if (header.getUint32(0, true) !== LOCAL)
    throw zipError(source, `${name} is not at the offset given in the directory`);
  const start = offset + LOCAL_SIZE + header.getUint16(26, true) + header.getUint16(28, true);
  const data = await source.read(start, start + compressedSize);
  const content = method === STORED ? data : await inflate(data, size, name);
  if (content.length !== size || crc32(content) !== crc)
    throw zipError(source, `${name} is damaged: its checksum does not match`);
  return content;
}
