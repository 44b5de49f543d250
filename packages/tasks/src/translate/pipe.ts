/** The function that `pipeline('translate', model)` returns. */
import { valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { textsOf } from '../shared/pipe.js';
import type { SearchOptions } from './decode.js';
import type { Translation } from './model.js';

/** A translation, or the summary of a text. */
export interface TranslatedText {
  translationText: string;
  /** The log-probability, divided by the length penalty. */
  score: number;
  /** Only with the option `alignments`. */
  alignment?: TranslatedTokens;
}

/** The tokens of a translation and of its source. */
export interface TranslatedTokens {
  sourceTokens: string[];
  tokens: string[];
  /** Attention weights: for each token, one weight per source token. */
  weights: number[][];
}

export interface TranslatePipeOptions extends SearchOptions {
  /** Also return the attention weights. Default false. */
  alignments?: boolean;
}

/**
 * Translates or summarises texts. The results have the form of the pipeline "translation" of transformers.js, a list even for
 * one text, with `translationText` in place of `translation_text`.
 */
export type TranslatePipe = (
  input: string | readonly string[],
  options?: TranslatePipeOptions,
) => Promise<TranslatedText[]>;

/** Checks and returns the options of a pipeline that decodes with beam search. @throws UnrollError `value` for invalid options */
export function pipeOptions(options: TranslatePipeOptions): { alignments: boolean; search: SearchOptions } {
  checkOptions('pipeline', options, {
    ...{ beam: 'count', lengthPenalty: 'number', maxLength: 'count', alignments: 'boolean' },
  });
  const { alignments = false, ...search } = options;
  if (search.lengthPenalty !== undefined && !(search.lengthPenalty >= 0 && search.lengthPenalty < Infinity))
    throw valueError(
      `pipeline: lengthPenalty must be a finite, non-negative number, got ${search.lengthPenalty}.`,
    );
  return { alignments, search };
}

/**
 * Translates one text or a list of texts.
 * @throws UnrollError `value` for invalid options, and for inputs other than texts
 */
export async function translatePipe(
  input: unknown,
  options: TranslatePipeOptions,
  translate: (texts: readonly string[], options: SearchOptions) => Promise<Translation[]>,
): Promise<TranslatedText[]> {
  const { alignments, search } = pipeOptions(options);
  const translations = await translate(textsOf(input), search);
  return translations.map(({ text, score, sourceTokens, tokens, alignment }) => ({
    ...{ translationText: text, score },
    ...(alignments && {
      alignment: { sourceTokens, tokens, weights: alignment.map((weights) => Array.from(weights)) },
    }),
  }));
}
