/** Resolves losses by name, for `compile`, artifacts and the command line. */
import { valueError } from '@unroll/core';
import * as losses from './losses/index.js';
import type { Loss } from './losses/loss.js';
import { resolve } from './registry.js';

/** The built-in losses that can be described by a name and JSON options. */
const { custom: _custom, sequence: _sequence, sampledSoftmax: _sampledSoftmax, ...builtIn } = losses;

export type LossName = keyof typeof builtIn;
/** A loss: a name, a name with options, or a loss object. */
export type LossSpec = LossName | { name: LossName; readonly [option: string]: unknown } | Loss;

/** Custom losses by name. */
const registered = new Map<string, (options: never) => Loss>();

/**
 * Registers a custom loss by name, so that models trained with it can be loaded and trained further. A later registration
 * replaces an earlier one of the same name.
 * @param make takes the options in the loss's `config` and returns the loss
 * @throws UnrollError `value` for the name of a built-in loss
 */
export function registerLoss(name: string, make: (options: never) => Loss): void {
  if (Object.hasOwn(builtIn, name)) {
    throw valueError(`registerLoss: "${name}" is a built-in loss. Give the custom loss another name.`, {
      name,
    });
  }
  registered.set(name, make);
}

/**
 * Resolves `spec` to a loss.
 * @throws UnrollError `value` for an unknown name or option; the message lists the valid ones
 */
export function resolveLoss(spec: LossSpec): Loss {
  const isObject = typeof spec === 'object' && spec !== null;
  const name: unknown = isObject && !('config' in spec) ? spec.name : spec;
  if (name === 'sampledSoftmax' && !registered.has(name))
    throw valueError(
      'The loss "sampledSoftmax" cannot be selected by name, because it uses a layer. Pass losses.sampledSoftmax({ layer }).',
      { name },
    );
  const table = { ...builtIn, ...Object.fromEntries(registered) };
  return resolve<Loss>('loss', table, spec, ' A custom loss needs registerLoss() first.');
}
