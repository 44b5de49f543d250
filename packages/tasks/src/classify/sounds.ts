/** Reads sounds (WAV files and samples) and encodes them as frames of a log-mel spectrogram. */
import { type RandomStream, type Tensor, valueError } from '@unroll/core';
import type { Table } from '@unroll/data';
import type { EncodedSound, FrontEnd, FrontEndConfig } from '../shared/front-end.js';
import { type NamedSound, readSound, type Sound, soundsOf } from '../shared/sounds.js';
import type { TaskFact } from '../shared/task.js';
import type { ClassifyEncoder, EncodedInput, TitledInputs } from './inputs.js';

/** What a saved model stores to read sounds. */
export type SoundConfig = FrontEndConfig;

export class SoundEncoder implements ClassifyEncoder {
  readonly kind = 'sound';
  readonly batchSize = () => 128;
  readonly column: string;
  readonly frontEnd: FrontEnd;

  constructor(column: string, frontEnd: FrontEnd) {
    this.column = column;
    this.frontEnd = frontEnd;
  }

  get config(): SoundConfig {
    return this.frontEnd.config;
  }

  encode(sound: NamedSound): EncodedSound {
    return this.frontEnd.encode(sound);
  }

  readTable(table: Table): TitledInputs {
    return this.#encodeAll(soundsOf(table, this.column));
  }

  readTexts(texts: readonly string[]): TitledInputs {
    if (texts.length === 0) return { titles: [], encoded: [] };
    throw valueError(
      'This model classifies sounds, got a text. Pass sounds (command line: --audio or --data).',
    );
  }

  readSounds(sounds: readonly Sound[]): TitledInputs {
    return this.#encodeAll(
      sounds.map((sound, n) => readSound(sound, sounds.length === 1 ? 'sound' : `sound ${n + 1}`)),
    );
  }

  #encodeAll(sounds: readonly NamedSound[]): TitledInputs {
    return { titles: sounds.map(({ name }) => name), encoded: sounds.map((sound) => this.encode(sound)) };
  }

  batch(
    encoded: readonly EncodedInput[],
    rows: Uint32Array,
    random: RandomStream | null = null,
  ): { x: Tensor; mask?: Tensor } {
    const { x, mask } = this.frontEnd.batch(encoded as readonly EncodedSound[], rows, random);
    return mask === undefined ? { x } : { x, mask };
  }

  notes(): string[] {
    return [];
  }

  get inputSize(): number {
    return this.frontEnd.width;
  }

  properties(): TaskFact[] {
    const { features, normalize } = this.config;
    return [
      { name: 'sample rate', value: features.sampleRate },
      { name: 'mels', value: features.mels },
      { name: 'normalize', value: normalize },
    ];
  }
}
