/** The function that `pipeline('transcribe', model)` returns. */
import { checkOptions } from '@unroll/core/internal';
import type { Sound } from '../shared/sounds.js';
import type { DecodeSettings } from './decode.js';
import type { Transcript } from './model.js';

/** A transcript. */
export interface Transcription {
  text: string;
  /** With `timestamps`: the words and when they are spoken, [start, end] in seconds. */
  chunks?: { text: string; timestamp: [start: number, end: number] }[];
}

export interface TranscribePipeOptions extends Partial<DecodeSettings> {
  /** Also return `chunks`. Default false. */
  timestamps?: boolean;
}

/**
 * Transcribes sounds: the bytes of a WAV file, or { samples, sampleRate }. The results have the form of the pipeline
 * "automatic-speech-recognition" of transformers.js.
 */
export interface TranscribePipe {
  (sound: Sound, options?: TranscribePipeOptions): Promise<Transcription>;
  (sounds: readonly Sound[], options?: TranscribePipeOptions): Promise<Transcription[]>;
}

/** Transcribes one sound or a list of sounds. @throws UnrollError `value`, `format` or `data` for invalid sounds and options */
export async function transcribePipe(
  input: unknown,
  options: TranscribePipeOptions,
  transcribe: (sounds: readonly Sound[], settings: Partial<DecodeSettings>) => Promise<Transcript[]>,
): Promise<Transcription | Transcription[]> {
  checkOptions('pipeline', options, { beam: 'count', knownWords: 'boolean', timestamps: 'boolean' });
  const { timestamps = false, ...settings } = options;
  const sounds = Array.isArray(input) ? (input as readonly Sound[]) : [input as Sound];
  const results = (await transcribe(sounds, settings)).map(
    ({ text, words }): Transcription => ({
      text,
      ...(timestamps && {
        chunks: words.map(({ word, start, end }) => ({ text: word, timestamp: [start, end] })),
      }),
    }),
  );
  return Array.isArray(input) ? results : results[0];
}
