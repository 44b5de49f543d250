/** Transcribes sound while it arrives. */
import { tensor } from '@unroll/core';
import { type CtcDecoder, ctcDecoder, type Functional } from '@unroll/nn';
import type { FrontEnd, FrontEndStream } from '../shared/front-end.js';
import { beamOptions, type DecodeSettings } from './decode.js';
import type { TranscriptTokens } from './tokens.js';

/** The parts of a model that a stream uses. */
export interface StreamParts {
  frontEnd: FrontEnd;
  network: Functional;
  tokens: TranscriptTokens;
  reduction: number;
}

export class TranscribeStream {
  readonly #parts: StreamParts;
  readonly #frontEndStream: FrontEndStream;
  readonly #networkStream: ReturnType<Functional['stream']>;
  readonly #decoder: CtcDecoder;
  /** The last frames, if they are too few for a step of the network. */
  #waiting: Float32Array = new Float32Array(0);

  /** @internal Use `TranscribeModel.stream`. */
  constructor(parts: StreamParts, sampleRate: number, settings: DecodeSettings) {
    this.#parts = parts;
    this.#frontEndStream = parts.frontEnd.stream(sampleRate);
    this.#networkStream = parts.network.stream();
    this.#decoder = ctcDecoder(beamOptions(settings, parts.tokens));
  }

  /** Appends samples of one channel and returns the transcript of the sound so far; its end may still change. */
  async push(samples: Float32Array): Promise<string> {
    await this.#append(this.#frontEndStream.push(samples), false);
    return this.text;
  }

  /** Ends the sound and returns its transcript. */
  async end(): Promise<string> {
    await this.#append(this.#frontEndStream.end(), true);
    return this.text;
  }

  /** The transcript of the sound so far. */
  get text(): string {
    return this.#parts.tokens.decode(this.#decoder.best()[0].labels);
  }

  /**
   * Passes the waiting frames and `frames` through the network. Except at the end of the sound, only a multiple of `reduction`
   * frames is passed, and the rest waits.
   */
  async #append(frames: Float32Array, isEnd: boolean): Promise<void> {
    const { frontEnd, reduction } = this.#parts;
    const all = new Float32Array(this.#waiting.length + frames.length);
    all.set(this.#waiting);
    all.set(frames, this.#waiting.length);
    const count = all.length / frontEnd.width;
    const used = isEnd ? count : count - (count % reduction);
    this.#waiting = all.slice(used * frontEnd.width);
    if (used === 0) return;
    const x = tensor(all.subarray(0, used * frontEnd.width), [1, used, frontEnd.width]);
    const logits = this.#networkStream.push(x);
    const values = Float32Array.from(await logits.data());
    this.#decoder.push(tensor(values, logits.shape.slice(1)));
  }
}
