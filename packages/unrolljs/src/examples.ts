/**
 * Converts the examples that users pass (arrays, or objects with one entry per input or output name) to the tensors that
 * @unroll/train takes.
 */
import { type Model as Network, Tensor, valueError } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import type { Batches, Examples, ObjectiveOptions } from '@unroll/train';
import { lossByOutput, outputNames } from '@unroll/train/internal';
import { convertValues } from './checks.js';
import { inputsOf, masksOf } from './runnable.js';
import { isList, isNamed, type ModelValues, toTensor, type Values } from './values.js';

/** The optional parts of examples besides x and y. */
export interface ExampleOptions {
  /**
   * Weight of each example in the loss, [N], or of each step, [N, T]. If the model has several outputs, pass one array
   * for all of them, a list in the model's order (null: weight 1), or an object with output names as keys. Default 1.
   */
  sampleWeights?: ModelValues;
  /**
   * 1 for valid steps and 0 for padding, [N, T]. If the model has several inputs, pass a list of masks in the model's
   * order (null: no mask) or an object with input names as keys. A single mask applies to every input of rank 3 or more
   * with the same T. If there is no such input, and exactly one input of ids [N, T] has this T, the mask applies to that
   * input. Default: the mask that the model's layers compute.
   */
  mask?: ModelValues;
}

/** Inputs and targets with their optional sample weights and mask. */
export interface ExampleSet extends ExampleOptions {
  /** Inputs of N examples, [N, ...]. For several inputs, a list in the model's order or an object with their names. */
  x: ModelValues;
  /**
   * Targets of N examples, [N, ...]. For several outputs, a list in the model's order (null: no loss) or an object with
   * the names of the outputs that have a loss.
   */
  y: ModelValues;
}

/** Examples as a tuple of x, y and optional sample weights. */
export type ExamplePair = readonly [x: ModelValues, y: ModelValues, sampleWeights?: ModelValues];

type AnyIterable<T> = Iterable<T> | AsyncIterable<T>;

/** A sequence of batches. A function is called at the start of each epoch with the epoch number, starting at 1. */
export type ExampleBatches = AnyIterable<ExampleSet> | ((epoch: number) => AnyIterable<ExampleSet>);

/** Examples or batches for validation. */
export type ValidationData = ExamplePair | ExampleSet | ExampleBatches;

type Loss = ObjectiveOptions['loss'];

/**
 * Converts the values of a set of examples to tensors, in the order of the network's inputs and outputs.
 * @param loss the loss that the network was compiled with; it determines which outputs have targets
 */
export function examplesOf(network: Network, loss: Loss, set: ExampleSet): Examples {
  checkOptions('examples', set, { x: true, y: true, sampleWeights: true, mask: true });
  const { x, y, sampleWeights, mask } = set;
  return {
    x: convertValues('x', x, () => inputsOf(network, x)),
    y: convertValues('y', y, () => targetsOf(network, loss, y)),
    ...(sampleWeights !== undefined && {
      sampleWeights: convertValues('sampleWeights', sampleWeights, () =>
        weightsOf(network, loss, sampleWeights),
      ),
    }),
    ...(mask !== undefined && { mask: convertValues('mask', mask, () => masksOf(network, mask)) }),
  };
}

/** Converts validation data: a tuple, an object, or batches. */
export function validationOf(network: Network, loss: Loss, data: ValidationData): Examples | Batches {
  if (isExamples(data)) return examplesOf(network, loss, data);
  if (!isPair(data)) return batchesOf(network, loss, data);
  const [x, y, sampleWeights] = data;
  return examplesOf(network, loss, { x, y, sampleWeights });
}

/** Converts each batch, as {@link examplesOf} does, when it is read. */
export function batchesOf(network: Network, loss: Loss, batches: ExampleBatches): Batches {
  const convert = (source: AnyIterable<ExampleSet>): AsyncIterable<Examples> => {
    const iterate = (): AsyncIterator<Examples> => {
      const iterator =
        Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
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
    if (!('next' in source)) return { [Symbol.asyncIterator]: iterate };
    // A generator cannot restart: each epoch continues where the previous one stopped. @unroll/train recognises this
    // case because the iterable is its own iterator.
    const oneShot = Object.assign(iterate(), { [Symbol.asyncIterator]: () => oneShot });
    return oneShot;
  };
  return typeof batches === 'function' ? (epoch) => convert(batches(epoch)) : convert(batches);
}

/** Returns true for batches (an iterable or a function), as opposed to the values of inputs. */
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

/** Returns the targets of each output with a loss. */
function targetsOf(network: Network, loss: Loss, y: ModelValues): Tensor[] {
  const { names, outputsWithLoss } = outputsOf(network, loss);
  const list = byLoss('y', y, names, outputsWithLoss) ?? [y as Values];
  const missing = outputsWithLoss.findIndex((_, i) => (list[i] ?? null) === null);
  if (missing < 0) return list.map((value) => toTensor(value as Values));
  throw valueError(`y has no values for the output "${names[outputsWithLoss[missing]]}", which has a loss.`, {
    output: names[outputsWithLoss[missing]],
  });
}

/** Returns the weights for each output with a loss, or one tensor for all outputs. */
function weightsOf(network: Network, loss: Loss, weights: ModelValues): Examples['sampleWeights'] {
  const { names, outputsWithLoss } = outputsOf(network, loss);
  const list = byLoss('sampleWeights', weights, names, outputsWithLoss);
  return list ? list.map((value) => (value === null ? null : toTensor(value))) : toTensor(weights as Values);
}

/** Returns the names of all outputs, and the indices of the outputs with a loss. */
function outputsOf(network: Network, loss: Loss): { names: readonly string[]; outputsWithLoss: number[] } {
  const names = outputNames(network) ?? ['output'];
  const outputsWithLoss = lossByOutput(loss, names).flatMap((spec, i) => (spec === null ? [] : [i]));
  return { names, outputsWithLoss };
}

/**
 * Returns one entry for each output with a loss if the values are a list or an object with output names as keys; null if
 * they are the values of a single output.
 * @param what the name of the values in messages: `y`
 */
function byLoss(
  what: string,
  values: ModelValues,
  names: readonly string[],
  outputsWithLoss: readonly number[],
): readonly (Values | null)[] | null {
  const entries = isNamed(values)
    ? byName(what, values, names)
    : listOf(what, values, names, outputsWithLoss);
  if (entries === null || entries.length !== names.length) return entries;
  const extra = names.find((_, i) => entries[i] !== null && !outputsWithLoss.includes(i));
  if (extra === undefined) return outputsWithLoss.map((i) => entries[i]);
  throw valueError(`${what} has values for the output "${extra}", which has no loss. Remove them.`, {
    output: extra,
  });
}

/** Returns the entries of all outputs, in the model's order; null for an output without an entry. */
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

/**
 * Returns the values as a list with one entry per output or per loss; null if they are the values of a single output.
 * @throws UnrollError `value` for a list of another length
 */
function listOf(
  what: string,
  values: ModelValues,
  names: readonly string[],
  outputsWithLoss: readonly number[],
): readonly (Values | null)[] | null {
  const listsOutputs = outputsWithLoss.length > 1 && isList(values, names.length);
  const hasNull = names.length > 1 && Array.isArray(values) && values.includes(null);
  if (!listsOutputs && !hasNull && !isList(values, outputsWithLoss.length)) return null;
  const list = values as readonly (Values | null)[];
  if (list.length === names.length || list.length === outputsWithLoss.length) return list;
  throw valueError(
    `${what} must have one entry for each of the ${outputsWithLoss.length} losses, or one for each of the ${names.length} ` +
      `outputs (null if it has no loss), got ${list.length}.`,
    { [what]: list.length, outputs: names.length, losses: outputsWithLoss.length },
  );
}
