/**
 * Discrete Fourier transforms of any size in double precision: Cooley-Tukey with radix 2 for powers of two, Bluestein's
 * convolution for other sizes. Twiddle factors are computed once per size.
 */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

/** Complex transform X[k] = sum over n of x[n] exp(-2 pi i k n / size), in place. */
interface ComplexTransform {
  forward(re: Float64Array, im: Float64Array): void;
}

/** The transform of a size 2^m (Cooley & Tukey 1965). */
class PowerOfTwo implements ComplexTransform {
  readonly #size: number;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  /** Index with its bits reversed. */
  readonly #reversed: Uint32Array;

  constructor(size: number) {
    this.#size = size;
    this.#cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
    this.#reversed = new Uint32Array(size);
    for (let i = 1; i < size; i++)
      this.#reversed[i] = (this.#reversed[i >> 1] >> 1) | (i & 1 ? size >> 1 : 0);
  }

  forward(re: Float64Array, im: Float64Array): void {
    const size = this.#size;
    for (let i = 0; i < size; i++) {
      const j = this.#reversed[i];
      if (j <= i) continue;
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
    for (let half = 1; half < size; half *= 2) this.#butterflies(re, im, half);
  }

  /** Combines pairs of transforms of size `half` into transforms of twice the size. */
  #butterflies(re: Float64Array, im: Float64Array, half: number): void {
    const [cos, sin] = [this.#cos, this.#sin];
    const stride = this.#size / (2 * half);
    for (let start = 0; start < this.#size; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const [a, b] = [start + k, start + k + half];
        const [c, s] = [cos[k * stride], sin[k * stride]];
        const [x, y] = [re[b] * c - im[b] * s, re[b] * s + im[b] * c];
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}

/** The transform of any size (Bluestein 1970): kn = (k² + n² - (k - n)²) / 2 makes the transform a convolution with a chirp. */
class Bluestein implements ComplexTransform {
  readonly #size: number;
  readonly #inner: PowerOfTwo;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #chirpRe: Float64Array;
  readonly #chirpIm: Float64Array;
  readonly #re: Float64Array;
  readonly #im: Float64Array;

  constructor(size: number) {
    const padded = 2 ** Math.ceil(Math.log2(2 * size - 1));
    this.#size = size;
    this.#inner = new PowerOfTwo(padded);
    // k² modulo 2 size: the angle keeps its precision for large k.
    const angle = (k: number): number => (Math.PI * ((k * k) % (2 * size))) / size;
    this.#cos = Float64Array.from({ length: size }, (_, k) => Math.cos(angle(k)));
    this.#sin = Float64Array.from({ length: size }, (_, k) => Math.sin(angle(k)));
    [this.#re, this.#im] = [new Float64Array(padded), new Float64Array(padded)];
    [this.#chirpRe, this.#chirpIm] = [new Float64Array(padded), new Float64Array(padded)];
    for (let k = 0; k < size; k++) {
      for (const at of k === 0 ? [0] : [k, padded - k]) {
        this.#chirpRe[at] = this.#cos[k];
        this.#chirpIm[at] = this.#sin[k];
      }
    }
    this.#inner.forward(this.#chirpRe, this.#chirpIm);
  }

  forward(re: Float64Array, im: Float64Array): void {
    const [a, b, cos, sin] = [this.#re.fill(0), this.#im.fill(0), this.#cos, this.#sin];
    for (let k = 0; k < this.#size; k++) {
      a[k] = re[k] * cos[k] + im[k] * sin[k];
      b[k] = im[k] * cos[k] - re[k] * sin[k];
    }
    this.#inner.forward(a, b);
    // The product is conjugated, so that another forward transform computes the inverse.
    for (let k = 0; k < a.length; k++) {
      const x = a[k] * this.#chirpRe[k] - b[k] * this.#chirpIm[k];
      b[k] = -(a[k] * this.#chirpIm[k] + b[k] * this.#chirpRe[k]);
      a[k] = x;
    }
    this.#inner.forward(a, b);
    const scale = 1 / a.length;
    for (let k = 0; k < this.#size; k++) {
      re[k] = (a[k] * cos[k] - b[k] * sin[k]) * scale;
      im[k] = (-b[k] * cos[k] - a[k] * sin[k]) * scale;
    }
  }
}

const complexTransform = (size: number): ComplexTransform =>
  (size & (size - 1)) === 0 ? new PowerOfTwo(size) : new Bluestein(size);

const MAX_SIZE = 2 ** 22;

/**
 * The transform of real sequences of one size, and its inverse.
 * @throws UnrollError `value` for a size that is not an integer from 1 to 4,194,304
 */
export class RealFft {
  readonly size: number;
  /** Number of frequencies from 0 to half the sample rate: floor(size / 2) + 1. */
  readonly bins: number;
  readonly #inner: ComplexTransform;
  readonly #re: Float64Array;
  readonly #im: Float64Array;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1 || size > MAX_SIZE)
      throw valueError(
        `The size of an FFT must be an integer from 1 to ${MAX_SIZE}, got ${formatValue(size)}.`,
      );
    this.size = size;
    this.bins = Math.floor(size / 2) + 1;
    // An even size is computed as a complex transform of half the size.
    const inner = size % 2 === 0 ? size / 2 : size;
    this.#inner = complexTransform(inner);
    [this.#re, this.#im] = [new Float64Array(inner), new Float64Array(inner)];
    this.#cos = Float64Array.from({ length: this.bins }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.#sin = Float64Array.from({ length: this.bins }, (_, k) => Math.sin((2 * Math.PI * k) / size));
  }

  /**
   * Computes X[k] = sum over n of x[n] exp(-2 pi i k n / size) for k < bins.
   * @param x `size` numbers @param re, im receive the real and imaginary parts of the `bins` frequencies
   */
  forward(x: Float64Array, re: Float64Array, im: Float64Array): void {
    const [a, b, cos, sin] = [this.#re, this.#im, this.#cos, this.#sin];
    const half = a.length;
    if (half === this.size) {
      a.set(x);
      this.#inner.forward(a, b.fill(0));
      re.set(a.subarray(0, this.bins));
      im.set(b.subarray(0, this.bins));
      return;
    }
    for (let k = 0; k < half; k++) [a[k], b[k]] = [x[2 * k], x[2 * k + 1]];
    this.#inner.forward(a, b);
    for (let k = 0; k <= half; k++) {
      const [i, j] = [k % half, (half - k) % half];
      // The transforms of the elements with even and with odd indices, separated by symmetry.
      const [evenRe, evenIm] = [(a[i] + a[j]) / 2, (b[i] - b[j]) / 2];
      const [oddRe, oddIm] = [(b[i] + b[j]) / 2, (a[j] - a[i]) / 2];
      re[k] = evenRe + oddRe * cos[k] + oddIm * sin[k];
      im[k] = evenIm + oddIm * cos[k] - oddRe * sin[k];
    }
  }

  /**
   * Computes the inverse of `forward`. The imaginary parts of frequency 0 and, for an even size, of the last one are ignored.
   * @param re, im `bins` frequencies @param x receives `size` numbers
   */
  inverse(re: Float64Array, im: Float64Array, x: Float64Array): void {
    const { size, bins } = this;
    if (size % 2 === 1) {
      this.#inverseOdd(re, im, x);
      return;
    }
    const [a, b, cos, sin] = [this.#re, this.#im, this.#cos, this.#sin];
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const j = half - k;
      const [xi, yi] = [k === 0 ? 0 : im[k], j === bins - 1 ? 0 : im[j]];
      const [evenRe, evenIm] = [(re[k] + re[j]) / 2, (xi - yi) / 2];
      const [dRe, dIm] = [(re[k] - re[j]) / 2, (xi + yi) / 2];
      const [oddRe, oddIm] = [dRe * cos[k] - dIm * sin[k], dIm * cos[k] + dRe * sin[k]];
      // Conjugated, so that the forward transform computes the inverse.
      a[k] = evenRe - oddIm;
      b[k] = -(evenIm + oddRe);
    }
    this.#inner.forward(a, b);
    for (let k = 0; k < half; k++) [x[2 * k], x[2 * k + 1]] = [a[k] / half, -b[k] / half];
  }

  #inverseOdd(re: Float64Array, im: Float64Array, x: Float64Array): void {
    const { size, bins } = this;
    const [a, b] = [this.#re, this.#im];
    for (let k = 0; k < bins; k++) {
      a[k] = re[k];
      b[k] = k === 0 ? 0 : -im[k];
      if (k === 0) continue;
      a[size - k] = re[k];
      b[size - k] = im[k];
    }
    this.#inner.forward(a, b);
    for (let n = 0; n < size; n++) x[n] = a[n] / size;
  }
}
