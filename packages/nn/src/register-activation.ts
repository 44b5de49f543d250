/** Activations of the user's own, under names that configs can hold. */
import { valueError } from '@unroll/core';
import { type ActivationFunction, activation, ownActivations } from './activations.js';

/**
 * Registers a custom activation function under a name, so that models with it can be saved and loaded.
 * Call it with the same name before loading.
 * @param fn made of ops; its result has the shape of x
 * @throws UnrollError `value` for the name of a built-in activation, and for what is no name or no function
 */
export function registerActivation(name: string, fn: ActivationFunction): void {
  if (typeof name !== 'string' || name === '' || typeof fn !== 'function')
    throw valueError('registerActivation takes a name and a function from tensor to tensor.');
  if (!ownActivations.has(name) && isKnown(name))
    throw valueError(`"${name}" is a built-in activation. Register yours under another name.`, { name });
  ownActivations.set(name, fn);
}

/** @internal What a config holds for an option that is a function; undefined: nothing (weights keep what initialisers made). */
export function functionName(option: string, fn: unknown): string | undefined {
  if (!/activation$/i.test(option)) return undefined;
  const found = [...ownActivations].find(([, own]) => own === fn);
  if (found) return found[0];
  throw valueError(
    `The ${option} is a function without a name, which a config cannot hold. Call registerActivation(name, fn) ` +
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
