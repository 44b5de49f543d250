/**
 * Features of sound: spectrograms, mel and log-mel spectrograms and MFCC, numerically equal to those of librosa and torchaudio. A
 * stream takes samples in chunks of any size; `frames` passes a whole sound through a stream, so both results are bit-identical.
 */
import { UnrollError, valueError } from '@unroll/core';
import { type AudioFeatureConfig, type AudioFeatureOptions, audioFeatureConfig } from './config.js';
import { DeltaStream } from './deltas.js';
import { FrameTransform } from './frame-transform.js';
import { Framer } from './framer.js';
import { joined } from './joined.js';
import { Resampler } from './resample.js';
import { checkRate } from './waveform.js';

/** Features of a sound. */
export interface AudioFrames {
  /** [frames, width], row by row. */
  values: Float32Array;
  /** Number of features of a frame. */
  width: number;
  /** Number of frames. */
  length: number;
}

/** Computes features with fixed parameters. */
export class AudioFeatures {
  readonly config: AudioFeatureConfig;
  /** Number of features of a frame. */
  readonly width: number;
  /** Frames per second. */
  readonly frameRate: number;

  /** @throws UnrollError `value` for invalid options, and for mel filters that contain no FFT bin */
  constructor(options: AudioFeatureOptions) {
    this.config = audioFeatureConfig(options);
    const { deltas, sampleRate, hopLength } = this.config;
    this.width = new FrameTransform(this.config).width * (1 + deltas);
    this.frameRate = sampleRate / hopLength;
  }

  /**
   * Returns the features of a whole sound.
   * @param samples samples of one channel, see `mono`
   * @param sampleRate sample rate of these samples in Hz; default: the option `sampleRate`
   * @throws UnrollError `value` for an invalid sample rate; `data` if there are no samples, or too few after resampling to the rate
   * of the analysis: with the padding `reflect`, at most `fftSize / 2`; without `center`, fewer than `fftSize`
   */
  frames(samples: Float32Array, sampleRate: number = this.config.sampleRate): AudioFrames {
    checkRate('frames', sampleRate);
    if (samples.length === 0) throw new UnrollError('data', 'The sound has no samples.');
    const stream = new FeatureStream(this.config, sampleRate);
    const values = joined([stream.push(samples), stream.end()]);
    return { values, width: this.width, length: values.length / this.width };
  }

  /**
   * Starts a stream, which returns frames as soon as their samples are known.
   * @param sampleRate sample rate of the samples in Hz; default: the option `sampleRate`
   * @throws UnrollError `value` if the option `range` is set: it needs the maximum of the whole sound
   */
  stream(sampleRate: number = this.config.sampleRate): FeatureStream {
    if (this.config.range !== null)
      throw valueError('The option range needs the whole sound. Set it to null for streams.');
    return new FeatureStream(this.config, sampleRate);
  }
}

/** Returns an `AudioFeatures` with these options. */
export const audioFeatures = (options: AudioFeatureOptions): AudioFeatures => new AudioFeatures(options);

/** Takes samples in chunks and returns frames. */
export class FeatureStream {
  /** Number of features of a frame. */
  readonly width: number;
  readonly #framer: Framer;
  readonly #resampler: Resampler | null;
  readonly #transform: FrameTransform;
  readonly #deltas: readonly DeltaStream[];
  readonly #range: number | null;
  /** With a range: all frames so far, because the maximum is known only at the end. */
  readonly #pending: Float32Array[] = [];
  #ended = false;

  /** @internal Use `AudioFeatures.stream`. */
  constructor(config: AudioFeatureConfig, sampleRate: number) {
    checkRate('stream', sampleRate);
    const { deltas, deltaWidth, range } = config;
    this.#range = range;
    this.#transform = new FrameTransform(config);
    this.#framer = new Framer(config, this.#transform);
    this.#resampler =
      sampleRate === config.sampleRate ? null : new Resampler({ from: sampleRate, to: config.sampleRate });
    const base = this.#transform.width;
    this.width = base * (1 + deltas);
    this.#deltas = Array.from(
      { length: deltas },
      (_, i) => new DeltaStream({ width: base * (i + 1), last: base, radius: deltaWidth }),
    );
  }

  /**
   * Appends samples of one channel and returns the frames that are now known: [frames, width], row by row; possibly none.
   * @throws UnrollError `state` after `end`
   */
  push(samples: Float32Array): Float32Array {
    if (this.#ended) throw new UnrollError('state', 'The stream has ended. Start another one.');
    return this.#append(this.#framer.push(this.#resampler?.push(samples) ?? samples));
  }

  /** Ends the stream and returns the last frames. @throws UnrollError `data` for too few samples, `state` after `end` */
  end(): Float32Array {
    if (this.#ended) throw new UnrollError('state', 'The stream has ended. Start another one.');
    this.#ended = true;
    const samples = this.#resampler?.end() ?? new Float32Array(0);
    const frames = this.#append(joined([this.#framer.push(samples), this.#framer.end()]));
    const limited = this.#range === null ? frames : this.#complete(this.#limited(this.#range));
    // The streams of derivatives end one after another, because the last frames of each are input of the next one.
    let last = new Float32Array(0);
    for (const delta of this.#deltas) last = joined([delta.push(last), delta.end()]);
    return joined([limited, last]);
  }

  #append(frames: Float32Array): Float32Array {
    if (this.#range === null) return this.#complete(frames);
    this.#pending.push(frames);
    return new Float32Array(0);
  }

  /** Returns all frames. Values below the maximum minus `range` are raised to this limit. */
  #limited(range: number): Float32Array {
    const values = joined(this.#pending);
    const lowest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) - range;
    return values.map((value) => Math.max(value, lowest));
  }

  /** Applies the cosine transform of MFCC and appends derivatives. */
  #complete(frames: Float32Array): Float32Array {
    return this.#deltas.reduce((values, delta) => delta.push(values), this.#transform.complete(frames));
  }
}
