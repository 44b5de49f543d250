/** Shows frames of a clip in a report, as images in the page. */
import { escapeHtml } from './chart.js';

export interface KeyFrames {
  /** Frames [height, width, channels] with values from 0 to 255. */
  frames: readonly ArrayLike<number>[];
  height: number;
  width: number;
  channels: 1 | 3;
  /** Text below the images. */
  caption: string;
}

/** Maximum number of frames of a clip to show. */
export const SHOWN_FRAMES = 6;
/** Small frames are enlarged by an integer factor, to about this height in pixels. */
const SHOWN_HEIGHT = 64;

/** Returns the images in a row, with their caption. */
export function keyFrames({ frames, height, width, channels, caption }: KeyFrames): string {
  const scale = Math.max(1, Math.round(SHOWN_HEIGHT / height));
  const size = `width="${width * scale}" height="${height * scale}"`;
  const images = frames.map(
    (frame, t) =>
      `<img ${size} alt="${escapeHtml(`Frame ${t + 1} of ${frames.length}: ${caption}`)}" ` +
      `src="data:image/bmp;base64,${base64(bitmap(frame, { height, width, channels }))}">`,
  );
  return `<div class="scroll frames">${images.join(' ')}</div><p>${escapeHtml(caption)}</p>`;
}

/** Returns a BMP file: a header, and the rows from the bottom to the top, each padded to four bytes. */
function bitmap(
  pixels: ArrayLike<number>,
  { height, width, channels }: Pick<KeyFrames, 'height' | 'width' | 'channels'>,
): Uint8Array {
  const colours = channels === 1 ? 256 : 0;
  const start = 54 + 4 * colours;
  const rowBytes = 4 * Math.ceil((width * channels) / 4);
  const out = new Uint8Array(start + rowBytes * height);
  const view = new DataView(out.buffer);
  out.set([0x42, 0x4d]);
  for (const [offset, value] of [[2, out.length], [10, start], [14, 40], [18, width], [22, height], [46, colours]])
    view.setUint32(offset, value, true); // biome-ignore format: one line
  view.setUint16(26, 1, true);
  view.setUint16(28, 8 * channels, true);
  for (let grey = 0; grey < colours; grey++) out.fill(grey, 54 + 4 * grey, 57 + 4 * grey);
  for (let y = 0; y < height; y++)
    for (let i = 0; i < width * channels; i++) {
      const c = i % channels;
      const value = pixels[y * width * channels + i - c + (channels - 1 - c)]; // blue, green, red
      out[start + (height - 1 - y) * rowBytes + i] = Math.max(0, Math.min(255, Math.round(value)));
    }
  return out;
}

const base64 = (bytes: Uint8Array): string => {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};
