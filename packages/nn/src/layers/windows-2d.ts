/** Windows over the rows and columns of images, which 2D convolution and pooling layers read (im2col, see windows.ts). */
import { currentBackend, reshape, type Tensor } from '@unroll/core';
import {
  type BatchWindows,
  readWindows,
  rowsOfWindows,
  type WindowRows,
  type WindowSettings,
  windowCount,
} from './windows.js';

/** One number for both height and width, or a pair [height, width]. */
export type Pair = number | readonly [height: number, width: number];

/** `valid`: no padding. `same`: padding around H × W pixels, for ceil(H / strides) × ceil(W / strides) outputs. */
export type Padding2D = 'valid' | 'same';
export const PADDINGS_2D: readonly Padding2D[] = ['valid', 'same'];

/** The settings of both directions. */
export type WindowSettings2D = readonly [height: WindowSettings, width: WindowSettings];

/** Returns height and width from one number or a pair; null if they are not positive integers. */
export function asPair(pair: unknown): readonly [number, number] | null {
  const sizes = Array.isArray(pair) ? pair : [pair, pair];
  const valid = sizes.length === 2 && sizes.every((size) => Number.isInteger(size) && (size as number) >= 1);
  return valid ? (sizes as unknown as readonly [number, number]) : null;
}

/**
 * Returns the row or column at which the first window begins. If the padding is odd, the end gets the additional pixel, as
 * in TensorFlow.
 */
function firstStart(length: number, settings: WindowSettings): number {
  if (settings.padding !== 'same') return 0;
  const span = (settings.size - 1) * settings.dilation + 1;
  const padding = (windowCount(length, settings) - 1) * settings.strides + span - length;
  return -Math.floor(Math.max(padding, 0) / 2);
}

/** Returns the indices of the pixels of all windows of one image [H, W]; -1: outside the image. */
function locatePixels(H: number, W: number, [height, width]: WindowSettings2D): Int32Array {
  const [rowsOut, columnsOut] = [windowCount(H, height), windowCount(W, width)];
  const [top, left] = [firstStart(H, height), firstStart(W, width)];
  const pixels = new Int32Array(rowsOut * columnsOut * height.size * width.size);
  let next = 0;
  for (let r = 0; r < rowsOut; r++) {
    for (let c = 0; c < columnsOut; c++) {
      for (let i = 0; i < height.size; i++) {
        const y = top + r * height.strides + i * height.dilation;
        for (let j = 0; j < width.size; j++) {
          const x = left + c * width.strides + j * width.dilation;
          pixels[next++] = y < 0 || y >= H || x < 0 || x >= W ? -1 : y * W + x;
        }
      }
    }
  }
  return pixels;
}

/** Locates the windows of images [B, H, W]. The windows of an image, and the pixels of a window, are in row-major order. */
function locate([B, H, W]: readonly number[], settings: WindowSettings2D): BatchWindows {
  const [height, width] = settings;
  const [count, size] = [windowCount(H, height) * windowCount(W, width), height.size * width.size];
  const pixels = locatePixels(H, W, settings);
  const float = currentBackend().float;
  const valid = new float(count);
  for (let i = 0; i < pixels.length; i++) valid[Math.floor(i / size)] += Number(pixels[i] >= 0);
  const rows = new float(B * count * size);
  const validSteps = new float(B * count);
  // The windows are the same in every image.
  for (let b = 0; b < B; b++) {
    const [start, first] = [b * pixels.length, b * H * W];
    for (let i = 0; i < pixels.length; i++) rows[start + i] = pixels[i] < 0 ? B * H * W : first + pixels[i];
    validSteps.set(valid, b * count);
  }
  return { count, size, rows, validSteps, mask: null };
}

/** A layer caches the windows of a batch if they have at most this many pixels in total: 16 MB of indices. */
const MAX_CACHED = 2 ** 22;

interface LocatedWindows {
  windows: BatchWindows;
  rows: WindowRows;
}

/**
 * Reads the windows of images. Caches the locations of the windows for the next call with the same batch size and image
 * size, unless there are too many windows.
 */
export class ImageWindows {
  readonly #settings: WindowSettings2D;
  readonly #fill: number;
  #last: { key: string; located: LocatedWindows } | null = null;

  /** @param fill the value outside the image */
  constructor(settings: WindowSettings2D, fill: number) {
    this.#settings = settings;
    this.#fill = fill;
  }

  /** Returns the windows of images [B, H, W, channels] as [B, count, size, channels]. */
  read(x: Tensor): { values: Tensor; windows: BatchWindows } {
    const [B, H, W, channels] = x.shape;
    const { windows, rows } = this.#locate(B, H, W);
    const pixels = reshape(x, [B, H * W, channels]);
    return { values: readWindows(pixels, windows, this.#fill, rows), windows };
  }

  #locate(B: number, H: number, W: number): LocatedWindows {
    const key = `${currentBackend().float.name} ${B} ${H} ${W}`;
    if (this.#last?.key === key) return this.#last.located;
    const windows = locate([B, H, W], this.#settings);
    const located = { windows, rows: rowsOfWindows([B, H * W], windows, this.#fill) };
    this.#last = windows.rows.length > MAX_CACHED ? null : { key, located };
    return located;
  }
}
