/** Images as arrays of pixels, and the errors and limits that all decoders share. */
import { UnrollError } from '@unroll/core';

/** An image. The value of a pixel is from 0 (black) to 255. */
export interface Image {
  width: number;
  height: number;
  /** 1: grey; 3: red, green and blue. */
  channels: 1 | 3;
  /** [height, width, channels], row by row. */
  data: Uint8Array;
}

/**
 * Largest number of pixels of an image, and of all frames of a GIF together. The size that a file declares is checked against
 * these limits before memory is allocated.
 */
export const MAX_PIXELS = 2 ** 25;
export const MAX_GIF_PIXELS = 2 ** 29;

/** Returns an error about the content of an image file. */
export const imageError = (source: string, problem: string): UnrollError =>
  new UnrollError('format', `${source}: ${problem}.`, { source });

/** @throws UnrollError `format` for a size of 0, and for a size above the limit */
export function checkSize(source: string, width: number, height: number): void {
  if (width < 1 || height < 1)
    throw imageError(source, `the image must have at least one pixel, got ${width} × ${height}`);
  if (width * height > MAX_PIXELS) {
    const limit = `the image must have at most ${(MAX_PIXELS / 1e6).toFixed(1)} million pixels`;
    throw imageError(source, `${limit}, got ${width} × ${height}`);
  }
}
