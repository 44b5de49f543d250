/** Converts layer options to JSON. */
import { optionalFunctions } from './optional-functions.js';

/**
 * Returns a copy of `options` without undefined entries and without custom initialiser functions. Custom activation
 * functions are replaced by their registered names.
 * @throws UnrollError `value` for an activation function that is not registered
 */
export function cleanConfig(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options)
      .map(([key, value]) => [
        key,
        typeof value === 'function' ? optionalFunctions(key).functionName(key, value) : value,
      ])
      .filter(([, value]) => value !== undefined),
  );
}
