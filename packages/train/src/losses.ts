/** The losses by name, for `compile`, artifacts and the command line. */
import { valueError } from '@unroll/core';
import * as losses from './losses/index.js';
import type { Loss } from './losses/loss.js';
import { resolve } from './registry.js';

/** All losses except custom ones. */
const { custom: _custom, sequence: _sequence, ...named } = losses;

export type LossName = keyof typeof named;
/** A loss: its name, its name with options, or a loss object. */
export type LossSpec = LossName | { name: LossName; readonly [option: string]: unknown } | Loss;

const own = new Map<string, (options: never) => Loss>();

/**
 * Registers a custom loss by name, so that a model trained with it can be loaded and trained further.
 * @param make takes the options in the loss's `config` and returns the loss
 * @throws UnrollError `value` for the name of a built-in loss
 */
export function registerLoss(name: string, make: (options: never) => Loss): void {
  if (Object.hasOwn(named, name)) {
    throw valueError(`The loss "${name}" already exists. Give the custom loss another name.`, { name });
  }
  own.set(name, make);
}

/**
 * Resolves `spec` to a loss.
 * @throws UnrollError `value` for an unknown name or option; the message lists the known ones
 */
export function resolveLoss(spec: LossSpec): Loss {
  const table = { ...named, ...Object.fromEntries(own) };
  return resolve<Loss>('loss', table, spec, ' A custom loss needs registerLoss() first.');
}
