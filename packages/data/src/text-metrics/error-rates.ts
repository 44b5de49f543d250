/**
 * Word error rate and character error rate, with the definitions and numerical results of jiwer 4.0.0, for speech and
 * handwriting recognition. A rate of 0.25 is 25 %.
 */
import { checkOptions } from '@unroll/core/internal';
import { checkPairs, checkText, collapseSpaces, textError, trim } from './corpus.js';
import { type AlignmentChunk, align } from './edit-distance.js';

/** A text, or the array of its tokens. */
export type TextOrTokens = string | readonly string[];

export interface ErrorRateOptions {
  /** Whether the result contains the alignment of each pair. Default false. */
  alignments?: boolean;
}

export interface ErrorRates {
  /**
   * (substitutions + deletions + insertions) / number of tokens of the references. It can exceed 1. If the references have no
   * tokens, it is the number of insertions.
   */
  errorRate: number;
  /** errors / (errors + hits), 0 to 1, where errors are substitutions, deletions and insertions. */
  matchErrorRate: number;
  hits: number;
  substitutions: number;
  deletions: number;
  insertions: number;
  /** With `alignments: true`: the chunks of each pair, in order. */
  alignments?: AlignmentChunk[][];
}

/**
 * Returns the word error rate of a corpus: edits and words are summed over all pairs before dividing. Text is compared as it is:
 * if case and punctuation should not count, convert it to lower case and remove punctuation first. Words are separated by spaces,
 * or by any two or more whitespace characters.
 * @param hypotheses the recognised texts, or arrays of their words
 * @param references the true texts, or arrays of their words, in the same order
 * @throws UnrollError `shape` if the lengths differ, `value` for an empty corpus or an unknown option
 */
export function wordErrorRate(
  hypotheses: readonly TextOrTokens[],
  references: readonly TextOrTokens[],
  options: ErrorRateOptions = {},
): ErrorRates {
  return compute('wordErrorRate', hypotheses, references, options, (text) =>
    trim(collapseSpaces(text))
      .split(' ')
      .filter((word) => word !== ''),
  );
}

/**
 * Returns the character error rate of a corpus: like {@link wordErrorRate} with characters (code points) instead of words. Whitespace
 * counts, except at the start and end of a text.
 */
export function characterErrorRate(
  hypotheses: readonly TextOrTokens[],
  references: readonly TextOrTokens[],
  options: ErrorRateOptions = {},
): ErrorRates {
  return compute('characterErrorRate', hypotheses, references, options, (text) => Array.from(trim(text)));
}

function compute(
  owner: string,
  hypotheses: readonly TextOrTokens[],
  references: readonly TextOrTokens[],
  options: ErrorRateOptions,
  tokenize: (text: string) => string[],
): ErrorRates {
  checkOptions(owner, options, { alignments: 'boolean' });
  checkPairs(owner, hypotheses, references);
  const tokensOf = (path: string, value: TextOrTokens): readonly string[] => {
    if (typeof value === 'string') return tokenize(value);
    if (!Array.isArray(value)) throw textError(owner, path, 'a string or an array of strings', value);
    return value.map((token: unknown, k) => checkText(owner, `${path}[${k}]`, token));
  };
  const alignments = hypotheses.map((hypothesis, i) =>
    align(
      tokensOf(`references[${i}]`, references[i]),
      tokensOf(`hypotheses[${i}]`, hypothesis),
      `${owner}: pair ${i}`,
    ),
  );
  const rates = ratesOf(alignments.flat());
  return options.alignments ? { ...rates, alignments } : rates;
}

function ratesOf(chunks: readonly AlignmentChunk[]): ErrorRates {
  const counts = { equal: 0, substitute: 0, delete: 0, insert: 0 };
  for (const chunk of chunks) {
    counts[chunk.type] += Math.max(
      chunk.referenceEnd - chunk.referenceStart,
      chunk.hypothesisEnd - chunk.hypothesisStart,
    );
  }
  const { equal: hits, substitute: substitutions, delete: deletions, insert: insertions } = counts;
  const errors = substitutions + deletions + insertions;
  const referenceTokens = hits + substitutions + deletions;
  return {
    errorRate: referenceTokens === 0 ? insertions : errors / referenceTokens,
    matchErrorRate: errors === 0 ? 0 : errors / (errors + hits),
    hits,
    substitutions,
    deletions,
    insertions,
  };
}
