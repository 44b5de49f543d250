/**
 * Reads and writes artifacts as zip files. The writer does not compress, because weights hardly become smaller. The
 * reader also accepts compressed entries (DecompressionStream). It is strict: the central directory must match the
 * file, entries must not overlap, and the decompressed size is limited.
 */
import { UnrollError } from '@unroll/core';
import { decodeUtf8, encodeUtf8 } from '@unroll/core/internal';

/** The decompressed files may take at most MAX_RATIO times the size of the zip, plus MAX_EXTRA bytes. */
const MAX_RATIO = 32;
const MAX_EXTRA = 1 << 20;

// Signatures and sizes of the three kinds of records
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const [LOCAL_SIZE, CENTRAL_SIZE, END_SIZE] = [30, 46, 22];
// Compression methods
const STORED = 0;
const DEFLATED = 8;
/** 1 January 1980, the earliest date of the zip format. With a constant date, equal files give equal zips. */
const DATE = 0x21;

function zipError(problem: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('format', `This zip file cannot be read: ${problem}.`, data);
}

/** Returns a zip with files in the given order. @throws UnrollError `value` if the zip would exceed 4 GiB */
export function toZip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [name, bytes] of files) {
    const path = encodeUtf8(name);
    const header = commonHeader(path, bytes);
    const local = new Uint8Array(LOCAL_SIZE + path.length);
    new DataView(local.buffer).setUint32(0, LOCAL, true);
    local.set(header, 4);
    local.set(path, LOCAL_SIZE);
    const entry = new Uint8Array(CENTRAL_SIZE + path.length);
    const view = new DataView(entry.buffer);
    view.setUint32(0, CENTRAL, true);
    view.setUint16(4, 20, true); // version of the writer: 2.0
    entry.set(header, 6);
    view.setUint32(42, at, true);
    entry.set(path, CENTRAL_SIZE);
    directory.push(entry);
    parts.push(local, bytes);
    at += local.length + bytes.length;
  }
  const size = directory.reduce((total, entry) => total + entry.length, 0);
  if (at + size > 0xffffffff)
    throw new UnrollError('value', 'A zip can hold at most 4 GiB. Save the model as a folder.');
  const end = new DataView(new ArrayBuffer(END_SIZE));
  end.setUint32(0, END, true);
  end.setUint16(8, directory.length, true);
  end.setUint16(10, directory.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, at, true);
  return concatBytes([...parts, ...directory, new Uint8Array(end.buffer)]);
}

/** Returns the 26 bytes that both headers of an entry share, starting with `version needed`. */
function commonHeader(path: Uint8Array, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(26);
  const view = new DataView(out.buffer);
  view.setUint16(0, 20, true);
  view.setUint16(2, 0x800, true); // flag: names are UTF-8
  view.setUint16(4, STORED, true);
  view.setUint16(8, DATE, true);
  view.setUint32(10, crc32(bytes), true);
  view.setUint32(14, bytes.length, true);
  view.setUint32(18, bytes.length, true);
  view.setUint16(22, path.length, true);
  return out;
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

interface Entry {
  name: string;
  method: number;
  crc: number;
  compressedSize: number;
  /** Size in bytes when decompressed. */
  size: number;
  /** Offset of the local header. */
  headerOffset: number;
}

/**
 * Extracts the files whose names are in `names`, from the top level or from one folder of the zip. Other files are
 * ignored.
 * @throws UnrollError `format` for anything other than a plain zip with valid checksums
 */
export async function fromZip(zip: Uint8Array, names: readonly string[]): Promise<Map<string, Uint8Array>> {
  const entries = directoryOf(zip).filter(({ name }) => !name.endsWith('/'));
  const inFolder = entries.find(
    ({ name }) => /^[^/]+\/[^/]+$/.test(name) && names.includes(name.split('/')[1]),
  );
  const atTopLevel = entries.some(({ name }) => names.includes(name));
  const folder = atTopLevel || !inFolder ? '' : `${inFolder.name.split('/')[0]}/`;
  const selected = entries.filter(
    ({ name }) => name.startsWith(folder) && names.includes(name.slice(folder.length)),
  );
  const total = selected.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_RATIO * zip.length + MAX_EXTRA) {
    throw zipError(
      `its files would need ${total} bytes when decompressed, too many for a zip of ${zip.length} bytes`,
      {
        total,
        length: zip.length,
      },
    );
  }
  const files = new Map<string, Uint8Array>();
  for (const entry of selected) {
    const name = entry.name.slice(folder.length);
    if (files.has(name)) throw zipError(`it contains ${name} twice`, { name });
    files.set(name, await contentOf(zip, entry));
  }
  return files;
}

/** Reads the entries of the central directory, which must end where the end record starts. */
function directoryOf(zip: Uint8Array): Entry[] {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = zip.length - END_SIZE;
  if (end < 0 || view.getUint32(end, true) !== END || view.getUint16(end + 20, true) !== 0) {
    throw zipError('it has no end record');
  }
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  let at = view.getUint32(end + 16, true);
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count || at + size !== end) {
    throw zipError('its directory is not at the recorded offset');
  }
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_SIZE > end || view.getUint32(at, true) !== CENTRAL)
      throw zipError('its directory is damaged');
    const [length, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const next = at + CENTRAL_SIZE + length + extra + comment;
    if (next > end) throw zipError('its directory is damaged');
    if (view.getUint16(at + 8, true) & 1) throw zipError('it is encrypted');
    entries.push({
      name: decodeUtf8(zip.subarray(at + CENTRAL_SIZE, at + CENTRAL_SIZE + length), 'A name in the zip'),
      method: view.getUint16(at + 10, true),
      crc: view.getUint32(at + 16, true),
      compressedSize: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      headerOffset: view.getUint32(at + 42, true),
    });
    at = next;
  }
  if (at !== end) throw zipError('its directory is damaged');
  return checkNoOverlap(entries, end - size);
}

/** Throws if two entries overlap. If they could share bytes, a small file could decompress to many times its size. */
function checkNoOverlap(entries: Entry[], end: number): Entry[] {
  const sorted = [...entries].sort((a, b) => a.headerOffset - b.headerOffset);
  sorted.forEach(({ name, headerOffset, compressedSize }, i) => {
    const next = sorted[i + 1]?.headerOffset ?? end;
    if (headerOffset + LOCAL_SIZE + compressedSize > next)
      throw zipError(`${name} overlaps the next entry`, { name });
  });
  return entries;
}

/** Returns the decompressed content of an entry, after checking its size and checksum. */
async function contentOf(
  zip: Uint8Array,
  { name, method, crc, compressedSize, size, headerOffset: at }: Entry,
): Promise<Uint8Array> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  if (view.getUint32(at, true) !== LOCAL)
    throw zipError(`${name} is not at the offset given in the directory`, { name });
  const start = at + LOCAL_SIZE + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (start + compressedSize > zip.length) throw zipError(`${name} is truncated`, { name });
  const data = zip.subarray(start, start + compressedSize);
  if (method !== STORED && method !== DEFLATED)
    throw zipError(`${name} uses the unsupported compression method ${method}`, { name, method });
  const content = method === STORED ? data : await inflate(data, size, name);
  if (content.length !== size || crc32(content) !== crc)
    throw zipError(`${name} is damaged: its checksum does not match`, { name });
  return content;
}

/** Decompresses an entry. @throws UnrollError `format` if the result is larger than `size` bytes */
export async function inflate(data: Uint8Array, size: number, name: string): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  let at = 0;
  const stream = new Blob([data as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('deflate-raw'));
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return out.subarray(0, at);
      if (at + value.length > size)
        throw zipError(`${name} is larger than its size in the directory`, { name, size });
      out.set(value, at);
      at += value.length;
    }
  } catch (error) {
    await reader.cancel().catch(() => {});
    if (error instanceof UnrollError) throw error;
    throw zipError(`${name} is damaged: it cannot be decompressed`, { name });
  }
}

const CRC_TABLES = /* @__PURE__ */ crcTables();

/** Returns tables for eight bytes at a time. Entry n of table k is the CRC of the byte n followed by k zero bytes. */
function crcTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    return c;
  });
  const tables = [first];
  for (let k = 1; k < 8; k++) tables[k] = tables[k - 1].map((c) => first[c & 0xff] ^ (c >>> 8));
  return tables;
}

/** Returns the CRC-32 that zip files use (IEEE 802.3). */
export function crc32(data: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = CRC_TABLES;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let c = -1;
  let i = 0;
  for (; i + 8 <= data.length; i += 8) {
    const low = c ^ view.getInt32(i, true);
    const high = view.getInt32(i + 4, true);
    c =
      t7[low & 0xff] ^
      t6[(low >>> 8) & 0xff] ^
      t5[(low >>> 16) & 0xff] ^
      t4[low >>> 24] ^
      t3[high & 0xff] ^
      t2[(high >>> 8) & 0xff] ^
      t1[(high >>> 16) & 0xff] ^
      t0[high >>> 24];
  }
  for (; i < data.length; i++) c = (c >>> 8) ^ t0[(c ^ data[i]) & 0xff];
  return ~c >>> 0;
}
