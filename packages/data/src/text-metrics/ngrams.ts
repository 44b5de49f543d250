/** Counts of n-grams, for BLEU, chrF and ROUGE. */

/** The number of occurrences of each n-gram. */
export type NgramCounts = ReadonlyMap<string, number>;

/** Counts the n-grams of `order` tokens. Tokens must not contain spaces, because an n-gram is its tokens joined by spaces. */
export function countNgrams(tokens: readonly (string | number)[], order: number): NgramCounts {
  const counts = new Map<string, number>();
  for (let start = 0; start + order <= tokens.length; start++) {
    const ngram = order === 1 ? String(tokens[start]) : tokens.slice(start, start + order).join(' ');
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** Counts the n-grams of `order` characters (code points). */
export function countCharNgrams(characters: readonly string[], order: number): NgramCounts {
  const counts = new Map<string, number>();
  for (let start = 0; start + order <= characters.length; start++) {
    let ngram = '';
    for (let k = 0; k < order; k++) ngram += characters[start + k];
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

export function totalOf(counts: NgramCounts): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

/** Returns the number of n-grams that `a` and `b` have in common: the sum of the smaller of the two counts of each n-gram. */
export function matchesOf(a: NgramCounts, b: NgramCounts): number {
  let matches = 0;
  for (const [ngram, count] of a) matches += Math.min(count, b.get(ngram) ?? 0);
  return matches;
}
