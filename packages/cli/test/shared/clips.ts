/** Writes files of generated clips: a box that moves left or right, as PNG files, as a GIF and as an array. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { writeNpz } from '@unroll/formats/convert';

export const [HEIGHT, WIDTH] = [12, 16];

/** Returns the frames of clip n as grey pixels: a box that moves left if n is even, otherwise right. */
export function boxFrames(n: number): Uint8Array[] {
  const left = n % 2 === 0;
  const [y, x] = [n % 8, (left ? 10 : 2) + (n % 3)];
  return Array.from({ length: 5 + (n % 3) }, (_, t) => {
    const data = Uint8Array.from({ length: HEIGHT * WIDTH }, (_, i) => (i * 7 + n + t) % 20);
    for (let r = y; r < y + 4; r++) {
      const offset = r * WIDTH + x + (left ? -t : t);
      data.fill(200, offset, offset + 3);
    }
    return data;
  });
}

/** Returns a PNG file with 8-bit grey pixels. */
export function png(pixels: Uint8Array, [height, width]: readonly number[] = [HEIGHT, WIDTH]): Buffer {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), body.length + 4);
    return out;
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    ...[signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))],
  ]);
}

/** Returns a GIF file with 128 shades of grey. Its codes are not compressed. */
export function gif(frames: readonly Uint8Array[], height = HEIGHT, width = WIDTH): Buffer {
  const word = (value: number): number[] => [value & 255, value >> 8];
  const palette = Array.from({ length: 128 }, (_, i) => [2 * i, 2 * i, 2 * i]).flat();
  const bytes = [...Buffer.from('GIF89a'), ...word(width), ...word(height), 0x86, 0, 0, ...palette];
  for (const frame of frames) {
    // A clear code (128) is inserted before codes would need 9 bits; code 129 is the end.
    const codes = [...frame].flatMap((value, i) => (i % 100 === 0 ? [128, value >> 1] : [value >> 1]));
    codes.push(129);
    bytes.push(0x2c, ...word(0), ...word(0), ...word(width), ...word(height), 0, 7);
    for (let offset = 0; offset < codes.length; offset += 255) {
      const part = codes.slice(offset, offset + 255);
      bytes.push(part.length, ...part);
    }
    bytes.push(0);
  }
  return Buffer.from([...bytes, 0x3b]);
}

/** Returns an .npz file with an array [frames, height, width]. */
export const npz = (frames: readonly Uint8Array[]): Uint8Array => {
  const values = Float32Array.from(frames.flatMap((frame) => [...frame]));
  return writeNpz(new Map([['clip', { shape: [frames.length, HEIGHT, WIDTH], values }]]));
};

/** Writes clips to a folder, and a table `train.tsv` with the columns clip, way and text. */
export function writeClips(folder: string, count: number): void {
  const rows = Array.from({ length: count }, (_, n) => {
    const frames = boxFrames(n);
    const name = `clip${n}${['', '', '.gif', '.npz'][n % 4]}`;
    if (n % 4 === 2) writeFileSync(join(folder, name), gif(frames));
    else if (n % 4 === 3) writeFileSync(join(folder, name), npz(frames));
    else {
      mkdirSync(join(folder, name));
      for (const [t, frame] of frames.entries())
        writeFileSync(join(folder, name, `frame${t + 8}.png`), png(frame));
    }
    const way = n % 2 === 0 ? 'left' : 'right';
    return `${name}\t${way}\ta box moves ${way}`;
  });
  writeFileSync(join(folder, 'train.tsv'), `clip\tway\ttext\n${rows.join('\n')}\n`);
}
