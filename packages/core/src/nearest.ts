/** Finds the name that a user probably meant, for "Did you mean ...?" in error messages. */

/**
 * Returns the candidate that is most similar to `name`; undefined if none is similar enough. A candidate is similar if it
 * differs only in case, blanks, underscores or hyphens, if one name is a prefix of the other and has at least 3
 * letters, or if the edit distance is at most a third of the number of letters of `name` (1 for short names).
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const target = normalizeName(name);
  let best: string | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const other = normalizeName(candidate);
    const isPrefix =
      target.length > 2 && other.length > 2 && (other.startsWith(target) || target.startsWith(other));
    const score = target === other ? 0 : isPrefix ? 0.5 : editDistance(target, other);
    if (score < bestScore) {
      bestScore = score;
      best = candidate;
    }
  }
  return bestScore <= Math.max(1, Math.floor(target.length / 3)) ? best : undefined;
}

/** Returns the name in lower case, without blanks, underscores and hyphens. */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, '');
}

/** Returns the Levenshtein distance in which swapping two adjacent letters counts as one edit (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  // Rows i - 2 and i - 1 of the distance table.
  let twoAbove: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, twoAbove[j - 2] + 1);
      row.push(cost);
    }
    twoAbove = above;
    above = row;
  }
  return above[b.length];
}
