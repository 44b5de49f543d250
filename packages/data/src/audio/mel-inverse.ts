/**
 * Converts a log-mel spectrogram to sound: the spectrum of each frame is estimated from the energies of its mel filters, and the
 * phases are estimated by the Griffin-Lim algorithm.
 */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { type AudioFeatureOptions, audioFeatureConfig } from './config.js';
import { griffinLim } from './griffin-lim.js';
import { type MelFilter, melFilters } from './mel.js';

export interface MelToSoundOptions {
  /** Number of iterations of the Griffin-Lim algorithm. Default 32. */
  iterations?: number;
  /**
   * Exponent to which the magnitudes are raised before the Griffin-Lim algorithm. Above 1, loud frequencies become louder
   * relative to quiet ones, which removes artefacts of predicted spectrograms (Wang et al. 2017 use 1.2). Default 1.
   */
  sharpness?: number;
  /** Seed of the initial phases. Default 0. */
  seed?: number;
}

/** Number of multiplicative updates per frame. */
const UPDATES = 40;
/** Lower limit of divisors. */
const TINY = 1e-20;

/**
 * Returns the power spectra of frames, estimated from the energies of mel filters by non-negative least squares with
 * multiplicative updates (Lee & Seung 2001). librosa's `mel_to_stft` minimises the same error.
 * @param energies features of the kind `mel`: [frames, mels], row by row
 * @param features the options with which the energies were computed
 * @returns [frames, floor(fftSize / 2) + 1], row by row
 * @throws UnrollError `value` for invalid options, `data` for energies that are negative or not finite, or an incomplete frame
 */
export function melToSpectrum(energies: Float32Array, features: AudioFeatureOptions): Float32Array {
  const config = audioFeatureConfig(features);
  const { mels, fftSize, melScale: scale, melNorm: norm } = config;
  if (energies.length % mels !== 0)
    throw new UnrollError(
      'data',
      `melToSpectrum: the number of energies must be a multiple of mels (${mels}), got ${energies.length}.`,
    );
  const wrong = energies.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
  if (wrong >= 0)
    throw new UnrollError(
      'data',
      `melToSpectrum: energies must be finite and not negative, got ${energies[wrong]} at index ${wrong}.`,
    );
  const filters = melFilters({ ...config, scale, norm });
  const bins = Math.floor(fftSize / 2) + 1;
  const frames = energies.length / mels;
  const spectra = new Float32Array(frames * bins);
  for (let t = 0; t < frames; t++)
    spectra.set(spectrumOf(energies.subarray(t * mels, (t + 1) * mels), filters, bins), t * bins);
  return spectra;
}

/** Returns the spectrum x of one frame with the energies y. Each update with the filters A is x ← x Aᵀy / Aᵀ(Ax). */
function spectrumOf(energies: Float32Array, filters: readonly MelFilter[], bins: number): Float64Array {
  const applyTranspose = (values: ArrayLike<number>): Float64Array => {
    const result = new Float64Array(bins);
    for (const [m, { start, weights }] of filters.entries())
      for (let i = 0; i < weights.length; i++) result[start + i] += weights[i] * values[m];
    return result;
  };
  const target = applyTranspose(energies);
  const normaliser = applyTranspose(filters.map(({ weights }) => weights.reduce((a, b) => a + b, 0)));
  const x = target.map((value, k) => (normaliser[k] > 0 ? value / normaliser[k] : 0));
  for (let n = 0; n < UPDATES; n++) {
    const estimate = filters.map(({ start, weights }) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * x[start + i];
      return sum;
    });
    const divisor = applyTranspose(estimate);
    for (let k = 0; k < bins; k++) x[k] *= target[k] / Math.max(divisor[k], TINY);
  }
  return x;
}

/**
 * Returns samples whose log-mel spectrogram is close to the given one.
 * @param values [frames, mels], row by row, at least two frames
 * @param features the options with which the spectrogram was computed: the kind `logMel`, centred
 * @throws UnrollError `value` for invalid options, `data` for fewer than two frames and for values that are not finite
 */
export function melToSound(
  values: Float32Array,
  features: AudioFeatureOptions,
  options: MelToSoundOptions = {},
): Float32Array {
  const config = audioFeatureConfig(features);
  checkOptions('melToSound', options, {
    ...{ iterations: 'nonNegativeInteger', sharpness: 'number', seed: 'nonNegativeInteger' },
  });
  const { iterations = 32, sharpness = 1, seed = 0 } = options;
  const { kind, deltas, center, mels, logarithm, fftSize, hopLength, windowLength, window } = config;
  if (kind !== 'logMel' || deltas !== 0 || !center)
    throw valueError(
      `melToSound: the features must have kind "logMel", deltas 0 and center true, got "${kind}", ${deltas} and ${center}.`,
    );
  if (!(sharpness > 0)) throw valueError(`melToSound: sharpness must be above 0, got ${sharpness}.`);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw new UnrollError(
      'data',
      `melToSound: values must be finite, got ${values[wrong]} at index ${wrong}.`,
    );
  if (values.length % mels !== 0 || values.length < 2 * mels)
    throw new UnrollError(
      'data',
      `melToSound: values must have at least two frames of ${mels} values, got ${values.length} values.`,
    );
  const energies = values.map(logarithm === 'decibel' ? (value) => 10 ** (value / 10) : Math.exp);
  const magnitudes = melToSpectrum(energies, config).map((power) => Math.sqrt(power) ** sharpness);
  const samples = griffinLim(magnitudes, {
    ...{ fftSize, hopLength, windowLength, window, iterations, seed },
  });
  return sharpness === 1 ? samples : restoreLevel(samples, magnitudes, sharpness);
}

/** Returns the samples, scaled to the energy that the magnitudes had before sharpening. */
function restoreLevel(samples: Float32Array, magnitudes: Float32Array, sharpness: number): Float32Array {
  let [before, after] = [0, 0];
  for (const value of magnitudes) {
    before += value ** (2 / sharpness);
    after += value ** 2;
  }
  const factor = after > 0 ? Math.sqrt(before / after) : 1;
  return samples.map((sample) => sample * factor);
}
