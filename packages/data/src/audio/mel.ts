/** Mel filters, and the cosine transform of cepstral coefficients, as in librosa and torchaudio. */
import { UnrollError } from '@unroll/core';

/**
 * `slaney`: linear below 1,000 Hz and logarithmic above (Slaney's Auditory Toolbox; librosa's default). `htk`: 2595 log10(1 + f /
 * 700) (O'Shaughnessy; torchaudio's default).
 */
export type MelScale = 'slaney' | 'htk';

/** Slaney's scale: 3 mel per 200 Hz up to 1,000 Hz, then 27 mel per factor 6.4. */
const LINEAR_STEP = 200 / 3;
const LOG_START = 1000;
const LOG_STEP = Math.log(6.4) / 27;

/** Converts Hz to mel. */
export function hzToMel(frequency: number, scale: MelScale = 'slaney'): number {
  if (scale === 'htk') return 2595 * Math.log10(1 + frequency / 700);
  if (frequency < LOG_START) return frequency / LINEAR_STEP;
  return LOG_START / LINEAR_STEP + Math.log(frequency / LOG_START) / LOG_STEP;
}

/** Converts mel to Hz. */
export function melToHz(mel: number, scale: MelScale = 'slaney'): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2595) - 1);
  const start = LOG_START / LINEAR_STEP;
  return mel < start ? mel * LINEAR_STEP : LOG_START * Math.exp(LOG_STEP * (mel - start));
}

export interface MelFilterOptions {
  sampleRate: number;
  fftSize: number;
  /** Number of filters. */
  mels: number;
  /** Lower edge of the first filter in Hz. */
  minFrequency: number;
  /** Upper edge of the last filter in Hz. */
  maxFrequency: number;
  scale: MelScale;
  /** `area`: filters of equal area (Slaney). `peak`: filters with a peak of 1. */
  norm: 'area' | 'peak';
}

/** A triangular filter: the weights of consecutive frequencies of a spectrum. */
export interface MelFilter {
  /** Index of the first frequency with a weight. */
  start: number;
  weights: Float64Array;
}

/**
 * Returns triangular filters whose edges are evenly spaced in mel.
 * @throws UnrollError `value` if a filter contains no FFT bin
 */
export function melFilters(options: MelFilterOptions): MelFilter[] {
  const { sampleRate, fftSize, mels, minFrequency, maxFrequency, scale, norm } = options;
  const [low, high] = [hzToMel(minFrequency, scale), hzToMel(maxFrequency, scale)];
  const edges = Array.from({ length: mels + 2 }, (_, i) =>
    melToHz(low + ((high - low) * i) / (mels + 1), scale),
  );
  const bins = Math.floor(fftSize / 2) + 1;
  return Array.from({ length: mels }, (_, m) => {
    const [left, peak, right] = edges.slice(m, m + 3);
    const height = norm === 'area' ? 2 / (right - left) : 1;
    const weights = Float64Array.from({ length: bins }, (_, k) => {
      const frequency = (k * sampleRate) / fftSize;
      return (
        height *
        Math.max(0, Math.min((frequency - left) / (peak - left), (right - frequency) / (right - peak)))
      );
    });
    const start = weights.findIndex((weight) => weight > 0);
    if (start < 0) throw emptyFilter(m + 1, mels, [left, right], fftSize);
    const end = weights.findLastIndex((weight) => weight > 0) + 1;
    return { start, weights: weights.slice(start, end) };
  });
}

const emptyFilter = (m: number, mels: number, edges: number[], fftSize: number): UnrollError =>
  new UnrollError(
    'value',
    `Mel filter ${m} of ${mels} (${edges.map((edge) => edge.toFixed(1)).join(' to ')} Hz) contains no bin of an FFT ` +
      `of size ${fftSize}. Use fewer mels or a larger fftSize.`,
    { mels, fftSize },
  );

/** Returns the orthonormal DCT-II as a matrix [rows, columns], row by row. */
export function cosineTransform(rows: number, columns: number): Float64Array {
  const matrix = new Float64Array(rows * columns);
  for (let k = 0; k < rows; k++) {
    const scale = Math.sqrt((k === 0 ? 1 : 2) / columns);
    for (let n = 0; n < columns; n++)
      matrix[k * columns + n] = scale * Math.cos((Math.PI * k * (n + 0.5)) / columns);
  }
  return matrix;
}
