/** Random changes of clips in training. All frames of a clip change alike, so that the motion stays the same. */
import type { RandomStream } from '@unroll/core';

/** Ranges: shift as a share of the side, size, angle in radians, contrast and brightness in standard deviations. */
const SHIFT = 1 / 16;
const ZOOM = 0.1;
const ANGLE = 0.1;
const CONTRAST = 0.2;
const BRIGHTNESS = 0.2;

const inside = (value: number, most: number): number => Math.max(0, Math.min(most, value));

/** A change: each new pixel is the weighted mean of four old ones, and is then scaled and shifted. */
export interface FrameChange {
  /** [pixels, 4] */
  pixels: Int32Array;
  weights: Float32Array;
  scale: number;
  offset: number;
}

/** Draws a random change of frames of this size. Pixels outside of the frame get the values of its edge. */
export function changeOf(
  random: RandomStream,
  { height, width }: { height: number; width: number },
): FrameChange {
  const [dx, dy, size, turn, contrast, brightness] = random.uniform(6, -1, 1);
  const zoom = 1 + ZOOM * size;
  const [cos, sin] = [Math.cos(ANGLE * turn) / zoom, Math.sin(ANGLE * turn) / zoom];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const pixels = new Int32Array(4 * height * width);
  const weights = new Float32Array(4 * height * width);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const v = y - middleY - dy * SHIFT * height;
    for (let x = 0; x < width; x++, at += 4) {
      const u = x - middleX - dx * SHIFT * width;
      const fromX = inside(middleX + cos * u - sin * v, width - 1);
      const fromY = inside(middleY + sin * u + cos * v, height - 1);
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      const shareX = fromX - left;
      const shareY = fromY - top;
      const above = top * width;
      const below = Math.min(height - 1, top + 1) * width;
      const right = Math.min(width - 1, left + 1);
      pixels[at] = above + left;
      pixels[at + 1] = above + right;
      pixels[at + 2] = below + left;
      pixels[at + 3] = below + right;
      weights[at] = (1 - shareX) * (1 - shareY);
      weights[at + 1] = shareX * (1 - shareY);
      weights[at + 2] = (1 - shareX) * shareY;
      weights[at + 3] = shareX * shareY;
    }
  }
  return { pixels, weights, scale: 1 + CONTRAST * contrast, offset: BRIGHTNESS * brightness };
}

/** Writes a changed frame [height, width, channels] to `out`. */
export function writeChanged(
  frame: Float32Array,
  channels: number,
  { pixels, weights, scale, offset }: FrameChange,
  out: Float32Array,
): void {
  for (let c = 0, n = frame.length / channels; c < channels; c++)
    for (let p = 0, at = 0; p < n; p++, at += 4) {
      const sum =
        weights[at] * frame[pixels[at] * channels + c] +
        weights[at + 1] * frame[pixels[at + 1] * channels + c] +
        weights[at + 2] * frame[pixels[at + 2] * channels + c] +
        weights[at + 3] * frame[pixels[at + 3] * channels + c];
      out[p * channels + c] = scale * sum + offset;
    }
}
