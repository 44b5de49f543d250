/** Reads a WAV file that arrives in chunks of bytes, such as from a microphone or a pipe. */
import { UnrollError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import {
  CHUNK_HEADER,
  checkHeader,
  formatError,
  formatOf,
  isUnknownSize,
  nameAt,
  nextChunk,
  RIFF_HEADER,
  type WavFormat,
  type WavOptions,
} from './wav.js';

/** Largest number of bytes before the samples. */
const MAX_HEADER = 2 ** 20;

/** Takes the bytes of a WAV file in chunks and returns the mean of its channels. */
export class WavStream {
  readonly #source: string;
  #bytes: Uint8Array = new Uint8Array(0);
  #format: WavFormat | null = null;
  /** Number of bytes of samples that have not arrived; infinite if the file does not state the size of its samples. */
  #left = Number.POSITIVE_INFINITY;
  #count = 0;

  constructor(options: WavOptions = {}) {
    checkOptions('WavStream', options, { source: 'string' });
    this.#source = options.source ?? 'WAV file';
  }

  /** Samples per second (Hz); null until the header has arrived. */
  get sampleRate(): number | null {
    return this.#format?.sampleRate ?? null;
  }

  /**
   * Appends bytes and returns the samples that are complete.
   * @throws UnrollError `format` if the bytes are not a WAV file, or have an encoding that is not supported; `data` for samples
   * that are NaN or infinite
   */
  push(bytes: Uint8Array): Float32Array {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    const view = new DataView(all.buffer);
    const start = this.#format === null ? this.#readHeader(view) : 0;
    if (this.#format === null) {
      if (all.length > MAX_HEADER)
        throw formatError(this.#source, `the first ${MAX_HEADER} bytes have no data chunk`);
      this.#bytes = all;
      return new Float32Array(0);
    }
    const { frameBytes } = this.#format;
    const available = Math.min(all.length - start, this.#left);
    const count = Math.floor(available / frameBytes);
    this.#bytes = this.#left === available ? new Uint8Array(0) : all.slice(start + count * frameBytes);
    this.#left -= count * frameBytes;
    this.#count += count;
    return this.#samples(view, start, count, this.#format);
  }

  /** Checks that the file is complete. @throws UnrollError `format` if it is truncated, `data` if it has no samples */
  end(): void {
    if (this.#format === null)
      throw formatError(this.#source, 'the file is truncated or damaged: it must have a data chunk');
    const isTruncated = Number.isFinite(this.#left) ? this.#left > 0 : this.#bytes.length > 0;
    if (isTruncated)
      throw formatError(this.#source, 'the file is truncated or damaged: samples are missing at its end');
    if (this.#count === 0)
      throw new UnrollError('data', `${this.#source}: the file has no samples.`, { source: this.#source });
  }

  /** Reads the chunks before the samples. @returns the offset of the samples; 0 if the chunks have not all arrived */
  #readHeader(view: DataView): number {
    const size = view.byteLength;
    if (size < RIFF_HEADER) return 0;
    if (checkHeader(view, this.#source))
      throw formatError(this.#source, 'files of more than 4 GiB (RF64) cannot be read as a stream');
    let format: WavFormat | null = null;
    for (let offset = RIFF_HEADER; offset + CHUNK_HEADER <= size; ) {
      const [name, stated, start] = [
        nameAt(view, offset),
        view.getUint32(offset + 4, true),
        offset + CHUNK_HEADER,
      ];
      if (name === 'data') {
        if (format === null) throw formatError(this.#source, 'the data chunk must follow a fmt chunk');
        this.#format = format;
        if (!isUnknownSize(stated)) this.#left = stated;
        return start;
      }
      // To know whether a chunk of an odd size is padded, `nextChunk` needs the header of the next one.
      if (start + stated + (stated % 2 === 0 ? 0 : CHUNK_HEADER + 1) > size) return 0;
      if (name === 'fmt ') format = formatOf(view, { start, length: stated }, this.#source);
      offset = nextChunk(view, start + stated);
    }
    return 0;
  }

  #samples(view: DataView, start: number, count: number, format: WavFormat): Float32Array {
    const { codec, channels, frameBytes } = format;
    const stride = frameBytes / channels;
    const samples = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let c = 0; c < channels; c++)
        sum += Math.fround(codec.read(view, start + i * frameBytes + (c + 1) * stride - codec.bytes));
      samples[i] = channels === 1 ? sum : sum / channels;
      if (!Number.isFinite(samples[i]))
        throw new UnrollError('data', `${this.#source}: samples must be finite numbers, got ${samples[i]}.`);
    }
    return samples;
  }
}
