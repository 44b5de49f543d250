/** Registers custom activations under names that configs can store. */
import { valueError } from '@unroll/core';
import { type ActivationFunction, activation, customActivations } from './activations.js';

/**
 * Registers a custom activation function under a name, so that models with it can be saved and loaded.
 * Programs that load such a model must register the function under the same name first.
 * @param fn a function composed of ops that preserves the shape of x
 * @throws UnrollError `value` for the name of a built-in activation, an empty name, or something other than a
 * function
 */
export function registerActivation(name: string, fn: ActivationFunction): void {
  if (typeof name !== 'string' || name === '' || typeof fn !== 'function')
    throw valueError('registerActivation takes a non-empty name and a function from tensor to tensor.');
  if (!customActivations.has(name) && isActivation(name))
    throw valueError(`"${name}" is a built-in activation. Register yours under another name.`, { name });
  customActivations.set(name, fn);
}

/**
 * @internal Returns the name that a config stores for an option that is a function. Returns undefined for initialisers:
 * a config does not need them, because artifacts contain the weights.
 */
export function functionName(option: string, fn: unknown): string | undefined {
  if (!/activation$/i.test(option)) return undefined;
  const entry = [...customActivations].find(([, registered]) => registered === fn);
  if (entry) return entry[0];
  throw valueError(
    `The ${option} is a function that is not registered, so a config cannot store it. Call registerActivation(name, fn) ` +
      'before saving, and before loading.',
    { option },
  );
}

function isActivation(name: string): boolean {
  try {
    activation(name as 'relu');
    return true;
  } catch {
    return false;
  }
}
