/**
 * Scores of a language model on a text, from its log-probabilities. The state is carried through the whole text. The scores per
 * character are comparable between models with different tokens, unless the text has tokens that are unknown to a model.
 */
import { logSoftmax, scope, tensor } from '@unroll/core';
import { yieldIfDue } from '@unroll/core/internal';
import { bitsPerCharacter, perplexityFromTotals } from '@unroll/data';
import type { Network } from '@unroll/nn';
import type { ScoreTable } from '../shared/scores.js';
import type { EncodedText, TextCodec } from './codec.js';

export interface LanguageScores {
  /** exp(natsPerToken). */
  perplexity: number;
  natsPerCharacter: number;
  bitsPerCharacter: number;
  natsPerToken: number;
  tokens: number;
  characters: number;
  /** Number of tokens that are not in the vocabulary. They are scored as `<unk>`. */
  unknown: number;
}

/** Steps per forward pass. */
const CHUNK = 256;

/**
 * Returns the scores of a text. Every token counts; the first token is predicted from `codec.start`.
 * @param network ids [1, T] to logits [1, T, V]
 * @param text at least one token
 */
export async function languageScores(
  network: Network,
  { start }: TextCodec,
  { ids, characters, unknown }: EncodedText,
): Promise<LanguageScores> {
  const stream = network.stream();
  let nats = 0;
  for (let from = 0; from < ids.length; from += CHUNK) {
    const T = Math.min(CHUNK, ids.length - from);
    const inputs = Float32Array.from({ length: T }, (_, t) => ids[from + t - 1] ?? start);
    const logits = stream.push(tensor(inputs, [1, T]));
    const logProbabilities = await scope(() => logSoftmax(logits)).data();
    const V = logProbabilities.length / T;
    for (let t = 0; t < T; t++) nats -= logProbabilities[t * V + ids[from + t]];
    await yieldIfDue();
  }
  const tokens = ids.length;
  return {
    perplexity: perplexityFromTotals(nats, tokens),
    natsPerCharacter: nats / characters,
    bitsPerCharacter: bitsPerCharacter(nats, characters),
    natsPerToken: nats / tokens,
    ...{ tokens, characters, unknown },
  };
}

/** Returns the scores as a table of one row. */
export function languageTable(
  { perplexity, natsPerCharacter, bitsPerCharacter: bits, tokens, characters }: LanguageScores,
  model: string,
): ScoreTable {
  const number = { format: 'number' as const };
  return {
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'perplexity', title: 'perplexity', ...number, decimals: 3 },
      { name: 'nats_per_char', title: 'nats/character', ...number, decimals: 4 },
      { name: 'bits_per_char', title: 'bits/character', ...number, decimals: 4 },
      { name: 'tokens', title: 'tokens', ...number },
      { name: 'characters', title: 'characters', ...number },
    ],
    rows: [[model, perplexity, natsPerCharacter, bits, tokens, characters]],
  };
}

/** Returns the metrics for JSON. */
export const metricsOf = (scores: LanguageScores) => ({
  perplexity: scores.perplexity,
  nats_per_char: scores.natsPerCharacter,
  bits_per_char: scores.bitsPerCharacter,
  nats_per_token: scores.natsPerToken,
});
