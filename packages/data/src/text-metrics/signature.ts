/** Signatures of scores, in the format of sacrebleu: `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:unroll`. */

/**
 * Returns the signature of a score. `nrefs` is the number of references of each hypothesis, or `var` if it varies. The last part
 * names Unroll; in sacrebleu, it is the version.
 */
export function signatureOf(
  pairs: readonly { references: readonly string[] }[],
  options: Readonly<Record<string, string | number>>,
): string {
  const counts = new Set(pairs.map(({ references }) => references.length));
  const parts = { nrefs: counts.size === 1 ? [...counts][0] : 'var', ...options, version: 'unroll' };
  return Object.entries(parts)
    .map(([key, value]) => `${key}:${value}`)
    .join('|');
}
