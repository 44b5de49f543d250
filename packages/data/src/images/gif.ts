/**
 * Reads GIF files (GIF89a specification): the frames of an animation, each as a complete picture. Sizes are checked before memory is
 * allocated, and the data of every frame must have exactly as many pixels as its size.
 */
import { checkSize, type Image, imageError, MAX_GIF_PIXELS } from './image.js';

export const isGif = (bytes: Uint8Array): boolean =>
  /^GIF8[79]a$/.test(String.fromCharCode(...bytes.subarray(0, 6)));

/** A frame in the file. */
interface Block {
  x: number;
  y: number;
  width: number;
  height: number;
  /** Red, green and blue of each index. */
  palette: Uint8Array;
  isInterlaced: boolean;
  /** The index of transparent pixels, which keep the previous colour; -1: none. */
  transparent: number;
  /** What follows the frame. 2: its pixels become black. 3: the picture returns to its state before the frame. Else nothing. */
  disposal: number;
  codeSize: number;
  /** The compressed indices. */
  data: Uint8Array;
}

export interface GifFile {
  width: number;
  height: number;
  blocks: readonly Block[];
}

class Reader {
  readonly bytes: Uint8Array;
  readonly source: string;
  /** Index of the next byte. */
  offset = 0;

  constructor(bytes: Uint8Array, source: string) {
    this.bytes = bytes;
    this.source = source;
  }

  take(count: number): Uint8Array {
    if (this.offset + count > this.bytes.length)
      throw imageError(this.source, `the GIF file is truncated at byte ${this.bytes.length}`);
    this.offset += count;
    return this.bytes.subarray(this.offset - count, this.offset);
  }

  byte(): number {
    return this.take(1)[0];
  }

  word(): number {
    const [low, high] = this.take(2);
    return low + 256 * high;
  }

  /** Reads sub-blocks up to an empty one, and returns their joined data. */
  subBlocks(): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let size = this.byte(); size > 0; size = this.byte()) parts.push(this.take(size));
    const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const part of parts) {
      out.set(part, offset);
      offset += part.length;
    }
    return out;
  }

  /** Returns the palette that follows, or null if the flags say that there is none. */
  palette(flags: number): Uint8Array | null {
    return flags & 0x80 ? this.take(3 * 2 ** ((flags & 7) + 1)) : null;
  }
}

/** Reads the structure of a file, without its pixels. @throws UnrollError `format` for a damaged file */
export function parseGif(bytes: Uint8Array, source: string): GifFile {
  const reader = new Reader(bytes, source);
  reader.take(6);
  const [width, height, flags] = [reader.word(), reader.word(), reader.byte()];
  checkSize(source, width, height);
  reader.take(2);
  const globalPalette = reader.palette(flags);
  const blocks: Block[] = [];
  let control = { transparent: -1, disposal: 0 };
  for (;;) {
    const type = reader.byte();
    if (type === 0x3b) break;
    if (type === 0x21) control = readExtension(reader, control);
    else if (type === 0x2c) {
      const block = readImageBlock(reader, globalPalette, control);
      if (block.x + block.width > width || block.y + block.height > height)
        throw imageError(source, `frame ${blocks.length + 1} of the GIF file extends beyond the picture`);
      blocks.push(block);
      control = { transparent: -1, disposal: 0 };
    } else throw imageError(source, `the GIF file is damaged at byte ${reader.offset - 1}`);
  }
  if (blocks.length === 0) throw imageError(source, 'the GIF file has no frames');
  if (blocks.length * width * height > MAX_GIF_PIXELS) {
    const limit = `the frames must have at most ${(MAX_GIF_PIXELS / 1e6).toFixed(0)} million pixels in total`;
    throw imageError(source, `${limit}, got ${blocks.length} frames of ${width} × ${height}`);
  }
  return { width, height, blocks };
}

type Control = Pick<Block, 'transparent' | 'disposal'>;

/** Reads an extension. Returns the settings of a graphic control extension; for all other extensions, the settings `before`. */
function readExtension(reader: Reader, before: Control): Control {
  const label = reader.byte();
  const data = reader.subBlocks();
  if (label !== 0xf9 || data.length < 4) return before;
  return { transparent: data[0] & 1 ? data[3] : -1, disposal: (data[0] >> 2) & 7 };
}

function readImageBlock(reader: Reader, globalPalette: Uint8Array | null, control: Control): Block {
  const [x, y, width, height, flags] = [
    reader.word(),
    reader.word(),
    reader.word(),
    reader.word(),
    reader.byte(),
  ];
  checkSize(reader.source, width, height);
  const palette = reader.palette(flags) ?? globalPalette;
  if (palette === null) throw imageError(reader.source, 'the GIF file is damaged: a frame has no palette');
  const codeSize = reader.byte();
  // GIF89a: the minimum code size is at least 2, even for pictures of two colours.
  if (codeSize < 2 || codeSize > 11)
    throw imageError(
      reader.source,
      `the GIF file is damaged: the LZW minimum code size must be 2 to 11 bits, got ${codeSize}`,
    );
  const data = reader.subBlocks();
  return {
    ...{ x, y, width, height, palette, codeSize, data, ...control },
    isInterlaced: (flags & 0x40) !== 0,
  };
}

/** Yields the picture after each frame. @throws UnrollError `format` for a frame with damaged pixels */
export function* gifImages({ width, height, blocks }: GifFile, source: string): Generator<Image, void> {
  const canvas = new Uint8Array(3 * width * height);
  for (const [n, block] of blocks.entries()) {
    const before = block.disposal === 3 ? canvas.slice() : null;
    const indices = decompress(block, (problem) =>
      imageError(source, `frame ${n + 1} of the GIF file is damaged: ${problem}`),
    );
    draw(canvas, width, block, indices);
    yield { width, height, channels: 3, data: canvas.slice() };
    if (before !== null) canvas.set(before);
    else if (block.disposal === 2) draw(canvas, width, { ...block, transparent: -1 }, null);
  }
}

/** Draws the pixels of a frame. If `indices` is null, the pixels become black. */
function draw(canvas: Uint8Array, width: number, block: Block, indices: Uint8Array | null): void {
  const rows = rowsOf(block);
  for (let r = 0; r < block.height; r++) {
    for (let c = 0; c < block.width; c++) {
      const offset = 3 * ((block.y + rows[r]) * width + block.x + c);
      const index = indices === null ? -1 : indices[r * block.width + c];
      if (index < 0) canvas.fill(0, offset, offset + 3);
      else if (index !== block.transparent)
        for (let k = 0; k < 3; k++) canvas[offset + k] = block.palette[3 * index + k] ?? 0;
    }
  }
}

/** Returns, for each row of pixels in the file, the index of that row in the picture. */
function rowsOf({ height, isInterlaced }: Block): readonly number[] {
  const rowsFrom = (from: number, step: number) =>
    Array.from({ length: Math.max(0, Math.ceil((height - from) / step)) }, (_, i) => from + i * step);
  return isInterlaced
    ? [...rowsFrom(0, 8), ...rowsFrom(4, 8), ...rowsFrom(2, 4), ...rowsFrom(1, 2)]
    : rowsFrom(0, 1);
}

const MAX_CODES = 4096;

/** Decompresses the indices of a frame (LZW with codes of variable size, Welch 1984). */
function decompress({ codeSize, data, width, height }: Block, error: (problem: string) => Error): Uint8Array {
  const out = new Uint8Array(width * height);
  const [clear, end] = [1 << codeSize, (1 << codeSize) + 1];
  // A code stands for the string of an earlier code plus one index. The output already contains this string, at offset
  // `starts[code]` and with length `lengths[code]`.
  const starts = new Uint32Array(MAX_CODES);
  const lengths = new Uint32Array(MAX_CODES);
  let [next, bits, previous, written] = [end + 1, codeSize + 1, -1, 0];
  let [buffer, available, offset] = [0, 0, 0];
  for (;;) {
    while (available < bits && offset < data.length) {
      buffer |= data[offset++] << available;
      available += 8;
    }
    if (available < bits) break;
    const code = buffer & ((1 << bits) - 1);
    buffer >>>= bits;
    available -= bits;
    if (code === end) break;
    if (code === clear) {
      [next, bits, previous] = [end + 1, codeSize + 1, -1];
      continue;
    }
    if (code > next || (code === next && previous < 0)) throw error(`code ${code} is unknown`);
    const start = written;
    // The code `next` stands for the previous string plus the first index of that string.
    const from = code < clear ? -1 : code === next ? previous : starts[code];
    const length = code < clear ? 1 : code === next ? written - previous + 1 : lengths[code];
    if (written + length > out.length) throw error(`it must have ${out.length} pixels, got more`);
    if (from < 0) out[written++] = code;
    else for (let i = 0; i < length; i++) out[written++] = out[from + i];
    if (previous >= 0 && next < MAX_CODES) {
      starts[next] = previous;
      lengths[next] = start - previous + 1;
      next++;
      if (next === 1 << bits && bits < 12) bits++;
    }
    previous = start;
  }
  if (written < out.length) throw error(`it must have ${out.length} pixels, got ${written}`);
  return out;
}
