/**
 * The front end of tasks on sound. It computes log-mel frames, subtracts a mean of each file (see `FileNormalization`),
 * standardises the frames, augments them in training (random changes of speed and frequencies, and the masks of SpecAugment),
 * and appends their deltas (derivatives over time).
 */
import { type RandomStream, type Tensor, tensor } from '@unroll/core';
import {
  type AudioFeatureConfig,
  AudioFeatures,
  appendDeltas,
  DeltaStream,
  specAugment,
  warpFrames,
} from '@unroll/data';
import { commonRate, type Samples } from './sounds.js';
import { checkStandardisation, standardisationOf } from './standardize.js';

/**
 * What is subtracted from the frames of each file. `features`: the mean of each feature, which removes the frequency response of the
 * microphone and much of the timbre of the voice. `level`: the mean over all features, which removes differences in loudness. `none`: nothing.
 */
export type FileNormalization = 'features' | 'level' | 'none';

/** What a saved model stores to read sounds. */
export interface FrontEndConfig {
  features: AudioFeatureConfig;
  normalize: FileNormalization;
  /** Mean of each feature in the training sounds. */
  means: readonly number[];
  /** Standard deviation of each feature in the training sounds; 1 for a constant feature. */
  deviations: readonly number[];
}

/** A sound as frames of standardised features. */
export interface EncodedSound {
  /** Number of frames. */
  readonly length: number;
  /** [length, features], row by row. */
  readonly values: Float32Array;
}

/** Maximum default sample rate: speech has little energy above 8 kHz. */
const MAX_RATE = 16_000;
/** Standardised values are clipped to the range from -LIMIT to LIMIT. */
const LIMIT = 10;
/** A derivative is computed from this number of frames on each side. */
const DELTA_WIDTH = 2;
/** Derivatives are multiplied by this factor, because they are about a third as large as the features. */
const DELTA_SCALE = 3;

/** Augmentation changes the speed and the frequencies by at most these fractions. */
const STRETCH = 0.15;
const WARP = 0.12;
/** With `normalize: 'none'`, augmentation also changes the level by at most this number of standard deviations. */
const LEVEL_CHANGE = 0.5;

export interface FrontEndOptions {
  /** Sample rate to which sounds are converted, in Hz. Default: the most frequent rate of the training sounds, at most 16,000. */
  sampleRate?: number;
  /** Number of mel filters. Default 40. */
  mels?: number;
  /** Default `level`. */
  normalize?: FileNormalization;
  /** Whether frames are computed while the sound arrives, without the rest of the sound. If true, `normalize` is `none`. Default false. */
  streaming?: boolean;
}

export class FrontEnd {
  readonly config: FrontEndConfig;
  readonly #features: AudioFeatures;

  constructor(config: FrontEndConfig) {
    this.config = config;
    this.#features = new AudioFeatures(config.features);
    checkStandardisation(config, this.#features.width);
  }

  /** Chooses the sample rate and fits the standardisation. @param sounds training sounds, at least one */
  static fit(sounds: readonly Samples[], options: FrontEndOptions = {}): FrontEnd {
    const { sampleRate = Math.min(MAX_RATE, commonRate(sounds)), mels = 40, streaming = false } = options;
    const normalize = streaming ? 'none' : (options.normalize ?? 'level');
    // Values more than 80 dB below the maximum of the sound are raised to that limit, but a stream does not know this maximum.
    const features = new AudioFeatures({ sampleRate, mels, range: streaming ? null : 80 });
    const { width } = features;
    const unfitted = new FrontEnd({
      features: features.config,
      normalize,
      means: new Array<number>(width).fill(0),
      deviations: new Array<number>(width).fill(1),
    });
    const frames = function* (): Generator<Float32Array> {
      for (const sound of sounds) yield unfitted.#normalized(sound);
    };
    return new FrontEnd({ ...unfitted.config, ...standardisationOf(frames(), width) });
  }

  /** Number of values of a frame that the network reads: features and derivatives. */
  get width(): number {
    return 2 * this.#features.width;
  }

  /** Frames per second. */
  get frameRate(): number {
    return this.#features.frameRate;
  }

  /** Returns the frames of a sound after the subtraction that `normalize` selects. */
  #normalized({ samples, sampleRate }: Samples): Float32Array {
    const { values, width, length } = this.#features.frames(samples, sampleRate);
    const { normalize } = this.config;
    if (normalize === 'none') return values;
    const sums = new Float64Array(width);
    for (let i = 0; i < values.length; i++) sums[i % width] += values[i];
    const level = sums.reduce((total, sum) => total + sum, 0) / (values.length || 1);
    const means = normalize === 'level' ? sums.fill(level) : sums.map((sum) => sum / length);
    return values.map((value, i) => value - means[i % width]);
  }

  /** Returns the standardised frames of a sound, without derivatives. */
  encode(sound: Samples): EncodedSound {
    const values = this.#standardized(this.#normalized(sound));
    return { length: values.length / this.config.means.length, values };
  }

  #standardized(frames: Float32Array): Float32Array {
    const { means, deviations } = this.config;
    const { length: width } = means;
    return frames.map((value, i) => {
      const f = i % width;
      return Math.max(-LIMIT, Math.min(LIMIT, (value - means[f]) / deviations[f]));
    });
  }

  /**
   * Starts a stream of samples. Its frames equal the frames of the whole sound bit for bit.
   * @param sampleRate sample rate in Hz
   * @throws UnrollError `value` if a frame depends on the whole sound
   */
  stream(sampleRate: number): FrontEndStream {
    const features = this.#features.stream(sampleRate);
    const width = this.config.means.length;
    const deltas = new DeltaStream({ width, last: width, radius: DELTA_WIDTH });
    return {
      push: (samples) => scaleDeltas(deltas.push(this.#standardized(features.push(samples))), width),
      end: () => scaleDeltas(concat(deltas.push(this.#standardized(features.end())), deltas.end()), width),
    };
  }

  /** Returns an augmented copy of the frames. */
  #augmented(values: Float32Array, random: RandomStream): Float32Array {
    const { means, normalize } = this.config;
    const [time, frequency, level] = random.uniform(3, -1, 1);
    const factors = { time: 1 + STRETCH * time, frequency: 1 + WARP * frequency };
    const frames = warpFrames(values, means.length, factors);
    if (normalize === 'none') for (let i = 0; i < frames.length; i++) frames[i] += LEVEL_CHANGE * level;
    specAugment(frames, means.length, random);
    return frames;
  }

  /**
   * Returns padded inputs [B, T, width] and their lengths, with a mask if the lengths differ.
   * @param random random stream for augmentation: speed, frequencies, masks and, with `normalize: 'none'`, the level. Default null: no augmentation
   */
  batch(
    encoded: readonly EncodedSound[],
    rows: Uint32Array,
    random: RandomStream | null = null,
  ): { x: Tensor; mask?: Tensor; lengths: number[] } {
    const featureCount = this.config.means.length;
    const soundFrames = Array.from(rows, (row) => {
      const { values } = encoded[row];
      return withDeltas(random === null ? values : this.#augmented(values, random.child(row)), featureCount);
    });
    const lengths = soundFrames.map((values) => values.length / this.width);
    const steps = lengths.reduce((a, b) => Math.max(a, b), 0);
    const values = new Float32Array(rows.length * steps * this.width);
    const mask = new Float32Array(rows.length * steps);
    for (const [i, frames] of soundFrames.entries()) {
      values.set(frames, i * steps * this.width);
      mask.fill(1, i * steps, i * steps + lengths[i]);
    }
    const x = tensor(values, [rows.length, steps, this.width]);
    return lengths.every((length) => length === steps)
      ? { x, lengths }
      : { x, mask: tensor(mask, [rows.length, steps]), lengths };
  }
}

/** Takes samples in chunks. Each call returns the frames that can be computed now: [frames, width], row by row. */
export interface FrontEndStream {
  push(samples: Float32Array): Float32Array;
  end(): Float32Array;
}

function concat(a: Float32Array, b: Float32Array): Float32Array {
  const result = new Float32Array(a.length + b.length);
  result.set(a);
  result.set(b, a.length);
  return result;
}

const withDeltas = (values: Float32Array, width: number): Float32Array =>
  scaleDeltas(appendDeltas(values, width, DELTA_WIDTH), width);

/** Scales the derivatives of frames in place, and returns the frames. @param width number of features without derivatives */
function scaleDeltas(frames: Float32Array, width: number): Float32Array {
  for (let start = width; start < frames.length; start += 2 * width)
    for (let f = 0; f < width; f++) frames[start + f] *= DELTA_SCALE;
  return frames;
}
