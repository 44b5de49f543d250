/** Decodes the outputs of a CTC network: greedy or prefix beam search, optionally with only the words of the training transcripts. */
import type { Tensor } from '@unroll/core';
import { type CtcDecoderOptions, ctcBeamSearch, ctcGreedy } from '@unroll/nn';
import { BLANK, type TranscriptTokens } from './tokens.js';

export interface DecodeSettings {
  /** Number of prefixes that the search keeps; 1: greedy search, that is, the most probable alignment. */
  beam: number;
  /** True: transcripts consist only of words of the training transcripts. */
  knownWords: boolean;
}

/** Labels that are less probable than this at a step do not extend prefixes. */
const MIN_PROBABILITY = 1e-4;

/** Returns the options of the beam search. */
export function beamOptions(
  { beam, knownWords }: DecodeSettings,
  tokens: TranscriptTokens,
): CtcDecoderOptions {
  const common = { blank: BLANK, beamWidth: beam, minProbability: MIN_PROBABILITY };
  return knownWords && tokens.config.level === 'characters' ? { ...common, ...lexiconOf(tokens) } : common;
}

/** Returns the ids of the best transcript of each sequence. @param logits [B, T, C] @param lengths valid steps of each sequence */
export function decodeLogits(
  logits: Tensor,
  lengths: ArrayLike<number>,
  settings: DecodeSettings,
  tokens: TranscriptTokens,
): number[][] {
  if (settings.beam === 1 && !settings.knownWords)
    return ctcGreedy(logits, { blank: BLANK, lengths }).map(({ labels }) => labels);
  const options = { ...beamOptions(settings, tokens), lengths };
  return ctcBeamSearch(logits, options).map(([{ labels }]) => labels);
}

const FORBIDDEN = Number.NEGATIVE_INFINITY;

/** Returns callbacks that allow only words of the training transcripts. */
function lexiconOf(tokens: TranscriptTokens): Pick<CtcDecoderOptions, 'score' | 'scoreEnd'> {
  const { words } = tokens.config;
  const known = new Set(words);
  const wordPrefixes = new Set(
    words.flatMap((word) => [...word].map((_, i, all) => all.slice(0, i + 1).join(''))),
  );
  const lastWord = (ids: readonly number[]): string => {
    const text = tokens.spell(ids);
    return text.slice(text.lastIndexOf(' ') + 1);
  };
  return {
    score(prefix, next) {
      const word = lastWord(prefix);
      const added = tokens.spell([next]);
      if (added === ' ') return known.has(word) ? 0 : FORBIDDEN;
      return wordPrefixes.has(word + added) ? 0 : FORBIDDEN;
    },
    scoreEnd(prefix) {
      const word = lastWord(prefix);
      return word === '' || known.has(word) ? 0 : FORBIDDEN;
    },
  };
}
