/** Runs a model: `predict` and the code that it shares with training. Works with any model of the structural type. */
import { formatShape, shapeError, UnrollError, valueError } from './errors.js';
import type { ForwardContext, Model } from './model.js';
import { checkOptions } from './options.js';
import type { RandomStream } from './random.js';
import { joinRows, onHost, sliceRows } from './rows.js';
import { runtime } from './runtime.js';
import { scope } from './scope.js';
import { ready } from './select.js';
import type { Tensor } from './tensor.js';
import { nextTurnIfDue } from './turn.js';

export interface PredictOptions {
  /** Number of examples per batch. Default 256. */
  batchSize?: number;
  /**
   * Valid steps as 1 and padding as 0, [N, T], for padded sequences; for several inputs also a list in their order,
   * null for an input without a mask. Default: the mask that the model's layers compute.
   */
  mask?: Tensor | Masks | null;
}

/** A mask for each input of a model; null if it has none. */
export type Masks = readonly (Tensor | null)[];

/** Ignores losses added by layers. Layers compare against this function and skip computing them. */
export const noLoss = (): void => {};

/** The context of a forward pass without training. @param addLoss called with the loss terms of layers */
export function inferenceContext(addLoss: (term: Tensor) => void = noLoss): ForwardContext {
  let stream: RandomStream | null = null;
  return {
    training: false,
    get random() {
      stream ??= runtime.makeStream?.(0) ?? null;
      if (stream) return stream;
      throw new UnrollError(
        'state',
        'A layer needs random numbers, but this bundle has no generator. Create one with new RandomStream(seed).',
      );
    },
    afterStep: () => {},
    addLoss,
  };
}

/**
 * The mask of each input. A single mask applies to the sequences [N, T, ...] of its length; if there are none, to the
 * ids [N, T].
 * @throws UnrollError `shape` if it fits no input or several, and if a list has another length
 */
export function masksFor(inputs: readonly Tensor[], mask: PredictOptions['mask']): Masks {
  const list = [mask ?? null].flat() as Masks;
  const [single] = list;
  if (list.length > 1) {
    if (list.length === inputs.length) return list;
    throw shapeError(`mask must have one entry for each of the ${inputs.length} inputs, got ${list.length}.`);
  }
  if (!single) return inputs.map(() => null);
  const fits = inputs.filter(({ shape }) => shape[1] === single.shape[1]);
  const sequences = fits.filter(({ rank }) => rank > 2);
  if (sequences.length === 0 && fits.length !== 1) {
    const which = fits.length > 0 ? 'several inputs [N, T]: give one by name' : 'no input [N, T, ...]';
    throw shapeError(`mask ${formatShape(single.shape)} fits ${which}.`);
  }
  const masked = sequences.length > 0 ? sequences : fits;
  return inputs.map((input) => (masked.includes(input) ? single : null));
}

/**
 * All outputs of the model for x, each [N, ...]. Yields to the event loop between batches.
 * @param x one tensor [N, ...], or one for each of the model's inputs
 * @throws UnrollError `shape` if the inputs do not fit each other or the model
 */
export async function predictAll(
  model: Model,
  x: Tensor | readonly Tensor[],
  options: PredictOptions = {},
): Promise<Tensor[]> {
  checkOptions('predict', options, { batchSize: true, mask: true });
  await ready();
  return predictLoaded(model, x, options);
}

/** {@link predictAll} for callers that have loaded a backend; it does not import the selection of backends. */
export async function predictLoaded(
  model: Model,
  x: Tensor | readonly Tensor[],
  { batchSize = 256, mask }: PredictOptions = {},
): Promise<Tensor[]> {
  checkCount('batchSize', batchSize);
  const inputs = [x].flat() as Tensor[];
  const masks = masksFor(inputs, mask);
  const count = sameCount([...inputs, ...masks.filter((one) => one !== null)]);
  const tables = await onHost([...inputs, ...masks]);
  const parts: Tensor[][] = [];
  for (let at = 0; at < count; at += batchSize) {
    const to = Math.min(at + batchSize, count);
    parts.push(
      scope(() => {
        const [values, own] = [tables.slice(0, inputs.length), tables.slice(inputs.length)];
        const taken = (table: Tensor | null) => table && sliceRows(table, at, to);
        const sequences = values.map((table, i) => ({ value: taken(table) as Tensor, mask: taken(own[i]) }));
        return model.forward(sequences, inferenceContext()).map((sequence) => sequence.value);
      }),
    );
    await nextTurnIfDue();
  }
  return Promise.all(parts[0].map((_, output) => joinRows(parts.map((part) => part[output]))));
}

/**
 * The model's output for x: a tensor [N, ...]; for a model with several outputs, the first one. See {@link
 * predictAll}.
 */
export async function predict(
  model: Model,
  x: Tensor | readonly Tensor[],
  options: PredictOptions = {},
): Promise<Tensor> {
  return (await predictAll(model, x, options))[0];
}

function sameCount(tensors: readonly Tensor[]): number {
  const counts = tensors.map(({ shape }) => shape[0]);
  const [count] = counts;
  if (!count) throw valueError('There is nothing to predict: x is empty.');
  const other = tensors.find((_, i) => counts[i] !== count);
  if (!other) return count;
  throw shapeError(
    `The inputs must have the same number of examples, got ${count} and ${other.shape[0]} (${formatShape(other.shape)}).`,
    { counts },
  );
}

/** Throws unless `value` is a positive integer. */
export function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw valueError(`${name} must be a positive integer, got ${value}.`, { name, value });
}
