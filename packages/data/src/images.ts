/**
 * Reads PNG, JPEG and GIF files. This module has its own entry point, so that other bundles do not contain the decoders.
 */
import { gifImages, isGif, parseGif } from './images/gif.js';
import { type Image, imageError } from './images/image.js';
import { isJpeg, readJpeg } from './images/jpeg.js';
import { isPng, readPng } from './images/png.js';

export type { Image };

/** The frames of an animation. They are decoded one after another while they are read. */
export interface ImageFrames {
  width: number;
  height: number;
  /** Number of frames. */
  count: number;
  /** Decodes the frames. @throws UnrollError `format` for a damaged frame */
  frames(): Iterable<Image>;
}

/** Returns whether the first bytes are those of a PNG or JPEG file. */
export const looksLikeImage = (bytes: Uint8Array): boolean => isPng(bytes) || isJpeg(bytes);

/** Returns whether the first bytes are those of a GIF file. */
export const looksLikeGif = (bytes: Uint8Array): boolean => isGif(bytes);

/**
 * Reads a PNG or JPEG file as grey or colour pixels with 8 bits per channel. Transparent pixels are drawn over black. Images
 * have at most 33.6 million pixels; the size that a file declares is checked before memory is allocated.
 * @param options.source name of the file, for errors
 * @throws UnrollError `format` for other files, damaged files and images that are too large
 */
export function readImage(bytes: Uint8Array, { source = 'image' }: { source?: string } = {}): Image {
  if (isPng(bytes)) return readPng(bytes, source);
  if (isJpeg(bytes)) return readJpeg(bytes, source);
  if (isGif(bytes)) throw imageError(source, 'this is a GIF file. Read it with readGif');
  throw imageError(source, 'this is neither a PNG nor a JPEG file');
}

/**
 * Reads the structure of a GIF file. Its frames are decoded while they are read. Transparent pixels are drawn over black.
 * @param options.source name of the file, for errors
 * @throws UnrollError `format` for other files, damaged files, files without frames and animations of more than 537 million pixels
 */
export function readGif(bytes: Uint8Array, { source = 'animation' }: { source?: string } = {}): ImageFrames {
  if (!isGif(bytes)) throw imageError(source, 'this is not a GIF file');
  const file = parseGif(bytes, source);
  const { width, height, blocks } = file;
  return { width, height, count: blocks.length, frames: () => gifImages(file, source) };
}
