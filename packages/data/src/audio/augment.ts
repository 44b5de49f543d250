/** Data augmentation for sounds. Random numbers come from a `RandomStream`, so that a run can be repeated. */
import type { RandomStream } from '@unroll/core';
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { resample } from './resample.js';
import { rootMeanSquare } from './waveform.js';

/**
 * Returns the samples with white noise added. Digital silence stays silence.
 * @param ratio signal-to-noise ratio in dB
 */
export function addNoise(samples: Float32Array, ratio: number, random: RandomStream): Float32Array {
  if (!Number.isFinite(ratio))
    throw valueError(`addNoise: the ratio must be a finite number of dB, got ${ratio}.`);
  if (samples.length === 0) return samples.slice();
  const deviation = rootMeanSquare(samples) * 10 ** (-ratio / 20);
  const noise = random.normal(samples.length, 0, deviation);
  return samples.map((sample, i) => sample + noise[i]);
}

/** Returns the samples amplified by `level` dB, not clipped to -1 to 1. */
export function applyGain(samples: Float32Array, level: number): Float32Array {
  if (!Number.isFinite(level))
    throw valueError(`applyGain: the level must be a finite number of dB, got ${level}.`);
  const factor = 10 ** (level / 20);
  return samples.map((sample) => sample * factor);
}

/**
 * Returns the sound played at another speed. The pitch changes with the speed, as with a tape (Ko et al. 2015).
 * @param factor from 0.25 to 4, rounded to hundredths; with 1.1, the sound is a tenth faster and higher
 */
export function changeSpeed(samples: Float32Array, factor: number): Float32Array {
  const from = Math.round(factor * 100);
  if (!(from >= 25 && from <= 400))
    throw valueError(`changeSpeed: the factor must be from 0.25 to 4, got ${factor}.`);
  return resample(samples, { from, to: 100, crossings: 16 });
}

export interface SpecAugmentOptions {
  /** Number of masks over features. Default 2. */
  featureMasks?: number;
  /** Largest width of such a mask as a fraction of the features. Default 0.2. */
  featureShare?: number;
  /** Number of masks over time. Default 2. */
  timeMasks?: number;
  /** Largest width of such a mask as a fraction of the frames. Default 0.1. */
  timeShare?: number;
  /** The value of masked features. Default 0, the mean of standardised features. */
  value?: number;
}

/**
 * Sets random ranges of features and of frames to `options.value`, in place (SpecAugment, Park et al. 2019, without time warping).
 * @param values [frames, width], row by row
 */
export function specAugment(
  values: Float32Array,
  width: number,
  random: RandomStream,
  options: SpecAugmentOptions = {},
): void {
  checkOptions('specAugment', options, {
    ...{ featureMasks: 'nonNegativeInteger', featureShare: 'fraction' },
    ...{ timeMasks: 'nonNegativeInteger', timeShare: 'fraction', value: 'number' },
  });
  const { featureMasks = 2, featureShare = 0.2, timeMasks = 2, timeShare = 0.1, value = 0 } = options;
  const length = values.length / width;
  for (let mask = 0; mask < featureMasks; mask++) {
    const { start, end } = randomRange(width, featureShare, random);
    for (let t = 0; t < length; t++) values.fill(value, t * width + start, t * width + end);
  }
  for (let mask = 0; mask < timeMasks; mask++) {
    const { start, end } = randomRange(length, timeShare, random);
    values.fill(value, start * width, end * width);
  }
}

/** Returns a range of at most `share` of `size`, at a random position. */
function randomRange(size: number, share: number, random: RandomStream): { start: number; end: number } {
  const [first, second] = random.uniform(2);
  const length = Math.floor(first * (Math.floor(share * size) + 1));
  const start = Math.floor(second * (size - length + 1));
  return { start, end: start + length };
}

/**
 * Returns frames that are stretched or compressed in time and in frequency, by linear interpolation: a cheap approximation of speed
 * perturbation and of vocal tract length perturbation (Jaitly & Hinton 2013).
 * @param values [frames, width], row by row
 * @param factors with `time` 1.1, the sound is slower and has a tenth more frames; with `frequency` 1.1, feature f moves to 1.1 f
 * @returns new frames, at least one
 */
export function warpFrames(
  values: Float32Array,
  width: number,
  { time = 1, frequency = 1 }: { time?: number; frequency?: number },
): Float32Array {
  if (!(time > 0 && frequency > 0))
    throw valueError(`warpFrames: the factors must be above 0, got ${time} and ${frequency}.`);
  const length = values.length / width;
  const frames = Math.max(1, Math.round(length * time));
  const columns = Array.from({ length: width }, (_, f) => neighbours(f / frequency, width));
  const out = new Float32Array(frames * width);
  for (let t = 0; t < frames; t++) {
    const row = neighbours(frames === 1 ? 0 : (t * (length - 1)) / (frames - 1), length);
    for (let f = 0; f < width; f++) {
      const { low, high, weight } = columns[f];
      const valueInRow = (r: number): number =>
        (1 - weight) * values[r * width + low] + weight * values[r * width + high];
      out[t * width + f] = (1 - row.weight) * valueInRow(row.low) + row.weight * valueInRow(row.high);
    }
  }
  return out;
}

/** Returns the indices on both sides of a fractional position in a list, and the weight of the higher index in the interpolation. */
function neighbours(position: number, size: number): { low: number; high: number; weight: number } {
  const low = Math.min(size - 1, Math.floor(position));
  return { low, high: Math.min(size - 1, low + 1), weight: low === size - 1 ? 0 : position - low };
}
