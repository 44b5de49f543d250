/** Applies the options that forbid tokens: `minLength` for stop tokens, `banned`, `prefix`, `noRepeatNgram` and `restrict`. */
import type { DecodingSettings } from './options.js';

/** Sets the log-probabilities of forbidden next tokens to -Infinity. @param tokens the output so far */
export function restrictTokens(
  logProbabilities: Float64Array,
  settings: DecodingSettings,
  sequence: number,
  tokens: readonly number[],
): void {
  const prefix = settings.prefixes[sequence];
  if (tokens.length < prefix.length) {
    const forced = prefix[tokens.length];
    const value = logProbabilities[forced];
    logProbabilities.fill(-Infinity);
    logProbabilities[forced] = value;
    return;
  }
  for (const token of forbiddenTokens(settings, sequence, tokens)) logProbabilities[token] = -Infinity;
  settings.restrict?.({ logProbabilities, tokens, sequence });
}

/** Returns the next tokens that are banned, would end the output too early or would repeat an n-gram. */
export function forbiddenTokens(
  settings: DecodingSettings,
  sequence: number,
  tokens: readonly number[],
): number[] {
  const { banned, stop, minLength, noRepeatNgram } = settings;
  return [
    ...banned,
    ...(tokens.length < minLength ? stop : []),
    ...(noRepeatNgram > 0 ? repeatingTokens([...settings.prompts[sequence], ...tokens], noRepeatNgram) : []),
  ];
}

/** Returns the tokens that would complete an n-gram that already occurs in the history. */
function repeatingTokens(history: readonly number[], n: number): number[] {
  const start = history.length - n + 1; // of the n-gram that the next token completes
  if (start < 0) return [];
  const found: number[] = [];
  for (let i = 0; i + n <= history.length; i++) {
    let same = true;
    for (let k = 0; k < n - 1 && same; k++) same = history[i + k] === history[start + k];
    if (same) found.push(history[i + n - 1]);
  }
  return found;
}
