/** Cuts samples, which arrive in chunks, into overlapping frames, and returns the spectra of the frames. */
import { UnrollError } from '@unroll/core';
import type { AudioFeatureConfig } from './config.js';
import type { FrameTransform } from './frame-transform.js';

export class Framer {
  readonly #transform: FrameTransform;
  readonly #size: number;
  readonly #hop: number;
  /** Number of padding samples before the first sample and after the last. */
  readonly #pad: number;
  readonly #reflect: boolean;
  /** Buffer of samples and padding, which begins at the start of the next frame. Its first `#filled` values are valid. */
  #samples: Float32Array;
  #filled = 0;
  /** Number of samples to skip before the next frame, if hops are longer than frames. */
  #skip = 0;
  /** With reflection: the samples received so far, until there are enough to reflect at the start; then null. */
  #start: Float32Array | null;
  /** The last samples, for the reflection at the end. */
  #last: Float32Array = new Float32Array(0);
  #count = 0;

  constructor({ fftSize, hopLength, center, padding }: AudioFeatureConfig, transform: FrameTransform) {
    this.#transform = transform;
    [this.#size, this.#hop] = [fftSize, hopLength];
    this.#pad = center ? Math.floor(fftSize / 2) : 0;
    this.#reflect = center && padding === 'reflect';
    this.#samples = new Float32Array(2 * fftSize);
    this.#start = this.#reflect ? new Float32Array(0) : null;
    if (!this.#reflect) this.#filled = this.#pad;
  }

  /** Appends samples and returns the spectra of the frames that are complete. */
  push(samples: Float32Array): Float32Array {
    this.#count += samples.length;
    if (!this.#reflect) return this.#append(samples);
    this.#keep(samples);
    if (this.#start === null) return this.#append(samples);
    const start = concat(this.#start, samples);
    this.#start = start;
    const pad = this.#pad;
    if (start.length <= pad) return new Float32Array(0);
    this.#start = null;
    return this.#append(concat(start.slice(1, pad + 1).reverse(), start));
  }

  /** Appends the padding at the end and returns the spectra of the last frames. */
  end(): Float32Array {
    const [pad, count] = [this.#pad, this.#count];
    if (count === 0) throw new UnrollError('data', 'The sound has no samples.');
    if (this.#reflect && count <= pad) {
      const message = `The padding "reflect" needs more than ${pad} samples (half of fftSize), got ${count}. Use the padding "zero".`;
      throw new UnrollError('data', message);
    }
    if (pad === 0 && count < this.#size) {
      const message = `With center: false, the sound must have at least fftSize = ${this.#size} samples, got ${count}.`;
      throw new UnrollError('data', message);
    }
    const last = this.#last;
    const padding = this.#reflect
      ? last.slice(last.length - 1 - pad, last.length - 1).reverse()
      : new Float32Array(pad);
    return this.#append(padding);
  }

  /** Keeps the last samples for the reflection. */
  #keep(samples: Float32Array): void {
    const all = concat(this.#last, samples);
    this.#last = all.slice(Math.max(0, all.length - this.#pad - 1));
  }

  #append(samples: Float32Array): Float32Array {
    const width = this.#transform.spectrumWidth;
    const total = this.#filled + samples.length - this.#skip;
    const count = total < this.#size ? 0 : Math.floor((total - this.#size) / this.#hop) + 1;
    const out = new Float32Array(count * width);
    let [offset, frame] = [0, 0];
    while (offset < samples.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, samples.length - offset);
        this.#skip -= skipped;
        offset += skipped;
        continue;
      }
      const taken = Math.min(samples.length - offset, this.#samples.length - this.#filled);
      this.#samples.set(samples.subarray(offset, offset + taken), this.#filled);
      this.#filled += taken;
      offset += taken;
      frame = this.#transformFrames(out, frame);
    }
    return out;
  }

  /** Transforms the complete frames of the buffer and removes their samples. @returns `first` plus the number of these frames */
  #transformFrames(out: Float32Array, first: number): number {
    const [size, hop, width] = [this.#size, this.#hop, this.#transform.spectrumWidth];
    let [start, frame] = [0, first];
    for (; start + size <= this.#filled; start += hop, frame++) {
      const samples = this.#samples.subarray(start, start + size);
      this.#transform.spectrum(samples, out.subarray(frame * width, (frame + 1) * width));
    }
    this.#skip = Math.max(0, start - this.#filled);
    this.#samples.copyWithin(0, start, this.#filled);
    this.#filled = Math.max(0, this.#filled - start);
    return frame;
  }
}

function concat(a: Float32Array, b: Float32Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(a.length + b.length);
  result.set(a);
  result.set(b, a.length);
  return result;
}
