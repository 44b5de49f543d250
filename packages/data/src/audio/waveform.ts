/** Sampled sound. */
import { UnrollError, valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

/** Sound of one or more channels. */
export interface Waveform {
  /** Samples of each channel, all of the same length; full scale is -1 to 1. */
  channels: readonly Float32Array[];
  /** Samples per second (Hz). */
  sampleRate: number;
}

/** Highest supported sample rate in Hz. */
const MAX_RATE = 1_000_000;

/** @throws UnrollError `value` unless the sample rate is above 0 and at most 1 MHz */
export function checkRate(owner: string, sampleRate: number): void {
  if (typeof sampleRate === 'number' && sampleRate > 0 && sampleRate <= MAX_RATE) return;
  const message = `${owner}: the sample rate must be above 0 and at most ${MAX_RATE} Hz, got ${formatValue(sampleRate)}.`;
  throw valueError(message, { sampleRate });
}

/**
 * Returns the mean of all channels; a single channel is returned as it is, not copied.
 * @throws UnrollError `data` if there are no channels or they differ in length
 */
export function mono({ channels }: Waveform): Float32Array {
  const [first, ...others] = channels;
  if (first === undefined) throw new UnrollError('data', 'The sound has no channels.');
  if (others.length === 0) return first;
  const different = others.find(({ length }) => length !== first.length);
  if (different !== undefined) {
    const message = `All channels must have the same length, got ${first.length} and ${different.length} samples.`;
    throw new UnrollError('data', message);
  }
  return first.map(
    (sample, i) => others.reduce((sum, channel) => sum + channel[i], sample) / channels.length,
  );
}

/**
 * Returns the root mean square of samples.
 * @param samples at least one
 */
export function rootMeanSquare(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}
