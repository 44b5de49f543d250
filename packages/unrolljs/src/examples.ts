/**
 * Converts examples from the forms that users pass (arrays, objects by input and output names) to those of
 * @unroll/train.
 */
import { type Model as Network, Tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Batches, Examples, ObjectiveOptions } from '@unroll/train';
import { lossByOutput, outputNames } from '@unroll/train/internal';
import { reading } from './checks.js';
import { inputsOf, masksOf } from './runnable.js';
import { isList, isNamed, type ModelValues, toTensor, type Values } from './values.js';

/** The optional parts of examples besides x and y. */
export interface ExampleOptions {
  /**
   * Weight of each example in the loss, [N], or of each step, [N, T]. For several outputs: one array applies to all
   * of them; a list in the model's order (null: 1) or an object by names gives one for each. Default 1.
   */
  sampleWeights?: ModelValues;
  /**
   * Valid steps as 1 and padding as 0, [N, T]. For several inputs: one mask applies to the sequences [N, T, ...] of
   * its length, or if there are none to the one input of ids [N, T]; a list in the model's order (null: none) or an
   * object by names gives one for each. Default: the mask that the model's layers compute.
   */
  mask?: ModelValues;
}

/** Inputs and targets with their optional sample weights and mask. */
export interface ExampleSet extends ExampleOptions {
  /** One example per row, [N, ...]. */
  x: ModelValues;
  /**
   * [N, ...]. For several outputs, the targets of those with a loss: a list in the model's order (null: no loss) or
   * an object by names.
   */
  y: ModelValues;
}

/** Examples as a tuple of x, y and optional sample weights. */
export type ExamplePair = readonly [x: ModelValues, y: ModelValues, sampleWeights?: ModelValues];

type Each<T> = Iterable<T> | AsyncIterable<T>;

/** A sequence of batches. A function is called at the start of each epoch with the epoch number, starting at 1. */
export type ExampleBatches = Each<ExampleSet> | ((epoch: number) => Each<ExampleSet>);

/** Examples, or batches of them, for validation. */
export type ValidationData = ExamplePair | ExampleSet | ExampleBatches;

type Loss = ObjectiveOptions['loss'];

/** @param loss the loss that the network was compiled with; it determines which outputs have targets */
export function examplesOf(network: Network, loss: Loss, set: ExampleSet): Examples {
  checkOptions('examples', set, { x: true, y: true, sampleWeights: true, mask: true });
  const { x, y, sampleWeights, mask } = set;
  return {
    x: reading('x', x, () => inputsOf(network, x)),
    y: reading('y', y, () => targetsOf(network, loss, y)),
    ...(sampleWeights !== undefined && {
      sampleWeights: reading('sampleWeights', sampleWeights, () => weightsOf(network, loss, sampleWeights)),
    }),
    ...(mask !== undefined && { mask: reading('mask', mask, () => masksOf(network, mask)) }),
  };
}

export function validationOf(network: Network, loss: Loss, data: ValidationData): Examples | Batches {
  if (isExamples(data)) return examplesOf(network, loss, data);
  if (!isPair(data)) return batchesOf(network, loss, data);
  const [x, y, sampleWeights] = data;
  return examplesOf(network, loss, { x, y, sampleWeights });
}

/** Converts batches: each gets its tensors in the model's order. */
export function batchesOf(network: Network, loss: Loss, batches: ExampleBatches): Batches {
  const converted = (each: Each<ExampleSet>): AsyncIterable<Examples> => {
    const walk = (): AsyncIterator<Examples> => {
      const iterator = Symbol.asyncIterator in each ? each[Symbol.asyncIterator]() : each[Symbol.iterator]();
      return {
        async next() {
          const { value, done } = await iterator.next();
          return done
            ? { done, value: undefined }
            : { value: examplesOf(network, loss, value as ExampleSet) };
        },
        async return() {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    };
    if (!('next' in each)) return { [Symbol.asyncIterator]: walk };
    // A one-shot iterator continues from epoch to epoch. @unroll/train recognises it because it is its own iterator.
    const once = Object.assign(walk(), { [Symbol.asyncIterator]: () => once });
    return once;
  };
  return typeof batches === 'function' ? (epoch) => converted(batches(epoch)) : converted(batches);
}

/** True for an iterable of batches, as opposed to numbers. */
export function isBatches(data: ModelValues | ExampleBatches): data is ExampleBatches {
  if (typeof data === 'function') return true;
  if (typeof data !== 'object' || data === null || data instanceof Tensor || ArrayBuffer.isView(data))
    return false;
  if (Array.isArray(data)) return isExamples(data[0]);
  return Symbol.iterator in data || Symbol.asyncIterator in data;
}

function isPair(data: ExamplePair | ExampleBatches): data is ExamplePair {
  return Array.isArray(data) && !isExamples(data[0]);
}

function isExamples(value: unknown): value is ExampleSet {
  return typeof value === 'object' && value !== null && 'x' in value && 'y' in value;
}

function targetsOf(network: Network, loss: Loss, y: ModelValues): Tensor[] {
  const { names, trained } = outputsOf(network, loss);
  const list = byLoss('y', y, names, trained) ?? [y as Values];
  const missing = trained.findIndex((_, i) => (list[i] ?? null) === null);
  if (missing < 0) return list.map((value) => toTensor(value as Values));
  throw valueError(`y has no values for the output "${names[trained[missing]]}", which has a loss.`, {
    output: names[trained[missing]],
  });
}

function weightsOf(network: Network, loss: Loss, weights: ModelValues): Examples['sampleWeights'] {
  const { names, trained } = outputsOf(network, loss);
  const list = byLoss('sampleWeights', weights, names, trained);
  return list ? list.map((value) => (value === null ? null : toTensor(value))) : toTensor(weights as Values);
}

/** The names of all outputs, and the indices of those with a loss. */
function outputsOf(network: Network, loss: Loss): { names: readonly string[]; trained: number[] } {
  const names = outputNames(network) ?? ['output'];
  const trained = lossByOutput(loss, names).flatMap((spec, i) => (spec === null ? [] : [i]));
  return { names, trained };
}

/**
 * One entry for each output with a loss, from a list or an object by names; null if the values belong to one output.
 */
function byLoss(
  what: string,
  values: ModelValues,
  names: readonly string[],
  trained: readonly number[],
): readonly (Values | null)[] | null {
  const all = isNamed(values) ? byName(what, values, names) : listFor(what, values, names, trained);
  if (all === null || all.length !== names.length) return all;
  const extra = names.find((_, i) => all[i] !== null && !trained.includes(i));
  if (extra === undefined) return trained.map((i) => all[i]);
  throw valueError(`${what} has values for the output "${extra}", which has no loss. Remove them.`, {
    output: extra,
  });
}

function byName(
  what: string,
  values: Readonly<Record<string, Values | null>>,
  names: readonly string[],
): (Values | null)[] {
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown === undefined) return names.map((name) => values[name] ?? null);
  throw valueError(`${what}: the model has no output "${unknown}". Its outputs are ${names.join(', ')}.`, {
    output: unknown,
    outputs: names,
  });
}

/** The list for all outputs or for those with a loss; null if the values are the numbers of one output. */
function listFor(
  what: string,
  values: ModelValues,
  names: readonly string[],
  trained: readonly number[],
): readonly (Values | null)[] | null {
  const several = trained.length > 1 && isList(values, names.length);
  const gaps = names.length > 1 && Array.isArray(values) && values.includes(null);
  if (!several && !gaps && !isList(values, trained.length)) return null;
  const list = values as readonly (Values | null)[];
  if (list.length === names.length || list.length === trained.length) return list;
  throw valueError(
    `${what} must have one entry for each of the ${trained.length} losses, or one for each of the ${names.length} ` +
      `outputs (null if it has no loss), got ${list.length}.`,
    { [what]: list.length, outputs: names.length, losses: trained.length },
  );
}
