/** Configs as JSON: options without values that JSON cannot represent. */
import { builders } from './builders.js';

/**
 * A copy of `options` without undefined entries and custom initialiser functions. Custom activation functions are
 * replaced by their names. @throws UnrollError `value` for an activation function without a name
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
