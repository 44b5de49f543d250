/** The function that `pipeline('speak', model)` returns. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import type { Samples } from '../shared/sounds.js';

export interface SpeakPipeOptions {
  /** Iterations of the Griffin-Lim algorithm. Default 32. */
  iterations?: number;
}

/** Returns the sound of each text: samples of one channel, and the sample rate in Hz. */
export interface SpeakPipe {
  (text: string, options?: SpeakPipeOptions): Promise<Samples>;
  (texts: readonly string[], options?: SpeakPipeOptions): Promise<Samples[]>;
}

/** Speaks one text or a list of texts. @throws UnrollError `value` for inputs that are not texts, and for invalid options */
export async function speakPipe(
  input: unknown,
  options: SpeakPipeOptions,
  speak: (texts: readonly string[], options: SpeakPipeOptions) => Promise<Samples[]>,
): Promise<Samples | Samples[]> {
  checkOptions('pipeline', options, { iterations: 'nonNegativeInteger' });
  const texts: unknown[] = Array.isArray(input) ? input : [input];
  const wrong = texts.find((text) => typeof text !== 'string');
  if (wrong !== undefined || texts.includes(undefined))
    throw valueError(`pipeline: the input must be a text or a list of texts, got ${formatValue(wrong)}.`);
  const sounds = await speak(texts as string[], options);
  return Array.isArray(input) ? sounds : sounds[0];
}
