/**
 * Changes the sample rate with a polyphase windowed sinc filter. Each output sample depends only on the input samples around it,
 * so the result does not depend on the size of the chunks. With the same parameters, the results equal
 * torchaudio.functional.resample.
 */
import { UnrollError, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { joined } from './joined.js';
import { checkRate } from './waveform.js';

export interface ResampleOptions {
  /** Sample rate of the input in Hz. */
  from: number;
  /** Sample rate of the output in Hz. */
  to: number;
  /** Number of zero crossings of the sinc on each side. More crossings give a sharper filter and a longer delay. Default 64. */
  crossings?: number;
  /** Cutoff frequency as a fraction of half the lower sample rate. Default 0.9476. */
  rolloff?: number;
  /** The window of the sinc. Default `kaiser`. */
  window?: 'kaiser' | 'hann';
  /**
   * Shape of the Kaiser window: with a higher value, the filter attenuates more but is less sharp. Default 14.77. The defaults are
   * the parameters of the filter "kaiser_best" in resampy.
   */
  beta?: number;
}

/** Largest number of filter coefficients of all phases. */
const MAX_TABLE = 2 ** 24;

/** Takes samples in chunks and returns samples at the other rate, ceil(input * to / from) in total. */
export class Resampler {
  readonly #from: number;
  readonly #to: number;
  /** Input samples on each side of an output sample. */
  readonly #radius: number;
  /** [to, taps]: the coefficients of each phase. */
  readonly #filters: Float64Array;
  readonly #taps: number;
  /** The input samples that are still needed. The first one has the index `#offset`. */
  #input: Float32Array;
  #offset: number;
  #received = 0;
  #returned = 0;
  #ended = false;

  /** @throws UnrollError `value` for invalid options, and for rates whose greatest common divisor is too small */
  constructor(options: ResampleOptions) {
    const {
      crossings = 64,
      rolloff = 0.9475937167399596,
      window = 'kaiser',
      beta = 14.769656459379492,
    } = options;
    checkOptions('resample', options, {
      ...{ from: 'number', to: 'number', crossings: 'count', rolloff: 'number' },
      ...{ window: ['kaiser', 'hann'], beta: 'number' },
    });
    const { from, to } = options;
    for (const rate of [from, to]) checkRate('resample', rate);
    if (!(rolloff > 0 && rolloff <= 1))
      throw valueError(`resample: rolloff must be above 0 and at most 1, got ${rolloff}.`);
    const divisor = Number.isInteger(from) && Number.isInteger(to) ? greatestCommonDivisor(from, to) : 0;
    if (divisor === 0)
      throw valueError(`resample: the sample rates must be integers, got ${from} and ${to}.`);
    [this.#from, this.#to] = [from / divisor, to / divisor];
    const cutoff = Math.min(this.#from, this.#to) * rolloff;
    this.#radius = Math.ceil((crossings * this.#from) / cutoff);
    this.#taps = 2 * this.#radius + 2;
    if (this.#to * this.#taps > MAX_TABLE) {
      throw valueError(
        `resample: the ratio of ${from} and ${to} Hz needs too large a filter. Choose rates with a larger common divisor.`,
        { from, to },
      );
    }
    this.#filters = this.#table({ crossings, cutoff, window, beta });
    this.#input = new Float32Array(this.#radius);
    this.#offset = -this.#radius;
  }

  /** Returns the coefficients of each phase. */
  #table({
    crossings,
    cutoff,
    window,
    beta,
  }: Record<'crossings' | 'cutoff' | 'beta', number> & { window: string }) {
    const [from, to, taps, radius] = [this.#from, this.#to, this.#taps, this.#radius];
    const table = new Float64Array(to * taps);
    const norm = besselI0(beta);
    for (let phase = 0; phase < to; phase++) {
      // Output sample n is at input position n * from / to; its taps start `radius` samples before floor(n * from / to).
      const position = ((phase * from) % to) / to;
      for (let tap = 0; tap < taps; tap++) {
        const x = ((tap - radius - position) * cutoff) / from;
        if (Math.abs(x) >= crossings) continue;
        const ratio = x / crossings;
        const weight =
          window === 'hann'
            ? Math.cos((Math.PI * ratio) / 2) ** 2
            : besselI0(beta * Math.sqrt(1 - ratio * ratio)) / norm;
        const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
        table[phase * taps + tap] = (sinc * weight * cutoff) / from;
      }
    }
    return table;
  }

  /** Appends samples and returns the output samples that are now known. @throws UnrollError `state` after `end` */
  push(samples: Float32Array): Float32Array<ArrayBuffer> {
    if (this.#ended) throw new UnrollError('state', 'The stream has ended. Start another one.');
    this.#received += samples.length;
    return this.#append(samples, Number.POSITIVE_INFINITY);
  }

  /** Ends the stream and returns the last output samples. @throws UnrollError `state` after `end` */
  end(): Float32Array<ArrayBuffer> {
    if (this.#ended) throw new UnrollError('state', 'The stream has ended. Start another one.');
    this.#ended = true;
    const total = Math.ceil((this.#received * this.#to) / this.#from);
    return this.#append(new Float32Array(this.#taps + this.#from), total);
  }

  #append(samples: Float32Array, total: number): Float32Array<ArrayBuffer> {
    const input = joined([this.#input, samples]);
    const [from, to, taps, radius] = [this.#from, this.#to, this.#taps, this.#radius];
    const end = this.#offset + input.length;
    // The last tap of output sample n is input sample floor(n * from / to) - radius + taps - 1.
    const known = Math.ceil(((end - taps + radius + 1) * to) / from);
    const count = Math.max(0, Math.min(known, total) - this.#returned);
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      const n = this.#returned + i;
      const start = Math.floor((n * from) / to) - radius - this.#offset;
      const filter = (n % to) * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += this.#filters[filter + tap] * input[start + tap];
      out[i] = sum;
    }
    this.#returned += count;
    const next = Math.max(this.#offset, Math.floor((this.#returned * from) / to) - radius);
    this.#input = input.slice(next - this.#offset);
    this.#offset = next;
    return out;
  }
}

/**
 * Returns the samples at another sample rate.
 * @throws UnrollError `value` for invalid options
 */
export function resample(samples: Float32Array, options: ResampleOptions): Float32Array {
  const resampler = new Resampler(options);
  if (options.from === options.to) return samples.slice();
  return joined([resampler.push(samples), resampler.end()]);
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);

/** The modified Bessel function of the first kind of order 0, by its power series. */
function besselI0(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
