/**
 * Converts a magnitude spectrogram to sound: the fast Griffin-Lim algorithm (Griffin & Lim 1984; with momentum: Perraudin et al.
 * 2013) estimates the phases, and the inverse short-time Fourier transform gives the samples. With initial phases of 0, the
 * results equal librosa's.
 */
import { RandomStream, UnrollError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { analysisWindow, WINDOW_NAMES, type WindowName } from './analysis-windows.js';
import { RealFft } from './fft.js';

export interface GriffinLimOptions {
  /** Size of the FFT: a frame has floor(fftSize / 2) + 1 magnitudes. */
  fftSize: number;
  /** Samples between the starts of two frames. Default: a quarter of the window. */
  hopLength?: number;
  /** Samples of a window. Default: `fftSize`. */
  windowLength?: number;
  /** Window function. Default `hann`. */
  window?: WindowName;
  /** Number of iterations. Default 32. */
  iterations?: number;
  /** From 0 (the original algorithm) to below 1; higher values converge faster. Default 0.99. */
  momentum?: number;
  /** Seed of the initial phases; null: all phases are 0. Default 0. */
  seed?: number | null;
}

/** Complex spectra of frames: [frames, bins], row by row. */
interface Spectra {
  re: Float64Array;
  im: Float64Array;
}

/** The smallest normal float32, which librosa, too, adds to divisors. */
const TINY = 1.1754943508222875e-38;

/**
 * Returns samples whose spectrogram is close to the given magnitudes. Frames are centred: the result has
 * hopLength * (frames - 1) samples.
 * @param magnitudes [frames, floor(fftSize / 2) + 1], row by row: the square roots of the features of kind `spectrogram`
 * @throws UnrollError `value` for invalid options, `data` for fewer than two frames and for negative or non-finite magnitudes
 */
export function griffinLim(magnitudes: Float32Array, options: GriffinLimOptions): Float32Array {
  const { seed, ...others } = options;
  checkOptions('griffinLim', { ...others, seed: seed ?? undefined }, TYPES);
  const { iterations = 32, momentum = 0.99 } = options;
  const transform = new Stft(options);
  const { bins } = transform;
  const count = magnitudes.length / bins;
  if (!Number.isInteger(count) || count < 2) {
    const message = `griffinLim: magnitudes must have at least two frames of ${bins} values, got ${magnitudes.length} values.`;
    throw new UnrollError('data', message);
  }
  const wrong = magnitudes.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
  if (wrong >= 0)
    throw new UnrollError(
      'data',
      `griffinLim: magnitudes must be finite and not negative, got ${magnitudes[wrong]} at index ${wrong}.`,
    );
  let spectra = initialSpectra(magnitudes, seed === undefined ? 0 : seed);
  let previous: Spectra | null = null;
  const weight = momentum / (1 + momentum);
  for (let i = 0; i < iterations; i++) {
    const rebuilt = transform.forward(transform.inverse(spectra));
    spectra = withMagnitudes(magnitudes, rebuilt, previous, weight);
    previous = rebuilt;
  }
  return Float32Array.from(transform.inverse(spectra));
}

const TYPES = {
  fftSize: 'count',
  hopLength: 'count',
  windowLength: 'count',
  window: WINDOW_NAMES,
  iterations: 'nonNegativeInteger',
  momentum: 'fraction',
  seed: 'nonNegativeInteger',
} as const;

function initialSpectra(magnitudes: Float32Array, seed: number | null): Spectra {
  if (seed === null) return { re: Float64Array.from(magnitudes), im: new Float64Array(magnitudes.length) };
  const phases = new RandomStream(seed, 'griffin-lim').uniform(magnitudes.length, 0, 2 * Math.PI);
  return {
    re: phases.map((phase, i) => magnitudes[i] * Math.cos(phase)),
    im: phases.map((phase, i) => magnitudes[i] * Math.sin(phase)),
  };
}

/** Returns spectra with the given magnitudes and the phases of `rebuilt - weight * previous`. */
function withMagnitudes(
  magnitudes: Float32Array,
  rebuilt: Spectra,
  previous: Spectra | null,
  weight: number,
): Spectra {
  const re = new Float64Array(magnitudes.length);
  const im = new Float64Array(magnitudes.length);
  for (let i = 0; i < magnitudes.length; i++) {
    const x = rebuilt.re[i] - (previous === null ? 0 : weight * previous.re[i]);
    const y = rebuilt.im[i] - (previous === null ? 0 : weight * previous.im[i]);
    const scale = magnitudes[i] / (Math.sqrt(x * x + y * y) + TINY);
    re[i] = x * scale;
    im[i] = y * scale;
  }
  return { re, im };
}

/** The short-time Fourier transform with centred frames, and its inverse by overlap-add. */
class Stft {
  readonly bins: number;
  readonly #size: number;
  readonly #hop: number;
  readonly #window: Float64Array;
  readonly #fft: RealFft;
  readonly #frame: Float64Array;

  constructor({ fftSize, windowLength = fftSize, hopLength, window = 'hann' }: GriffinLimOptions) {
    if (windowLength > fftSize)
      throw valueError(`griffinLim: windowLength must be at most fftSize (${fftSize}), got ${windowLength}.`);
    this.#size = fftSize;
    this.#hop = hopLength ?? Math.max(1, Math.floor(windowLength / 4));
    this.#window = analysisWindow(window, windowLength, fftSize);
    this.#fft = new RealFft(fftSize);
    this.bins = this.#fft.bins;
    this.#frame = new Float64Array(fftSize);
  }

  /** Returns the spectra of the samples, which are padded with zeros. */
  forward(samples: Float64Array): Spectra {
    const { bins } = this;
    const [size, hop, frame, window] = [this.#size, this.#hop, this.#frame, this.#window];
    const pad = Math.floor(size / 2);
    const count = Math.floor(samples.length / hop) + 1;
    const spectra = { re: new Float64Array(count * bins), im: new Float64Array(count * bins) };
    for (let t = 0; t < count; t++) {
      for (let n = 0; n < size; n++) frame[n] = window[n] * (samples[t * hop - pad + n] ?? 0);
      const range = [t * bins, (t + 1) * bins] as const;
      this.#fft.forward(frame, spectra.re.subarray(...range), spectra.im.subarray(...range));
    }
    return spectra;
  }

  /** Returns samples: the windowed frames of the spectra are added and divided by the sum of the squared windows. */
  inverse({ re, im }: Spectra): Float64Array {
    const { bins } = this;
    const [size, hop, frame, window] = [this.#size, this.#hop, this.#frame, this.#window];
    const pad = Math.floor(size / 2);
    const count = re.length / bins;
    const sums = new Float64Array(size + hop * (count - 1));
    const weights = new Float64Array(sums.length);
    for (let t = 0; t < count; t++) {
      this.#fft.inverse(re.subarray(t * bins, (t + 1) * bins), im.subarray(t * bins, (t + 1) * bins), frame);
      for (let n = 0; n < size; n++) {
        sums[t * hop + n] += window[n] * frame[n];
        weights[t * hop + n] += window[n] * window[n];
      }
    }
    return sums.subarray(pad, pad + hop * (count - 1)).map((sum, n) => {
      const weight = weights[pad + n];
      return weight > TINY ? sum / weight : sum;
    });
  }
}
