/**
 * Compares the pixels of PNG, JPEG and GIF files with Pillow, and `resizeArea` with OpenCV (packages/testkit/goldens/images, written
 * by tools/goldens/images.py). Other tests read damaged and malicious files, which must be rejected, and mutated files, which
 * must give pixels or a typed error.
 * UNROLL_MUTATIONS is the number of mutations of each kind of file.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, UnrollError } from '@unroll/core';
import { resizeArea } from '@unroll/data';
import { type Image, looksLikeGif, readGif, readImage } from '@unroll/data/images';
import { readGoldens } from '@unroll/testkit/node';
import { zlibSync } from 'fflate';

interface GoldenFile {
  name: string;
  bytes: string;
  width: number;
  height: number;
  channels: 1 | 3;
  frames: string[];
}

const goldens = readGoldens('images/images.json') as {
  files: GoldenFile[];
  picture: { height: number; width: number; channels: number; pixels: string };
  resized: { height: number; width: number; pixels: string }[];
};
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const framesOf = (bytes: Uint8Array): Image[] =>
  looksLikeGif(bytes) ? [...readGif(bytes).frames()] : [readImage(bytes)];

describe('pixels equal those of Pillow and OpenCV', () => {
  for (const { name, bytes, frames, ...shape } of goldens.files) {
    test(name, () => {
      const found = framesOf(bytesOf(bytes));
      assert.equal(found.length, frames.length);
      for (const [n, image] of found.entries()) {
        const { data, width, height, channels } = image;
        assert.deepEqual([width, height], [shape.width, shape.height]);
        const expected = bytesOf(frames[n]);
        const value = (i: number) =>
          channels === shape.channels ? data[i] : data[channels === 3 ? 3 * i : Math.floor(i / 3)];
        const differences = Array.from(expected, (pixel, i) => Math.abs(pixel - value(i)));
        const mean = differences.reduce((sum, difference) => sum + difference, 0) / differences.length;
        const largest = Math.max(...differences);
        const exact = !name.includes('jpeg') && !name.includes('opacity');
        assert.ok(exact ? largest === 0 : mean < 1 && largest < 6, `mean ${mean}, largest ${largest}`);
      }
    });
  }

  for (const { height, width, pixels } of goldens.resized) {
    test(`resizeArea to ${height} × ${width}`, () => {
      const found = resizeArea(bytesOf(goldens.picture.pixels), goldens.picture, { height, width });
      const largest = Math.max(...Array.from(bytesOf(pixels), (pixel, i) => Math.abs(pixel - found[i])));
      assert.ok(largest <= 1.01, `largest difference ${largest}`);
    });
  }
});

/** Returns a PNG file of chunks with correct checksums. */
function png(chunks: [type: string, data: Uint8Array][]): Uint8Array {
  const parts = chunks.map(([type, data]) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  });
  return new Uint8Array(Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), ...parts]));
}

function crc32(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

/** Returns the data of an IHDR chunk. @param format bit depth, colour type, compression, filter and interlacing */
function header(width: number, height: number, format: number[] = [8, 0, 0, 0, 0]): Uint8Array {
  const out = Buffer.alloc(13);
  out.writeUInt32BE(width, 0);
  out.writeUInt32BE(height, 4);
  out.set(format, 8);
  return out;
}

const EMPTY = new Uint8Array(0);
const fileOf = (name: string): Uint8Array =>
  bytesOf(goldens.files.find((file) => file.name === name)?.bytes ?? '');
const pixels = (count: number): Uint8Array => zlibSync(new Uint8Array(count));

describe('damaged and malicious files are rejected', () => {
  const grey = (data: Uint8Array, ...size: [number, number, number[]?]) =>
    png([['IHDR', header(...size)], ['IDAT', data], ['IEND', EMPTY]]); // biome-ignore format: one line
  const jpegOf = (height: number, width: number) => {
    const bytes = fileOf('jpeg 0');
    const frameHeader = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xc0);
    new DataView(bytes.buffer).setUint16(frameHeader + 5, height);
    new DataView(bytes.buffer).setUint16(frameHeader + 7, width);
    return bytes;
  };
  const gif = fileOf('gif');
  const changedGif = (offset: number, ...values: number[]) => {
    const copy = gif.slice();
    copy.set(values, offset);
    return copy;
  };
  /**
   * Returns a GIF file with `count` frames of one pixel each, which have no LZW data.
   * @param side the width and height of the whole picture
   */
  const gifOfFrames = (side: number, count: number, codeSize = 2) => {
    const size = [side & 255, side >> 8];
    const frame = [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, codeSize, 0];
    const palette = [0, 0, 0, 255, 255, 255];
    const frames = Array.from({ length: count }, () => frame).flat();
    return Uint8Array.of(...Buffer.from('GIF89a'), ...size, ...size, 0x80, 0, 0, ...palette, ...frames, 0x3b);
  };
  const CASES: [string, Uint8Array, RegExp][] = [
    ['a text file', Buffer.from('hello'), /f: this is neither a PNG nor a JPEG file\./],
    ['PNG: 60,000 × 60,000', grey(pixels(1), 60_000, 60_000), /at most 33\.6 million pixels, got 60000 × 60000/],
    ['PNG: no pixels', grey(pixels(1), 0, 5), /at least one pixel, got 0 × 5/],
    ['PNG: too few pixels', grey(pixels(10), 5, 5), /its pixels need 30 bytes, got 10/],
    ['PNG: decompression bomb', grey(zlibSync(new Uint8Array(2 ** 24)), 5, 5), /its pixels need 30 bytes, got more/],
    ['PNG: colour type 5', grey(pixels(30), 5, 5, [8, 5, 0, 0, 0]), /colour type 5 with bit depth 8 does not exist/],
    ['PNG: interlaced, 4 bits', grey(pixels(30), 5, 5, [4, 0, 0, 0, 1]), /interlaced PNG files with bit depth 4 are not supported/],
    ['PNG: no palette', grey(pixels(30), 5, 5, [8, 3, 0, 0, 0]), /the chunk PLTE is missing/],
    ['PNG: damaged data', grey(new Uint8Array([1, 2, 3]), 5, 5), /the PNG file is damaged/],
    ['PNG: wrong checksum', grey(pixels(30), 5, 5).with(18, 1), /chunk IHDR at byte 8 has a wrong checksum/],
    ['PNG: truncated', grey(pixels(30), 5, 5).subarray(0, 50), /truncated/],
    ['PNG: unknown filter', grey(zlibSync(new Uint8Array(30).fill(9)), 5, 5), /Unsupported filter/],
    ['JPEG: 60,000 × 60,000', jpegOf(60_000, 60_000), /got 60000 × 60000/],
    ['JPEG: truncated', fileOf('jpeg 0').subarray(0, 300), /the JPEG file is damaged/],
    ['JPEG: only the start', Uint8Array.of(0xff, 0xd8, 0xff, 0xd9), /no frame header/],
    ['GIF: 65,535 × 65,535', changedGif(6, 255, 255, 255, 255), /got 65535 × 65535/],
    ['GIF: a frame that extends beyond the picture', changedGif(6, 3, 0), /frame 1 of the GIF file extends beyond the picture/],
    ['GIF: truncated', gif.subarray(0, gif.length - 20), /truncated/],
    ['GIF: 20 frames of 5,792 × 5,792', gifOfFrames(5792, 20), /at most 537 million pixels in total, got 20 frames of 5792 × 5792/],
    ['GIF: codes of 1 bit', gifOfFrames(1, 1, 1), /the LZW minimum code size must be 2 to 11 bits, got 1/],
    ['GIF: no frames', Uint8Array.of(...Buffer.from('GIF89a'), 5, 0, 5, 0, 0, 0, 0, 0x3b), /the GIF file has no frames/],
  ]; // biome-ignore format: a table
  for (const [name, bytes, expected] of CASES) {
    test(name, () => {
      const read = () =>
        looksLikeGif(bytes)
          ? [...readGif(bytes, { source: 'f' }).frames()]
          : readImage(bytes, { source: 'f' });
      assert.throws(read, (error) => {
        assert.ok(error instanceof UnrollError && error.code === 'format', String(error));
        assert.match(error.message, expected);
        assert.match(error.message, /^f: /);
        return true;
      });
    });
  }
});

const MUTATIONS = Number(process.env.UNROLL_MUTATIONS ?? 500);

describe(`${MUTATIONS} mutated files of each kind give pixels or a typed error`, () => {
  for (const kind of ['png', 'jpeg', 'gif']) {
    test(kind, () => {
      const files = goldens.files
        .filter(({ name }) => name.startsWith(kind))
        .map(({ bytes }) => bytesOf(bytes));
      const random = new RandomStream(1, 'mutations', kind);
      let read = 0;
      for (let n = 0; n < MUTATIONS; n++) {
        const bytes = files[n % files.length].slice();
        const draws = random.uniform(12);
        for (let k = 0; k < 1 + (n % 4); k++) {
          const index = Math.floor(draws[3 * k] * bytes.length);
          bytes[index] = draws[3 * k + 1] < 0.3 ? 255 : 256 * draws[3 * k + 2];
        }
        const mutation = kind === 'png' && n % 2 === 0 ? withChecksums(bytes) : bytes;
        const file =
          draws[11] < 0.1 ? mutation.subarray(0, Math.floor(draws[10] * mutation.length)) : mutation;
        try {
          for (const { data, width, height, channels } of framesOf(file)) {
            assert.equal(data.length, width * height * channels);
            read++;
          }
        } catch (error) {
          assert.ok(error instanceof UnrollError, `mutation ${n}: ${(error as Error).stack}`);
        }
      }
      assert.ok(read > 0 && MUTATIONS > 0);
    });
  }
});

/** Corrects the checksums of a PNG file, so that the decoder reads the mutated data. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer);
  for (let start = 8; start + 12 <= bytes.length; ) {
    const end = start + 12 + view.getUint32(start);
    if (end > bytes.length) break;
    view.setUint32(end - 4, crc32(bytes.subarray(start + 4, end - 4)));
    start = end;
  }
  return bytes;
}
