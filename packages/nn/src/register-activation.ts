/** Custom activations, under names that configs can store. */
import { valueError } from '@unroll/core';
import { type ActivationFunction, activation, ownActivations } from './activations.js';

/**
 * Registers a custom activation function under a name, so that models with it can be saved and loaded.
 * Call it with the same name before loading.
 * @param fn a function composed of ops that preserves the shape of x
 * @throws UnrollError `value` for the name of a built-in activation, an empty name, or something other than a
 * function
 */
export function registerActivation(name: string, fn: ActivationFunction): void {
  if (typeof name !== 'string' || name === '' || typeof fn !== 'function')
    throw valueError('registerActivation takes a name and a function from tensor to tensor.');
  if (!ownActivations.has(name) && isKnown(name))
    throw valueError(`"${name}" is a built-in activation. Register yours under another name.`, { name });
  ownActivations.set(name, fn);
}

/**
 * @internal The name that a config stores for an option that is a function; undefined for initialisers, whose results
 * are in the weights.
 */
export function functionName(option: string, fn: unknown): string | undefined {
  if (!/activation$/i.test(option)) return undefined;
  const found = [...ownActivations].find(([, own]) => own === fn);
  if (found) return found[0];
  throw valueError(
    `The ${option} is a function without a name, which a config cannot store. Call registerActivation(name, fn) ` +
      'before saving, and before loading.',
    { option },
  );
}

function isKnown(name: string): boolean {
  try {
    activation(name as 'relu');
    return true;
  } catch {
    return false;
  }
}
