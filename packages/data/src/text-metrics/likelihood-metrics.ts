/**
 * Metrics of language models, from the negative log-likelihood summed over a corpus (natural logarithm, as in cross-entropy
 * losses). Sum over all tokens before dividing: the mean of batch means is different if batches differ in size.
 */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';

/**
 * Returns the perplexity: exp(negativeLogLikelihood / tokens). A perplexity of n is the uncertainty of a choice among n equally
 * likely tokens. Perplexities are comparable only between models with the same tokens.
 * @throws UnrollError `value` if `tokens` is not a positive integer, or `negativeLogLikelihood` is negative or NaN
 */
export function perplexityFromTotals(negativeLogLikelihood: number, tokens: number): number {
  return Math.exp(perUnit('perplexityFromTotals', negativeLogLikelihood, 'tokens', tokens));
}

/**
 * Returns the bits per character: negativeLogLikelihood / (characters · ln 2). They are comparable between models with different
 * tokens if `characters` is the number of characters of the text.
 * @throws UnrollError `value` if `characters` is not a positive integer, or `negativeLogLikelihood` is negative or NaN
 */
export function bitsPerCharacter(negativeLogLikelihood: number, characters: number): number {
  return perUnit('bitsPerCharacter', negativeLogLikelihood, 'characters', characters) / Math.LN2;
}

function perUnit(owner: string, negativeLogLikelihood: number, unit: string, count: number): number {
  if (!(negativeLogLikelihood >= 0)) {
    throw valueError(
      `${owner}: negativeLogLikelihood must be a non-negative number, got ${formatValue(negativeLogLikelihood)}. ` +
        'It is the sum of -log p, not of log p.',
      { negativeLogLikelihood },
    );
  }
  if (!Number.isInteger(count) || count < 1) {
    throw valueError(`${owner}: ${unit} must be a positive integer, got ${formatValue(count)}.`, {
      [unit]: count,
    });
  }
  return negativeLogLikelihood / count;
}
