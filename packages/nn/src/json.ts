/** Configs as JSON: options without what JSON cannot hold. */
import { builders } from './builders.js';

/**
 * A copy of `options` without undefined entries and initialisers of the user's own; an activation of the user's own
 * becomes its name. @throws UnrollError `value` for one that has none
 */
export function cleanConfig(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options)
      .map(([key, value]) => [
        key,
        typeof value === 'function' ? builders(key).functionName(key, value) : value,
      ])
      .filter(([, value]) => value !== undefined),
  );
}
