/** Reads sounds: bytes of WAV files, or samples. Errors name the file or the row. */
import { UnrollError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { findColumn, mono, nestedValues, placeOf, readWav, type Table, type Waveform } from '@unroll/data';
import { cellError } from './cells.js';

/** Samples of one channel. */
export interface Samples {
  samples: Float32Array;
  /** Samples per second (Hz). */
  sampleRate: number;
}

/** The bytes of a WAV file, with its name for messages. */
export interface SoundFile {
  source: string;
  bytes: Uint8Array;
}

/** A sound: the bytes of a WAV file, samples of one channel, or channels, which are averaged. */
export type Sound = Uint8Array | SoundFile | Samples | Waveform;

/** A decoded sound with its name. */
export interface NamedSound extends Samples {
  /** Name of the sound for the user: its file or, if there is none, its line or position. */
  name: string;
}

/** Returns whether a value is one sound. */
export const isSound = (value: unknown): value is Sound =>
  value instanceof Uint8Array ||
  (typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    ['bytes', 'samples', 'channels'].some((name) => name in value));

/**
 * Reads a sound.
 * @param name name in messages for a sound without a name
 * @throws UnrollError `value` for a value that is not a sound; `format` or `data` for a damaged file
 */
export function readSound(sound: unknown, name = 'sound'): NamedSound {
  if (!isSound(sound)) {
    const expected = 'the bytes of a WAV file, or an object { samples, sampleRate }';
    throw new UnrollError('value', `A sound must be ${expected}, got ${formatValue(sound)} (${name}).`);
  }
  if (sound instanceof Uint8Array) return readFile({ source: name, bytes: sound });
  if ('bytes' in sound) return readFile(sound);
  const { sampleRate } = sound;
  const samples = 'samples' in sound ? sound.samples : mono(sound);
  if (!(samples instanceof Float32Array) || samples.length === 0 || !samples.every(Number.isFinite)) {
    throw new UnrollError(
      'value',
      `The samples of a sound must be a non-empty Float32Array of finite numbers (${name}).`,
    );
  }
  if (!(sampleRate > 0)) {
    throw new UnrollError(
      'value',
      `sampleRate must be above 0 Hz, got ${formatValue(sampleRate)} (${name}).`,
    );
  }
  return { name, samples, sampleRate };
}

function readFile({ source, bytes }: SoundFile): NamedSound {
  const sound = readWav(bytes, { source });
  return { name: source, samples: mono(sound), sampleRate: sound.sampleRate };
}

/**
 * Reads the sounds of a column.
 * @throws UnrollError `data` for a missing column, a cell that is not a sound, and a damaged file
 */
export function soundsOf(table: Table, name: string): NamedSound[] {
  const column = findColumn(table, name);
  return nestedValues(table, name).map((value, row) => {
    if (!isSound(value)) {
      const remedy = 'The commands read the files named in the column; a program must pass their bytes';
      throw cellError(
        table,
        row,
        column,
        `the cell must hold a sound, got ${formatValue(value)}. ${remedy}.`,
      );
    }
    try {
      return readSound(value, placeOf(table, row));
    } catch (error) {
      if (error instanceof UnrollError) throw cellError(table, row, column, error.message);
      throw error;
    }
  });
}

/** Returns the most frequent sample rate. */
export function commonRate(sounds: readonly Pick<Samples, 'sampleRate'>[]): number {
  const counts = new Map<number, number>();
  for (const { sampleRate } of sounds) counts.set(sampleRate, (counts.get(sampleRate) ?? 0) + 1);
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}
