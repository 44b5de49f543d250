/** Reads the frames of clips and encodes them as images of one size. */
import { type RandomStream, type Tensor, valueError } from '@unroll/core';
import type { Table } from '@unroll/data';
import { type Clip, clipsOf, type NamedClip, readClip } from '../shared/frames/clips.js';
import { frameProperties } from '../shared/frames/description.js';
import type { EncodedClip, FrameConfig, FrameEncoder } from '../shared/frames/encoder.js';
import { longestOf } from '../shared/length-batches.js';
import type { TaskFact } from '../shared/task.js';
import type { ClassifyEncoder, EncodedInput, TitledInputs } from './inputs.js';

/** What a saved model stores to read clips. */
export type ClipConfig = FrameConfig;

export class ClipEncoder implements ClassifyEncoder {
  readonly kind = 'clip';
  readonly column: string;
  readonly frames: FrameEncoder;

  constructor(column: string, frames: FrameEncoder) {
    this.column = column;
    this.frames = frames;
  }

  batchSize(encoded: readonly EncodedInput[]): number {
    return this.frames.batchSize(16, longestOf(encoded));
  }

  get config(): ClipConfig {
    return this.frames.config;
  }

  readTable(table: Table): TitledInputs {
    return this.#encodeAll(clipsOf(table, this.column));
  }

  readTexts(texts: readonly string[]): TitledInputs {
    if (texts.length === 0) return { titles: [], encoded: [] };
    throw valueError(
      'This model classifies clips, got a text. Pass clips (command line: --frames or --data).',
    );
  }

  readClips(clips: readonly Clip[]): TitledInputs {
    return this.#encodeAll(
      clips.map((clip, n) => readClip(clip, clips.length === 1 ? 'clip' : `clip ${n + 1}`)),
    );
  }

  #encodeAll(clips: readonly NamedClip[]): TitledInputs {
    return { titles: clips.map(({ name }) => name), encoded: clips.map((clip) => this.frames.encode(clip)) };
  }

  batch(
    encoded: readonly EncodedInput[],
    rows: Uint32Array,
    random: RandomStream | null = null,
  ): { x: Tensor; mask?: Tensor } {
    return this.frames.batch(encoded as readonly EncodedClip[], rows, random);
  }

  notes(): string[] {
    return [];
  }

  get inputSize(): number {
    return this.frames.shape.reduce((product, extent) => product * extent, 1);
  }

  properties(): TaskFact[] {
    return frameProperties(this.config);
  }
}
