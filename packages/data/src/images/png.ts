/**
 * Reads PNG files (ISO/IEC 15948). The chunks are checked here. fast-png then decodes only the chunks that determine the pixels, so
 * it decompresses nothing else, such as colour profiles.
 */

import { convertIndexedToRgb, type DecodedPng, decode } from 'fast-png';
import { Unzlib } from 'fflate';
import { checkSize, type Image, imageError } from './image.js';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** The chunks that determine the pixels. */
const PIXEL_CHUNKS = ['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'];
/** Number of compressed bytes that are decompressed at once. The result is at most about a thousand times as long. */
const PART_BYTES = 2 ** 14;

export const isPng = (bytes: Uint8Array): boolean => SIGNATURE.every((byte, i) => bytes[i] === byte);

interface Chunk {
  type: string;
  /** The whole chunk: length, type, data and checksum. */
  bytes: Uint8Array;
  data: Uint8Array;
}

/** The header of an image. */
interface Header {
  width: number;
  height: number;
  /** Bits per channel. */
  depth: number;
  channels: number;
  isIndexed: boolean;
  isInterlaced: boolean;
}

/** Number of channels, and possible bits per channel, by colour type. */
const COLOURS: Readonly<Record<number, { channels: number; depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};

/**
 * Reads a PNG file. Transparent pixels are drawn over black; 16 bits are rounded to 8.
 * @param source name of the file, for errors
 * @throws UnrollError `format` for a damaged file, an image that is too large, and an interlaced image with bit depth below 8
 */
export function readPng(bytes: Uint8Array, source: string): Image {
  const chunks = chunksOf(bytes, source);
  const header = headerOf(chunks, source);
  checkData(chunks, header, source);
  let image: DecodedPng;
  try {
    image = decode(pngOf(chunks));
  } catch (error) {
    throw imageError(source, `the PNG file is damaged (${(error as Error).message})`);
  }
  return pixelsOf(image, header, source);
}

/** Checks the checksums of the chunks that determine the pixels, and returns these chunks. */
function chunksOf(bytes: Uint8Array, source: string): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let offset = SIGNATURE.length; offset + 12 <= bytes.length; ) {
    const length = view.getUint32(offset);
    const end = offset + 12 + length;
    if (end > bytes.length) throw imageError(source, `the PNG file is truncated at byte ${bytes.length}`);
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    if (PIXEL_CHUNKS.includes(type)) {
      if (crc(bytes.subarray(offset + 4, end - 4)) !== view.getUint32(end - 4))
        throw imageError(
          source,
          `the PNG file is damaged: chunk ${type} at byte ${offset} has a wrong checksum`,
        );
      chunks.push({ type, bytes: bytes.subarray(offset, end), data: bytes.subarray(offset + 8, end - 4) });
      if (type === 'IEND') return chunks;
    }
    offset = end;
  }
  throw imageError(source, 'the PNG file is truncated: it has no chunk IEND');
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function headerOf(chunks: readonly Chunk[], source: string): Header {
  const damaged = (problem: string) => imageError(source, `the PNG file is damaged: ${problem}`);
  const [first] = chunks;
  if (
    first.type !== 'IHDR' ||
    first.data.length !== 13 ||
    chunks.slice(1).some(({ type }) => type === 'IHDR')
  )
    throw damaged('it must begin with one chunk IHDR of 13 bytes');
  const view = new DataView(first.data.buffer, first.data.byteOffset, 13);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, compression, filter, interlace] = first.data.subarray(8);
  const colourType = COLOURS[colour];
  if (colourType === undefined || !colourType.depths.includes(depth))
    throw damaged(`colour type ${colour} with bit depth ${depth} does not exist`);
  if (compression !== 0 || filter !== 0 || interlace > 1)
    throw damaged('its compression, filter or interlace method is unknown');
  checkSize(source, width, height);
  const isInterlaced = interlace === 1;
  if (isInterlaced && depth < 8)
    throw imageError(
      source,
      `interlaced PNG files with bit depth ${depth} are not supported. Save the image without interlacing`,
    );
  const isIndexed = colour === 3;
  if (isIndexed && !chunks.some(({ type }) => type === 'PLTE')) throw damaged('the chunk PLTE is missing');
  return { width, height, depth, channels: colourType.channels, isIndexed, isInterlaced };
}

/** Checks that the decompressed data has exactly the size of the image, without storing it. */
function checkData(chunks: readonly Chunk[], header: Header, source: string): void {
  const expected = expectedBytes(header);
  let count = 0;
  const problem = () =>
    imageError(
      source,
      `the PNG file is damaged: its pixels need ${expected} bytes, got ${count > expected ? 'more' : count}`,
    );
  const stream = new Unzlib((part) => {
    count += part.length;
    if (count > expected) throw problem();
  });
  try {
    for (const { type, data } of chunks) {
      if (type !== 'IDAT') continue;
      for (let offset = 0; offset < data.length; offset += PART_BYTES)
        stream.push(data.subarray(offset, offset + PART_BYTES));
    }
    stream.push(new Uint8Array(0), true);
  } catch (error) {
    if (count > expected) throw error;
    throw imageError(source, `the PNG file is damaged: ${(error as Error).message}`);
  }
  if (count !== expected) throw problem();
}

/** The seven passes of an interlaced image (Adam7): the first pixel and the distances between pixels, [x, y, dx, dy]. */
const PASSES = [
  [0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2],
] as const; // biome-ignore format: a table

/** Returns the size of the decompressed data: each row of pixels has one more byte, for its filter. */
function expectedBytes({ width, height, depth, channels, isInterlaced }: Header): number {
  const bytesOf = (columns: number, rows: number) =>
    columns < 1 || rows < 1 ? 0 : rows * (1 + Math.ceil((columns * channels * depth) / 8));
  if (!isInterlaced) return bytesOf(width, height);
  return PASSES.reduce(
    (sum, [x, y, dx, dy]) => sum + bytesOf(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)),
    0,
  );
}

/** Returns a PNG file with only these chunks. */
function pngOf(chunks: readonly Chunk[]): Uint8Array {
  const length = chunks.reduce((sum, { bytes }) => sum + bytes.length, SIGNATURE.length);
  const out = new Uint8Array(length);
  out.set(SIGNATURE);
  let offset = SIGNATURE.length;
  for (const { bytes } of chunks) {
    out.set(bytes, offset);
    offset += bytes.length;
  }
  return out;
}

/** Converts decoded pixels to an image of 8 bits per channel, grey or colour, drawn over black. */
function pixelsOf(image: DecodedPng, header: Header, source: string): Image {
  const { width, height } = header;
  const count = width * height;
  if (header.isIndexed) {
    const values = applyPalette(image, source);
    const channels = values.length / count;
    return { width, height, channels: 3, data: drawOverBlack(values, count, channels, 255) };
  }
  const { channels, depth } = header;
  const values = depth < 8 ? unpackBits(image.data as Uint8Array, header) : image.data;
  const data = drawOverBlack(values, count, channels, 2 ** depth - 1);
  const transparent = image.transparency;
  if (transparent !== undefined && transparent.length === channels) {
    for (let i = 0; i < count; i++)
      if (transparent.every((value, c) => values[i * channels + c] === value))
        data.fill(0, i * channels, (i + 1) * channels);
  }
  return { width, height, channels: channels < 3 ? 1 : 3, data };
}

function applyPalette(image: DecodedPng, source: string): Uint8Array {
  try {
    return convertIndexedToRgb(image);
  } catch (error) {
    throw imageError(source, `the PNG file is damaged (${(error as Error).message})`);
  }
}

/** Returns one value for each pixel of a grey image with fewer than 8 bits. */
function unpackBits(bytes: Uint8Array, { width, height, depth }: Header): Uint8Array {
  const perByte = 8 / depth;
  const perRow = Math.ceil(width / perByte);
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const byte = bytes[y * perRow + Math.floor(x / perByte)];
      out[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & (2 ** depth - 1);
    }
  return out;
}

/**
 * Returns pixels of 8 bits per channel, drawn over black. If there are 2 or 4 channels, the last one is the alpha channel.
 * @param maxValue largest value of a channel
 */
function drawOverBlack(
  values: ArrayLike<number>,
  count: number,
  channels: number,
  maxValue: number,
): Uint8Array {
  const colours = channels - 1 + (channels % 2);
  const out = new Uint8Array(count * colours);
  for (let i = 0; i < count; i++) {
    const alpha = colours === channels ? 1 : values[i * channels + colours] / maxValue;
    for (let c = 0; c < colours; c++)
      out[i * colours + c] = Math.round((255 / maxValue) * alpha * values[i * channels + c]);
  }
  return out;
}
