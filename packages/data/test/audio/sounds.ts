/** The sounds of tools/goldens/audio.py, and functions that read and compare the golden tensors. */

/** Returns numbers in [-1, 1) from a linear congruential generator. */
export function noise(length: number): Float64Array {
  let state = 12345n;
  return Float64Array.from({ length }, () => {
    state = (1103515245n * state + 12345n) % 2n ** 31n;
    return Number(state) / 2 ** 30 - 1;
  });
}

const LENGTHS = { chirp: 3000, tones: 9000, short: 700 };
export type SoundName = keyof typeof LENGTHS;

export function sound(name: SoundName): Float32Array {
  const random = noise(LENGTHS[name]);
  return Float32Array.from(random, (value, n) => {
    const t = n / 8000;
    if (name !== 'tones') return 0.4 * Math.sin(2 * Math.PI * (200 * t + 3000 * t * t)) + 0.05 * value;
    const level = n >= 2500 && n < 6200 ? 0.5 : 0.0001;
    return level * (Math.sin(2 * Math.PI * 440 * t) + 0.3 * Math.sin(2 * Math.PI * 1320 * t));
  });
}

export interface GoldenTensor {
  shape: number[];
  data: string;
}

export function arrayOf({ data }: GoldenTensor): Float32Array {
  const bytes = Buffer.from(data, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Returns the largest difference, relative to max(1, max|expected|). */
export function differenceOf(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [largest, scale] = [0, 1];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= largest)) largest = difference;
    scale = Math.max(scale, Math.abs(expected[i]));
  }
  return largest / scale;
}
