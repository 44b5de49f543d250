/** Converts frames of samples to features: power spectrum, mel filters, logarithm and cosine transform. */
import { analysisWindow } from './analysis-windows.js';
import type { AudioFeatureConfig } from './config.js';
import { RealFft } from './fft.js';
import { cosineTransform, type MelFilter, melFilters } from './mel.js';

export class FrameTransform {
  /** Number of values of a frame after `complete`. */
  readonly width: number;
  /** Number of values of a frame after `spectrum`, before `complete`. */
  readonly spectrumWidth: number;
  readonly #window: Float64Array;
  readonly #fft: RealFft;
  /** Null: the features are the power spectrum itself. */
  readonly #filters: readonly MelFilter[] | null;
  /** Factor by which the natural logarithm is multiplied; null: no logarithm. */
  readonly #log: number | null;
  readonly #floor: number;
  /** The cosine transform of MFCC: [width, mels]; null for other features. */
  readonly #cosines: Float64Array | null;
  readonly #frame: Float64Array;
  readonly #re: Float64Array;
  readonly #im: Float64Array;

  /** @throws UnrollError `value` for mel filters that contain no FFT bin */
  constructor(config: AudioFeatureConfig) {
    const { kind, fftSize, mels, coefficients, logarithm, melScale, melNorm } = config;
    this.#window = analysisWindow(config.window, config.windowLength, fftSize);
    this.#fft = new RealFft(fftSize);
    this.#filters = kind === 'spectrogram' ? null : melFilters({ ...config, scale: melScale, norm: melNorm });
    this.#log = kind === 'logMel' || kind === 'mfcc' ? (logarithm === 'decibel' ? 10 / Math.LN10 : 1) : null;
    this.#floor = config.floor;
    this.#cosines = kind === 'mfcc' ? cosineTransform(coefficients, mels) : null;
    this.spectrumWidth = this.#filters === null ? this.#fft.bins : mels;
    this.width = kind === 'mfcc' ? coefficients : this.spectrumWidth;
    this.#frame = new Float64Array(fftSize);
    [this.#re, this.#im] = [new Float64Array(this.#fft.bins), new Float64Array(this.#fft.bins)];
  }

  /** Transforms `fftSize` samples and writes `spectrumWidth` values to `out`. */
  spectrum(samples: Float32Array, out: Float32Array): void {
    const [frame, re, im] = [this.#frame, this.#re, this.#im];
    for (let i = 0; i < frame.length; i++) frame[i] = samples[i] * this.#window[i];
    this.#fft.forward(frame, re, im);
    for (let k = 0; k < re.length; k++) re[k] = re[k] * re[k] + im[k] * im[k];
    const filters = this.#filters;
    if (filters === null) out.set(re);
    else this.#energies(filters, re, out);
  }

  /** Applies the mel filters and the logarithm to a power spectrum. */
  #energies(filters: readonly MelFilter[], power: Float64Array, out: Float32Array): void {
    for (let m = 0; m < filters.length; m++) {
      const { start, weights } = filters[m];
      let energy = 0;
      for (let k = 0; k < weights.length; k++) energy += weights[k] * power[start + k];
      out[m] = this.#log === null ? energy : this.#log * Math.log(Math.max(energy, this.#floor));
    }
  }

  /**
   * Applies the cosine transform of MFCC to frames [count, spectrumWidth]. Frames of other features are returned unchanged.
   * @returns [count, width]
   */
  complete(frames: Float32Array): Float32Array {
    const [cosines, columns, rows] = [this.#cosines, this.spectrumWidth, this.width];
    if (cosines === null) return frames;
    const count = frames.length / columns;
    const result = new Float32Array(count * rows);
    for (let t = 0; t < count; t++) {
      for (let k = 0; k < rows; k++) {
        let sum = 0;
        for (let m = 0; m < columns; m++) sum += cosines[k * columns + m] * frames[t * columns + m];
        result[t * rows + k] = sum;
      }
    }
    return result;
  }
}
