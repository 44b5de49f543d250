/** Window functions of the short-time Fourier transform, periodic as in librosa and torchaudio. */

export type WindowName = 'hann' | 'hamming' | 'blackman' | 'rectangular';

/** Coefficients a[k] of each window: w[n] = sum over k of (-1)^k a[k] cos(2 pi k n / length). */
const COEFFICIENTS: Readonly<Record<WindowName, readonly number[]>> = {
  hann: [0.5, 0.5],
  hamming: [0.54, 0.46],
  blackman: [0.42, 0.5, 0.08],
  rectangular: [1],
};

export const WINDOW_NAMES = Object.keys(COEFFICIENTS) as WindowName[];

/** Returns a periodic window of `length` samples, padded with zeros on both sides to `size`. */
export function analysisWindow(name: WindowName, length: number, size = length): Float64Array {
  const window = new Float64Array(size);
  const start = Math.floor((size - length) / 2);
  if (length === 1) return window.fill(1, start, start + 1);
  for (let n = 0; n < length; n++) {
    window[start + n] = COEFFICIENTS[name].reduce(
      (sum, a, k) => sum + (k % 2 === 0 ? a : -a) * Math.cos((2 * Math.PI * k * n) / length),
      0,
    );
  }
  return window;
}
