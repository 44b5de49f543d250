/** Reads clips: lists of images, arrays, or the frames of files. Errors name the file or the row. */
import { UnrollError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { findColumn, nestedValues, placeOf, type Table } from '@unroll/data';
import { cellError } from '../cells.js';

/** Pixels of 8 bits, from 0 (black) to 255, or of any scale in a Float32Array. */
export type Pixels = Uint8Array | Uint8ClampedArray | Float32Array;

/** An image of a clip, such as the `ImageData` of a canvas. */
export interface Frame {
  width: number;
  height: number;
  /**
   * [height, width, channels], row by row: 1 channel (grey), 3 (red, green, blue) or 4 (red, green, blue, alpha; the frame is
   * drawn over black). Alpha is from 0 to 255; in a Float32Array in which no alpha is above 1, from 0 to 1.
   */
  data: Pixels;
}

/** A clip as an array [frames, height, width] or [frames, height, width, channels], row by row. */
export interface ClipArray {
  shape: readonly number[];
  values: Pixels;
  /** Name of the clip in messages. Default: its line or position, such as `line 3` or `clip 2`. */
  source?: string;
}

/** A clip whose frames are decoded when they are read, so that only one of them is in memory. */
export interface ClipFile {
  /** Name of the folder or file, for messages. */
  source: string;
  /** Number of frames. */
  count: number;
  /** Yields the frames with these indices, which are ascending. @throws UnrollError for a damaged frame */
  frames(indices: readonly number[]): Iterable<Frame>;
}

export type Clip = readonly Frame[] | ClipArray | ClipFile;

/** A valid frame with its number of channels. */
export interface CheckedFrame extends Frame {
  channels: 1 | 3 | 4;
}

/** A clip with its name. Its frames are decoded and checked when they are read. */
export interface NamedClip {
  /** Name of the clip for the user: its folder or file or, if there is none, its line or position. */
  name: string;
  /** Number of frames. */
  count: number;
  /** Checks and yields the frames with these indices. @throws UnrollError for a damaged frame, with the name of the clip */
  frames(indices: readonly number[]): Iterable<CheckedFrame>;
}

/** Minimum height and width of a frame. */
const MIN_SIDE = 4;

/** A problem in a clip. The caller adds the name of the clip. */
class ClipProblem extends Error {}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isFrame = (value: unknown): value is Frame =>
  isObject(value) && ['width', 'height', 'data'].every((name) => name in value);

/** Returns whether a value is one clip. */
export const isClip = (value: unknown): value is Clip =>
  Array.isArray(value)
    ? value.length > 0 && value.every(isFrame)
    : isObject(value) &&
      (('shape' in value && 'values' in value) ||
        ('count' in value && 'frames' in value && typeof value.frames === 'function'));

/**
 * Reads a clip.
 * @param name name in messages for a clip without a name
 * @param fail returns the error for a problem. Default: an UnrollError `value` with `name`
 * @throws UnrollError for a value that is not a clip; damaged frames raise an error when they are read
 */
export function readClip(
  clip: unknown,
  name = 'clip',
  fail: (problem: string) => UnrollError = (problem) => new UnrollError('value', `${name}: ${problem}.`),
): NamedClip {
  if (!isClip(clip)) {
    const expected = 'a list of images { width, height, data }, or an array { shape, values }';
    throw fail(`a clip must be ${expected}, got ${formatValue(clip)}`);
  }
  try {
    const { source, count, frames } = fileOf(clip, name);
    if (!Number.isSafeInteger(count) || count < 0)
      throw new ClipProblem(`the number of frames must be a positive integer, got ${formatValue(count)}`);
    if (count === 0) throw new ClipProblem('the clip has no frames');
    return { name: source, count, frames: (indices) => checkedFrames(frames(indices), indices, fail) };
  } catch (error) {
    throw withName(error, fail);
  }
}

const withName = (error: unknown, fail: (problem: string) => UnrollError): unknown =>
  error instanceof ClipProblem || error instanceof UnrollError
    ? fail(error.message.replace(/\.$/, ''))
    : error;

function fileOf(clip: Clip, name: string): ClipFile {
  if ('frames' in clip)
    return { source: clip.source, count: clip.count, frames: (indices) => clip.frames(indices) };
  const images = 'shape' in clip ? imagesOf(clip) : clip;
  const source = 'shape' in clip && clip.source !== undefined ? clip.source : name;
  return { source, count: images.length, frames: (indices) => indices.map((t) => images[t]) };
}

/** Returns the frames of an array, as views of its values. */
function imagesOf({ shape, values }: ClipArray): Frame[] {
  const [count, height, width, channels = 1] = shape;
  const shapeText = `[${shape.join(', ')}]`;
  const isValid =
    (shape.length === 3 || shape.length === 4) &&
    shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) &&
    [1, 3, 4].includes(channels);
  if (!isValid)
    throw new ClipProblem(
      `the shape of a clip must be [frames, height, width] or [frames, height, width, channels] with 1, 3 or 4 channels, got ${shapeText}`,
    );
  const size = height * width * channels;
  if (count * size !== values.length)
    throw new ClipProblem(`shape ${shapeText} needs ${count * size} values, got ${values.length}`);
  // Without this check, an array of empty frames could have any number of frames.
  if (count > 0) checkSides(width, height, 'frame 1');
  return Array.from({ length: count }, (_, t) => ({
    ...{ width, height, data: values.subarray(t * size, (t + 1) * size) as Pixels },
  }));
}

/** Yields the frames and checks that they are images of one size and data type, one for each index. */
function* checkedFrames(
  frames: Iterable<Frame>,
  indices: readonly number[],
  fail: (problem: string) => UnrollError,
): Generator<CheckedFrame, void> {
  const expected = `frames(indices) must yield one frame for each index (${indices.length})`;
  let first: CheckedFrame | null = null;
  let n = 0;
  try {
    for (const frame of frames) {
      if (n === indices.length) throw new ClipProblem(`${expected}, got more`);
      const read = readFrame(frame, indices[n++]);
      first ??= read;
      if (read.data instanceof Float32Array !== first.data instanceof Float32Array) {
        const types = `frame ${indices[0] + 1} has ${typeName(first)}, frame ${indices[n - 1] + 1} has ${typeName(read)}`;
        throw new ClipProblem(`all frames of a clip must have the same data type, but ${types}`);
      }
      if (read.width !== first.width || read.height !== first.height) {
        const sizes = `frame ${indices[0] + 1} has ${sizeText(first)} pixels, frame ${indices[n - 1] + 1} has ${sizeText(read)}`;
        throw new ClipProblem(`all frames of a clip must have the same size, but ${sizes} (height × width)`);
      }
      yield read;
    }
    if (n < indices.length) throw new ClipProblem(`${expected}, got ${n}`);
  } catch (error) {
    throw withName(error, fail);
  }
}

const typeName = ({ data }: CheckedFrame): string =>
  data instanceof Float32Array ? 'a Float32Array' : 'a Uint8Array';

const sizeText = ({ width, height }: { width: number; height: number }): string => `${height} × ${width}`;

/** Checks that width and height are integers, at least `MIN_SIDE`. @param what noun for the frame in messages */
function checkSides(width: number, height: number, what: string): void {
  if (!(width >= MIN_SIDE && height >= MIN_SIDE)) {
    const minSize = `${MIN_SIDE} × ${MIN_SIDE}`;
    const size = sizeText({ width, height });
    throw new ClipProblem(
      `frames must have at least ${minSize} pixels (height × width), got ${size} (${what})`,
    );
  }
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height))
    throw new ClipProblem(
      `the height and width of ${what} must be integers, got ${sizeText({ width, height })}`,
    );
}

function readFrame(frame: Frame, index: number): CheckedFrame {
  const what = `frame ${index + 1}`;
  if (!isFrame(frame))
    throw new ClipProblem(`${what} must be an image { width, height, data }, got ${formatValue(frame)}`);
  const { width, height, data } = frame;
  if (!isPixels(data))
    throw new ClipProblem(
      `the data of ${what} must be a Uint8Array or a Float32Array, got ${formatValue(data)}`,
    );
  checkSides(width, height, what);
  const channels = data.length / (width * height);
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    const expected = 'height · width values for each of 1, 3 or 4 channels';
    throw new ClipProblem(
      `${what} must have ${expected}, got ${data.length} values for ${sizeText(frame)} pixels (height × width)`,
    );
  }
  if (data instanceof Float32Array && !data.every(Number.isFinite))
    throw new ClipProblem(`${what} must have finite values`);
  return { width, height, data, channels };
}

const isPixels = (data: unknown): data is Pixels =>
  data instanceof Uint8Array || data instanceof Uint8ClampedArray || data instanceof Float32Array;

/**
 * Reads the clips of a column.
 * @throws UnrollError `data` for a missing column, and for a cell that is not a clip
 */
export function clipsOf(table: Table, name: string): NamedClip[] {
  const column = findColumn(table, name);
  return nestedValues(table, name).map((value, row) => {
    const fail = (problem: string) => cellError(table, row, column, `${problem}.`);
    if (!isClip(value)) {
      const remedy = 'The commands read the files named in the column; a program must pass images';
      throw fail(`the cell must hold a clip, got ${formatValue(value)}. ${remedy}`);
    }
    return readClip(value, placeOf(table, row), fail);
  });
}
