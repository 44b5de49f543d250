/**
 * The front end of tasks on video. It resizes frames, converts them to grey if needed, standardises them, selects some frames of
 * long clips, optionally adds the difference between each frame and the previous one as further channels, and augments frames in
 * training.
 */
import { type RandomStream, type Tensor, tensor, UnrollError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { resizeArea } from '@unroll/data';
import { checkStandardisation } from '../standardize.js';
import { type FrameTransform, randomTransform, writeTransformed } from './augment.js';
import type { CheckedFrame, NamedClip } from './clips.js';

/** What a saved model stores to read clips. */
export interface FrameConfig {
  /** Height and width to which frames are resized. */
  frameSize: readonly [height: number, width: number];
  /** 1: grey; 3: red, green and blue. */
  channels: 1 | 3;
  /** Whether the difference between each frame and the previous one is added as further channels. */
  opticalDifference: boolean;
  /** Number of frames of a clip that the network reads: one from each of this many equal parts of the clip; null: all. */
  framesPerClip: number | null;
  /** Mean of each channel in the training clips. */
  means: readonly number[];
  /** Standard deviation of each channel in the training clips; 1 for a constant channel. */
  deviations: readonly number[];
}

/** Returns the config of the frames that a pipeline contains. */
export const frameConfig = (pipeline: FrameConfig): FrameConfig => {
  const { frameSize, channels, opticalDifference, framesPerClip, means, deviations } = pipeline;
  return { frameSize, channels, opticalDifference, framesPerClip, means, deviations };
};

/** The keys of a `FrameConfig` in pipeline.json. */
export const FRAME_KEYS = [
  'frameSize',
  'channels',
  'opticalDifference',
  'framesPerClip',
  'means',
  'deviations',
];

/** A clip as resized frames. For long clips, more frames are stored than the network reads; training draws from them. */
export interface EncodedClip {
  /** Number of frames that the network reads. */
  readonly length: number;
  /** Number of stored frames. */
  readonly stored: number;
  /** Index of each stored frame in the clip. */
  readonly indices: readonly number[];
  /** [stored, height, width, channels], row by row. */
  readonly values: Uint8Array | Float32Array;
}

/** Options of the front end, for all tasks on video. */
export interface FrameOptions {
  /**
   * Height and width to which frames are resized. Default: the median height and width of the training clips, reduced to at most 64
   * pixels on the longer side.
   */
  frameSize?: readonly [height: number, width: number];
  /** Whether frames keep their colours. Default: false if the middle frames of up to 50 clips are all grey, otherwise true. */
  colour?: boolean;
  /** Whether the network also reads the difference between each frame and the previous one. Default false. */
  opticalDifference?: boolean;
  /** Number of frames of a clip that the network reads. Default: all frames, or 16 if the longest clip has more. */
  framesPerClip?: number;
}

/** Maximum height and width to which frames are resized. */
export const MAX_SIDE = 1024;
/** Default maximum of the longer side of the frames. */
const LONGEST_SIDE = 64;
/** Default maximum number of frames per clip, as in networks for action recognition (Tran et al. 2015). */
const SAMPLED_FRAMES = 16;
/** For long clips, this number of frames is stored for each frame that the network reads; training draws one of them. */
const STORED_PER_FRAME = 4;
/** Maximum number of clips whose colours are examined. */
const COLOUR_CLIPS = 50;
/** A pixel is grey if its channels differ by at most this share of the range of values. */
const GREY = 8 / 255;
/** Weights of red, green and blue in grey (ITU-R BT.601). */
const LUMA = [0.299, 0.587, 0.114];
/** Maximum number of pixels in a batch. */
const MAX_BATCH_PIXELS = 2 ** 21;
/** Standardised values are clipped to the range from -LIMIT to LIMIT. */
const LIMIT = 10;

export class FrameEncoder {
  readonly config: FrameConfig;
  /** For each channel, the standardised values of the bytes 0 to 255. */
  readonly #standardBytes: Float32Array[];

  constructor(config: FrameConfig) {
    this.config = config;
    const problem = problemOf(config);
    if (problem !== null) throw new UnrollError('format', `pipeline.json is damaged: ${problem}.`);
    checkStandardisation(config, config.channels);
    this.#standardBytes = config.means.map((_, channel) =>
      Float32Array.from({ length: 256 }, (_, value) => this.#standard(value, channel)),
    );
  }

  /**
   * Chooses the frame size and whether frames are grey, encodes the clips, and fits the standardisation.
   * @param clips training clips, at least one
   * @throws UnrollError for a damaged frame
   */
  static fit(
    clips: readonly NamedClip[],
    options: FrameOptions = {},
  ): { encoder: FrameEncoder; encoded: EncodedClip[] } {
    const { opticalDifference = false } = options;
    const longest = clips.reduce((most, { count }) => Math.max(most, count), 0);
    const framesPerClip = options.framesPerClip ?? (longest > SAMPLED_FRAMES ? SAMPLED_FRAMES : null);
    const colour =
      options.colour ??
      middleIndices(clips.length, Math.min(clips.length, COLOUR_CLIPS)).some((n) => isColoured(clips[n]));
    const channels = colour ? 3 : 1;
    const unfitted = new FrameEncoder({
      frameSize: options.frameSize ?? defaultSize(clips),
      ...{ channels, opticalDifference, framesPerClip },
      means: new Array<number>(channels).fill(0),
      deviations: new Array<number>(channels).fill(1),
    });
    const encoded = clips.map((clip) => unfitted.encode(clip));
    return { encoder: new FrameEncoder({ ...unfitted.config, ...statisticsOf(encoded, channels) }), encoded };
  }

  /**
   * Returns the number of clips per batch: `size`, or fewer if the clips are large, because convolutions need many times the memory
   * of their inputs.
   * @param longest number of frames of the longest clip
   */
  batchSize(size: number, longest: number): number {
    const pixels = longest * this.config.frameSize[0] * this.config.frameSize[1];
    return Math.max(1, Math.min(size, Math.floor(MAX_BATCH_PIXELS / pixels)));
  }

  /** Shape of a frame as the network reads it. */
  get shape(): readonly [height: number, width: number, channels: number] {
    const { frameSize, channels, opticalDifference } = this.config;
    return [...frameSize, opticalDifference ? 2 * channels : channels];
  }

  /** Reads and resizes the frames of a clip. @throws UnrollError for a damaged frame */
  encode(clip: NamedClip): EncodedClip {
    const { frameSize, channels, framesPerClip } = this.config;
    const maxStored = framesPerClip === null ? clip.count : STORED_PER_FRAME * framesPerClip;
    const indices = middleIndices(clip.count, Math.min(clip.count, maxStored));
    const [height, width] = frameSize;
    const size = height * width * channels;
    let values: Uint8Array | Float32Array | null = null;
    let start = 0;
    for (const frame of clip.frames(indices)) {
      const isBytes = !(frame.data instanceof Float32Array);
      values ??= isBytes ? new Uint8Array(indices.length * size) : new Float32Array(indices.length * size);
      if (frame.channels === channels && frame.height === height && frame.width === width)
        values.set(frame.data, start);
      else {
        const resized = resizeArea(withChannels(frame, channels), { ...frame, channels }, { height, width });
        for (let i = 0; i < size; i++) values[start + i] = isBytes ? Math.round(resized[i]) : resized[i];
      }
      start += size;
    }
    return {
      length: this.#lengthOf(indices.length),
      ...{ stored: indices.length, indices },
      values: values ?? new Uint8Array(),
    };
  }

  #lengthOf(stored: number): number {
    return Math.min(stored, this.config.framesPerClip ?? stored);
  }

  /**
   * Returns padded inputs [B, T, height, width, channels], with a mask if the lengths differ.
   * @param random random stream for augmentation: selection of frames, position, size, angle, contrast and brightness. Default
   *   null: no augmentation
   */
  batch(
    encoded: readonly EncodedClip[],
    rows: Uint32Array,
    random: RandomStream | null = null,
  ): { x: Tensor; mask?: Tensor } {
    const [height, width, channels] = this.shape;
    const clips = Array.from(rows, (row) => encoded[row]);
    const steps = clips.reduce((most, { length }) => Math.max(most, length), 0);
    const size = height * width * channels;
    const values = new Float32Array(clips.length * steps * size);
    const mask = new Float32Array(clips.length * steps);
    for (const [i, clip] of clips.entries()) {
      const clipRandom = random?.child(rows[i]) ?? null;
      const out = values.subarray(i * steps * size, (i * steps + clip.length) * size);
      this.#write(clip, out, clipRandom);
      mask.fill(1, i * steps, i * steps + clip.length);
    }
    const x = tensor(values, [clips.length, steps, height, width, channels]);
    return clips.every(({ length }) => length === steps)
      ? { x }
      : { x, mask: tensor(mask, [clips.length, steps]) };
  }

  /**
   * Returns some frames of a clip for a report, with values from 0 to 255.
   * @param count maximum number of frames
   */
  reportFrames(
    clip: EncodedClip,
    count: number,
  ): { frames: Float32Array[]; height: number; width: number; channels: 1 | 3 } {
    const { frameSize, channels, means, deviations } = this.config;
    const [height, width] = frameSize;
    const size = height * width * channels;
    // For values that are not bytes, 0 to 255 covers two standard deviations on both sides of the mean.
    const isBytes = clip.values instanceof Uint8Array;
    const frames = middleIndices(clip.stored, Math.min(count, clip.stored)).map((t) =>
      Float32Array.from(clip.values.subarray(t * size, (t + 1) * size), (value, i) =>
        isBytes ? value : 127.5 + (63.75 * (value - means[i % channels])) / deviations[i % channels],
      ),
    );
    return { frames, height, width, channels };
  }

  /**
   * Returns the indices of the stored frames that the network reads. The stored frames are divided into equal parts, and the network
   * reads the middle frame of each part or, with `random`, a random frame.
   */
  indicesOf({ stored, length }: EncodedClip, random: RandomStream | null = null): number[] {
    if (random === null || stored === length) return middleIndices(stored, length);
    return Array.from(random.uniform(length), (draw, i) => Math.floor(((i + draw) * stored) / length));
  }

  /** Writes the frames of a clip [length, height, width, channels], standardised. */
  #write(clip: EncodedClip, out: Float32Array, random: RandomStream | null): void {
    const { frameSize, channels, opticalDifference } = this.config;
    const [height, width] = frameSize;
    const transform = random === null ? null : randomTransform(random, { height, width });
    const indices = this.indicesOf(clip, random?.child('frames') ?? null);
    if (!opticalDifference) {
      const size = height * width * channels;
      for (const [t, index] of indices.entries())
        this.#writeFrame(clip, index, transform, out.subarray(t * size, (t + 1) * size));
      return;
    }
    let [frame, previous] = [0, 1].map(() => new Float32Array(height * width * channels));
    let position = 0;
    for (const [t, index] of indices.entries()) {
      this.#writeFrame(clip, index, transform, frame);
      if (t === 0) previous.set(frame);
      for (let p = 0; p < frame.length; p += channels) {
        for (let c = p; c < p + channels; c++) out[position++] = frame[c];
        for (let c = p; c < p + channels; c++) out[position++] = frame[c] - previous[c];
      }
      [frame, previous] = [previous, frame];
    }
  }

  #standard(value: number, channel: number): number {
    const { means, deviations } = this.config;
    return Math.max(-LIMIT, Math.min(LIMIT, (value - means[channel]) / deviations[channel]));
  }

  /** Writes a stored frame [height, width, channels], standardised and, unless `transform` is null, augmented. */
  #writeFrame(
    { values }: EncodedClip,
    index: number,
    transform: FrameTransform | null,
    out: Float32Array,
  ): void {
    const { channels } = this.config;
    const frame = transform === null ? out : new Float32Array(out.length);
    const from = index * out.length;
    for (let c = 0; c < channels; c++) {
      if (values instanceof Uint8Array) {
        const standard = this.#standardBytes[c];
        for (let i = c; i < frame.length; i += channels) frame[i] = standard[values[from + i]];
      } else for (let i = c; i < frame.length; i += channels) frame[i] = this.#standard(values[from + i], c);
    }
    if (transform !== null) writeTransformed(frame, channels, transform, out);
  }
}

/** Returns the problem of an invalid config of a saved model, as a text; null if the config is valid. */
function problemOf(config: FrameConfig): string | null {
  const { frameSize, channels, opticalDifference, framesPerClip } = config;
  const isCount = (value: unknown, max = Number.MAX_SAFE_INTEGER): boolean =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
  const got = (name: string, expected: string, value: unknown) =>
    `${name} must be ${expected}, got ${formatValue(value)}`;
  if (
    !Array.isArray(frameSize) ||
    frameSize.length !== 2 ||
    !frameSize.every((side) => isCount(side, MAX_SIDE))
  )
    return got('frameSize', `two integers from 1 to ${MAX_SIDE}`, frameSize);
  if (channels !== 1 && channels !== 3) return got('channels', '1 or 3', channels);
  if (typeof opticalDifference !== 'boolean')
    return got('opticalDifference', 'true or false', opticalDifference);
  if (framesPerClip !== null && !isCount(framesPerClip))
    return got('framesPerClip', 'null or a positive integer', framesPerClip);
  return null;
}

/** Divides `count` frames into `length` equal parts and returns the index of the middle frame of each part. */
const middleIndices = (count: number, length: number): number[] =>
  Array.from({ length }, (_, i) => Math.floor(((i + 0.5) * count) / length));

/** Returns the median height and width of the first frames, reduced to at most `LONGEST_SIDE` pixels on the longer side. */
function defaultSize(clips: readonly NamedClip[]): readonly [number, number] {
  const firstFrames = clips.map((clip) => [...clip.frames([0])][0]);
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
  const [height, width] = [
    median(firstFrames.map((frame) => frame.height)),
    median(firstFrames.map((frame) => frame.width)),
  ];
  const scale = Math.min(1, LONGEST_SIDE / Math.max(height, width));
  return [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
}

/** Returns whether the middle frame of a clip has a pixel that is not grey. */
function isColoured(clip: NamedClip): boolean {
  const [{ data, channels }] = clip.frames([clip.count >> 1]);
  if (channels === 1) return false;
  const limit = GREY * (data instanceof Float32Array ? rangeOf(data, channels) : 255);
  for (let i = 0; i < data.length; i += channels) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    if (Math.max(r, g, b) - Math.min(r, g, b) > limit) return true;
  }
  return false;
}

/** Returns the difference between the largest and the smallest value of the colours, without the alpha channel. */
function rangeOf(data: Float32Array, channels: 3 | 4): number {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < data.length; i++) {
    if (i % channels === 3) continue;
    min = Math.min(min, data[i]);
    max = Math.max(max, data[i]);
  }
  return max - min;
}

/** Returns the values of a frame in grey (1 channel) or in colour (3 channels), drawn over black if it has an alpha channel. */
function withChannels({ data, channels: from }: CheckedFrame, to: 1 | 3): ArrayLike<number> {
  if (from === to) return data;
  const count = data.length / from;
  const out = new Float32Array(count * to);
  const opaqueAlpha = from === 4 ? opaqueAlphaOf(data) : 1;
  for (let i = 0; i < count; i++) {
    const alpha = from === 4 ? data[4 * i + 3] / opaqueAlpha : 1;
    const colour = (c: number): number => alpha * data[from * i + (from === 1 ? 0 : c)];
    if (to === 1) out[i] = LUMA[0] * colour(0) + LUMA[1] * colour(1) + LUMA[2] * colour(2);
    else for (let c = 0; c < 3; c++) out[3 * i + c] = colour(c);
  }
  return out;
}

/** Returns the alpha value of an opaque pixel: 1 in a Float32Array in which no alpha is above 1, otherwise 255. */
function opaqueAlphaOf(data: CheckedFrame['data']): number {
  if (!(data instanceof Float32Array)) return 255;
  for (let i = 3; i < data.length; i += 4) if (data[i] > 1) return 255;
  return 1;
}

/** Returns the mean and the standard deviation of each channel. */
function statisticsOf(
  clips: readonly EncodedClip[],
  channels: number,
): Pick<FrameConfig, 'means' | 'deviations'> {
  // Bytes are counted first, and each of their 256 values is added with its count, because this is faster.
  const counts = Array.from({ length: channels }, () => new Float64Array(256));
  const statistics = Array.from({ length: channels }, () => new RunningStatistics());
  for (const { values } of clips)
    for (let c = 0; c < channels; c++) {
      if (values instanceof Uint8Array) {
        const counted = counts[c];
        for (let i = c; i < values.length; i += channels) counted[values[i]]++;
      } else for (let i = c; i < values.length; i += channels) statistics[c].add(values[i]);
    }
  for (const [c, counted] of counts.entries())
    for (let value = 0; value < 256; value++) statistics[c].add(value, counted[value]);
  return {
    means: statistics.map(({ mean }) => mean),
    deviations: statistics.map(({ deviation }) => deviation),
  };
}

/** Running mean and sum of squared deviations (Welford 1962). */
class RunningStatistics {
  mean = 0;
  #squares = 0;
  #count = 0;

  /** Adds a value `times` times. */
  add(value: number, times = 1): void {
    if (times === 0) return;
    this.#count += times;
    const difference = value - this.mean;
    this.mean += (difference * times) / this.#count;
    this.#squares += times * difference * (value - this.mean);
  }

  /** Standard deviation; 1 if all values are equal. */
  get deviation(): number {
    return Math.sqrt(this.#squares / this.#count) || 1;
  }
}
