/** Configs as JSON: options without what JSON cannot hold. */

/** A copy of `options` without functions (initialisers of the user's own) and undefined entries. */
export function cleanConfig(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined && typeof value !== 'function'),
  );
}
