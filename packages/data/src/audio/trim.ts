/** Finds silence at the start and the end of a sound, as librosa.effects.trim does. */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';

export interface TrimOptions {
  /** A frame is silent if its power is at least `threshold` dB below the power of the loudest frame. Default 60. */
  threshold?: number;
  /** Number of samples of a frame. Default 2048. */
  frameLength?: number;
  /** Samples between the starts of two frames. Default 512. */
  hopLength?: number;
}

/**
 * Returns the range of the sound without the silence at both ends, for `samples.subarray(start, end)`. If all samples are 0, the
 * range is the whole sound.
 * @throws UnrollError `data` if there are no samples, `value` for invalid options
 */
export function trimSilence(
  samples: Float32Array,
  options: TrimOptions = {},
): { start: number; end: number } {
  checkOptions('trimSilence', options, { threshold: 'number', frameLength: 'count', hopLength: 'count' });
  const { threshold = 60, frameLength = 2048, hopLength = 512 } = options;
  if (!(threshold > 0)) throw valueError(`trimSilence: threshold must be above 0 dB, got ${threshold}.`);
  if (samples.length === 0) throw new UnrollError('data', 'The sound has no samples.');
  const powers = framePowers(samples, frameLength, hopLength);
  const loudest = powers.reduce((a, b) => Math.max(a, b), 0);
  const lowest = Math.max(1e-10, loudest) * 10 ** (-threshold / 10);
  const isLoud = (power: number): boolean => Math.max(power, 1e-10) > lowest;
  const first = powers.findIndex(isLoud);
  if (loudest === 0 || first < 0) return { start: 0, end: samples.length };
  return {
    start: first * hopLength,
    end: Math.min(samples.length, (powers.findLastIndex(isLoud) + 1) * hopLength),
  };
}

/** Returns the mean square of each frame; the middle of frame t is sample t * hop. */
function framePowers(samples: Float32Array, size: number, hop: number): Float64Array {
  // With cumulative sums of squares, each sample is read once, however long the frames are.
  const sums = new Float64Array(samples.length + 1);
  for (let i = 0; i < samples.length; i++) sums[i + 1] = sums[i] + samples[i] * samples[i];
  const pad = Math.floor(size / 2);
  const count = Math.floor((samples.length + 2 * pad - size) / hop) + 1;
  return Float64Array.from({ length: count }, (_, t) => {
    const start = Math.min(samples.length, Math.max(0, t * hop - pad));
    const end = Math.max(0, Math.min(samples.length, t * hop - pad + size));
    return Math.max(0, sums[end] - sums[start]) / size;
  });
}
