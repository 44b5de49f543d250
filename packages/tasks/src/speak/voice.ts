/** Converts sounds to standardised log-mel spectrograms, and spectrograms back to sounds. */
import { type AudioFeatureConfig, AudioFeatures, melToSound, resample, trimSilence } from '@unroll/data';
import { commonRate, type Samples } from '../shared/sounds.js';
import { checkStandardisation, standardisationOf } from '../shared/standardize.js';

/** The part of pipeline.json about the sounds. */
export interface VoiceConfig {
  features: AudioFeatureConfig;
  /** Mean of each feature in the training sounds. */
  means: readonly number[];
  /** Standard deviation of each feature in the training sounds; 1 for a constant feature. */
  deviations: readonly number[];
}

/** A spectrogram: standardised log-mel frames. */
export interface Spectrogram {
  /** Number of frames. */
  length: number;
  /** [length, mels], row by row. */
  values: Float32Array;
}

export interface VoiceOptions {
  /** Default: the most frequent rate of the sounds, at most 16,000 Hz. */
  sampleRate?: number;
  /** Default 80. */
  mels?: number;
}

/** Highest default sample rate: speech has little energy above 8 kHz. */
const MAX_RATE = 16_000;
/** Windows of 50 ms, every 12.5 ms, as in Tacotron (Wang et al. 2017). */
const WINDOW = 0.05;
const HOP = 0.0125;
/** Values that are more than this number of dB below the maximum of a sound are raised to that limit. */
const RANGE = 80;
/** The parts at the start and the end of a sound that are more than this number of dB below its loudest part are cut off. */
const SILENCE = 45;
/** Zero crossings of the filter for resampling. With the default, resampling would take most of the time. */
const CROSSINGS = 16;
/** Standardised values are limited to this number of standard deviations before they are converted to dB. */
const LIMIT = 5;
/** Exponent to which the magnitudes are raised before Griffin-Lim in synthesis, as in Tacotron (Wang et al. 2017). */
const SHARPNESS = 1.2;

export class Voice {
  readonly config: VoiceConfig;
  readonly #features: AudioFeatures;

  constructor(config: VoiceConfig) {
    this.config = config;
    this.#features = new AudioFeatures(config.features);
    checkStandardisation(config, this.#features.width);
  }

  /**
   * Chooses the sample rate and fits the standardisation.
   * @param sounds the training sounds, at least one
   * @returns the voice, and the spectrograms of the sounds
   */
  static fit(
    sounds: readonly Samples[],
    options: VoiceOptions = {},
  ): { voice: Voice; spectrograms: Spectrogram[] } {
    const { sampleRate = Math.min(MAX_RATE, commonRate(sounds)), mels = 80 } = options;
    const windowLength = Math.round(WINDOW * sampleRate);
    const { config, width } = new AudioFeatures({
      ...{ sampleRate, mels, windowLength, range: RANGE },
      hopLength: Math.round(HOP * sampleRate),
      fftSize: 2 ** Math.ceil(Math.log2(windowLength)),
    });
    const [zeros, ones] = [0, 1].map((value) => new Array<number>(width).fill(value));
    const unfitted = new Voice({ features: config, means: zeros, deviations: ones });
    const raw = sounds.map((sound) => unfitted.encode(sound));
    const standardisation = standardisationOf(
      raw.map(({ values }) => values),
      width,
    );
    const voice = new Voice({ features: config, ...standardisation });
    return { voice, spectrograms: raw.map((spectrogram) => voice.#standardized(spectrogram)) };
  }

  get mels(): number {
    return this.config.means.length;
  }

  get sampleRate(): number {
    return this.config.features.sampleRate;
  }

  /** Frames per second. */
  get frameRate(): number {
    return this.#features.frameRate;
  }

  /** Returns the spectrogram of a sound, without silence at its start and end. */
  encode({ samples, sampleRate }: Samples): Spectrogram {
    const { sampleRate: rate } = this;
    const resampled =
      sampleRate === rate ? samples : resample(samples, { from: sampleRate, to: rate, crossings: CROSSINGS });
    const { start, end } = trimSilence(resampled, { threshold: SILENCE });
    return this.#standardized(this.#features.frames(resampled.subarray(start, end)));
  }

  #standardized({ values, length }: Spectrogram): Spectrogram {
    const { means, deviations } = this.config;
    const { length: width } = means;
    return { length, values: values.map((value, i) => (value - means[i % width]) / deviations[i % width]) };
  }

  /** Returns the spectrogram in dB. */
  decibels({ values }: Spectrogram): Float32Array {
    const { means, deviations } = this.config;
    const { length: width } = means;
    return values.map((value, i) => {
      const limited = Math.max(-LIMIT, Math.min(LIMIT, value));
      return limited * deviations[i % width] + means[i % width];
    });
  }

  /** Returns the sound of a spectrogram of at least two frames, scaled such that its peak is at most 1. */
  toSound(spectrogram: Spectrogram, iterations: number): Samples {
    const options = { iterations, sharpness: SHARPNESS };
    const samples = melToSound(this.decibels(spectrogram), this.config.features, options);
    const peak = samples.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return {
      samples: peak > 1 ? samples.map((sample) => sample / peak) : samples,
      sampleRate: this.sampleRate,
    };
  }
}
