/** Finds the name that a user probably meant, for "Did you mean" in messages. */

/**
 * The candidate nearest to `name`, if it is near enough: equal except for case and punctuation, a prefix, or within
 * an edit distance of a third of the letters. Undefined if there is none.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const wanted = plain(name);
  let best: string | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const other = plain(candidate);
    const inside =
      wanted.length > 2 && other.length > 2 && (other.startsWith(wanted) || wanted.startsWith(other));
    const score = wanted === other ? 0 : inside ? 0.5 : editDistance(wanted, other);
    if (score < bestScore) {
      bestScore = score;
      best = candidate;
    }
  }
  return bestScore <= Math.max(1, Math.floor(wanted.length / 3)) ? best : undefined;
}

/** Lower case, without blanks, underscores and hyphens. */
export function plain(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, '');
}

/** Levenshtein distance in which swapping neighbours counts once (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, before[j - 2] + 1);
      row.push(cost);
    }
    before = above;
    above = row;
  }
  return above[b.length];
}
