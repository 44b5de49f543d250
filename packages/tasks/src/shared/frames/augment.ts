/**
 * Data augmentation of clips: random shifts, sizes, rotations, contrast and brightness. All frames of a clip are transformed in the
 * same way, so the motion stays the same.
 */
import type { RandomStream } from '@unroll/core';

/** Largest shift, as a fraction of the height or width. */
const SHIFT = 1 / 16;
/** Largest changes of the size and the contrast, as fractions. */
const ZOOM = 0.1;
const CONTRAST = 0.2;
/** Largest rotation in radians. */
const ANGLE = 0.1;
/** Largest change of the brightness in standard deviations. */
const BRIGHTNESS = 0.2;

const clamp = (value: number, max: number): number => Math.max(0, Math.min(max, value));

/** Each new pixel is the weighted mean of four old pixels, multiplied by `scale`, plus `offset`. */
export interface FrameTransform {
  /** Indices of the four old pixels of each new pixel [pixels, 4]. */
  pixels: Int32Array;
  /** Their weights [pixels, 4]. */
  weights: Float32Array;
  scale: number;
  offset: number;
}

/** Draws a random transform of frames of this size. Pixels outside of the frame get the values of its edge. */
export function randomTransform(
  random: RandomStream,
  { height, width }: { height: number; width: number },
): FrameTransform {
  const [dx, dy, size, turn, contrast, brightness] = random.uniform(6, -1, 1);
  const zoom = 1 + ZOOM * size;
  const [cos, sin] = [Math.cos(ANGLE * turn) / zoom, Math.sin(ANGLE * turn) / zoom];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const pixels = new Int32Array(4 * height * width);
  const weights = new Float32Array(4 * height * width);
  let i = 0;
  for (let y = 0; y < height; y++) {
    const v = y - middleY - dy * SHIFT * height;
    for (let x = 0; x < width; x++, i += 4) {
      const u = x - middleX - dx * SHIFT * width;
      const fromX = clamp(middleX + cos * u - sin * v, width - 1);
      const fromY = clamp(middleY + sin * u + cos * v, height - 1);
      const left = Math.floor(fromX);
      const top = Math.floor(fromY);
      const fractionX = fromX - left;
      const fractionY = fromY - top;
      const above = top * width;
      const below = Math.min(height - 1, top + 1) * width;
      const right = Math.min(width - 1, left + 1);
      pixels[i] = above + left;
      pixels[i + 1] = above + right;
      pixels[i + 2] = below + left;
      pixels[i + 3] = below + right;
      weights[i] = (1 - fractionX) * (1 - fractionY);
      weights[i + 1] = fractionX * (1 - fractionY);
      weights[i + 2] = (1 - fractionX) * fractionY;
      weights[i + 3] = fractionX * fractionY;
    }
  }
  return { pixels, weights, scale: 1 + CONTRAST * contrast, offset: BRIGHTNESS * brightness };
}

/** Writes a transformed frame [height, width, channels] to `out`. */
export function writeTransformed(
  frame: Float32Array,
  channels: number,
  { pixels, weights, scale, offset }: FrameTransform,
  out: Float32Array,
): void {
  for (let c = 0, n = frame.length / channels; c < channels; c++)
    for (let p = 0, i = 0; p < n; p++, i += 4) {
      const sum =
        weights[i] * frame[pixels[i] * channels + c] +
        weights[i + 1] * frame[pixels[i + 1] * channels + c] +
        weights[i + 2] * frame[pixels[i + 2] * channels + c] +
        weights[i + 3] * frame[pixels[i + 3] * channels + c];
      out[p * channels + c] = scale * sum + offset;
    }
}
