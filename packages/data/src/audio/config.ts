/** The parameters of the audio front end, and their defaults. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { WINDOW_NAMES, type WindowName } from './analysis-windows.js';
import type { MelScale } from './mel.js';
import { checkRate } from './waveform.js';

export interface AudioFeatureOptions {
  /**
   * `logMel`: logarithm of the energies of mel filters. `mfcc`: mel-frequency cepstral coefficients. `mel`: the energies.
   * `spectrogram`: the power of each frequency. Default `logMel`.
   */
  kind?: 'spectrogram' | 'mel' | 'logMel' | 'mfcc';
  /** Sample rate of the analysis in Hz. Sound of other rates is resampled. */
  sampleRate: number;
  /** Samples of a window. Default: 25 ms. */
  windowLength?: number;
  /** Samples between the starts of two windows. Default: 10 ms. */
  hopLength?: number;
  /**
   * Size of the FFT, at least `windowLength`; the window is padded with zeros. Default: the smallest power of two that is at least
   * `windowLength`.
   */
  fftSize?: number;
  /** Window function. Default `hann`. */
  window?: WindowName;
  /**
   * True: the middle of frame t is at sample t * hopLength, and the sound is padded with half of `fftSize` on both sides. False:
   * frame t starts at sample t * hopLength. Default true.
   */
  center?: boolean;
  /** What `center` pads with: zeros, as librosa does, or the reflected sound, as torchaudio does. Default `zero`. */
  padding?: 'zero' | 'reflect';
  /** Number of mel filters. Default 40. */
  mels?: number;
  /** Lower edge of the first filter in Hz. Default 0. */
  minFrequency?: number;
  /** Upper edge of the last filter in Hz. Default: half the sample rate. */
  maxFrequency?: number;
  /** Scale on which the filters are evenly spaced. Default `slaney`, as in librosa. */
  melScale?: MelScale;
  /**
   * `area`: filters of equal area (librosa). `peak`: filters with a peak of 1 (torchaudio). Default: `area` for
   * slaney, `peak` for htk.
   */
  melNorm?: 'area' | 'peak';
  /** `decibel`: 10 log10 of the power. `natural`: its natural logarithm. Default `decibel`. */
  logarithm?: 'decibel' | 'natural';
  /** Lower limit of the power before the logarithm. Default 1e-10. */
  floor?: number;
  /**
   * Dynamic range in the unit of `logarithm` (`top_db` in librosa and torchaudio): values more than `range` below the maximum
   * of the sound are raised to the maximum minus `range`. Null: no limit. Streams do not support a range, because they do not
   * know the maximum. Default null; librosa and torchaudio use 80 dB for MFCC.
   */
  range?: number | null;
  /** Number of coefficients of `mfcc`. Default 13. */
  coefficients?: number;
  /** Order of the derivatives over time that are appended: 0 (none), 1 (deltas) or 2 (deltas and deltas of deltas). Default 0. */
  deltas?: 0 | 1 | 2;
  /** Number of frames on each side from which a derivative is estimated. Default 2. */
  deltaWidth?: number;
}

/** The options with all defaults filled in, as a saved model stores them. */
export type AudioFeatureConfig = Required<AudioFeatureOptions>;

/**
 * Returns the options with their defaults.
 * @throws UnrollError `value` for unknown, invalid or contradictory options
 */
export function audioFeatureConfig(options: AudioFeatureOptions): AudioFeatureConfig {
  const { range, ...others } = options;
  checkOptions('audioFeatures', { ...others, range: range ?? undefined }, TYPES);
  const { sampleRate } = options;
  checkRate('audioFeatures', sampleRate);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const windowLength = options.windowLength ?? Math.max(1, Math.round(0.025 * sampleRate));
  const melScale = options.melScale ?? 'slaney';
  const config: AudioFeatureConfig = {
    kind: 'logMel',
    windowLength,
    hopLength: Math.max(1, Math.round(0.01 * sampleRate)),
    fftSize: 2 ** Math.ceil(Math.log2(windowLength)),
    ...{ window: 'hann', center: true, padding: 'zero' },
    ...{ mels: 40, minFrequency: 0, maxFrequency: sampleRate / 2, melScale },
    melNorm: melScale === 'htk' ? 'peak' : 'area',
    ...{ logarithm: 'decibel', floor: 1e-10, range: null },
    ...{ coefficients: 13, deltas: 0, deltaWidth: 2 },
    ...(given as Partial<AudioFeatureConfig> & { sampleRate: number }),
  };
  checkRanges(config);
  return config;
}

const TYPES = {
  kind: ['spectrogram', 'mel', 'logMel', 'mfcc'],
  sampleRate: 'number',
  windowLength: 'count',
  hopLength: 'count',
  fftSize: 'count',
  window: WINDOW_NAMES,
  center: 'boolean',
  padding: ['zero', 'reflect'],
  mels: 'count',
  minFrequency: 'number',
  maxFrequency: 'number',
  melScale: ['slaney', 'htk'],
  melNorm: ['area', 'peak'],
  logarithm: ['decibel', 'natural'],
  floor: 'number',
  range: 'number',
  coefficients: 'count',
  deltas: 'nonNegativeInteger',
  deltaWidth: 'count',
} as const;

/** Limit of `mels` and of `deltaWidth`. */
const MAX_COUNT = 4096;

function checkRanges(config: AudioFeatureConfig): void {
  const { sampleRate, windowLength, fftSize, mels, minFrequency, maxFrequency } = config;
  const { floor, range, coefficients, deltas, kind, deltaWidth } = config;
  const problem =
    (windowLength > fftSize && `fftSize must be at least windowLength (${windowLength}), got ${fftSize}`) ||
    (minFrequency < 0 && `minFrequency must be at least 0, got ${minFrequency}`) ||
    (maxFrequency > sampleRate / 2 &&
      `maxFrequency must be at most half the sample rate (${sampleRate / 2}), got ${maxFrequency}`) ||
    (maxFrequency <= minFrequency &&
      `maxFrequency must be above minFrequency (${minFrequency}), got ${maxFrequency}`) ||
    (!(floor > 0) && `floor must be above 0, got ${floor}`) ||
    (range !== null &&
      (kind === 'mel' || kind === 'spectrogram') &&
      `range must be null for ${kind}, which has no logarithm, got ${range}`) ||
    (range !== null && !(range > 0) && `range must be above 0, got ${range}`) ||
    (mels > MAX_COUNT && `mels must be at most ${MAX_COUNT}, got ${mels}`) ||
    (kind === 'mfcc' &&
      coefficients > mels &&
      `coefficients must be at most mels (${mels}), got ${coefficients}`) ||
    (deltas > 2 && `deltas must be 0, 1 or 2, got ${deltas}`) ||
    (deltaWidth > MAX_COUNT && `deltaWidth must be at most ${MAX_COUNT}, got ${deltaWidth}`);
  if (problem) throw valueError(`audioFeatures: ${problem}.`);
}
