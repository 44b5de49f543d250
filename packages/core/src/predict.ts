/** `predict`, and the checks of inputs and masks that it shares with training. Works with any {@link Model}. */
import { formatShape, shapeError, UnrollError, valueError } from './errors.js';
import type { ForwardContext, Model } from './model.js';
import { checkOptions } from './options.js';
import type { RandomStream } from './random.js';
import { joinRows, sliceRows, toHost } from './rows.js';
import { runtime } from './runtime.js';
import { scope } from './scope.js';
import { ready } from './select.js';
import type { Tensor } from './tensor.js';
import { yieldIfDue } from './turn.js';

export interface PredictOptions {
  /** Number of examples per batch. Default 256. */
  batchSize?: number;
  /**
   * Mask of padded sequences [N, T]: 1 for valid steps, 0 for padding. For several inputs, a list of masks in the order
   * of the inputs is also allowed, with null for an input without a mask. Default: the mask that the model's layers
   * compute.
   */
  mask?: Tensor | Masks | null;
}

/** One mask for each input of a model; null for an input without a mask. */
export type Masks = readonly (Tensor | null)[];

/** Does nothing with the losses that layers add. If `addLoss` is this function, a layer need not compute its losses. */
export const ignoreLoss = (): void => {};

/** Returns the context of a forward pass in inference. @param addLoss called with the loss terms of layers */
export function inferenceContext(addLoss: (term: Tensor) => void = ignoreLoss): ForwardContext {
  let stream: RandomStream | null = null;
  return {
    training: false,
    get random() {
      stream ??= runtime.makeStream?.(0) ?? null;
      if (stream) return stream;
      throw new UnrollError(
        'state',
        'A layer needs random numbers: import unrolljs instead of unrolljs/infer.',
      );
    },
    afterStep: () => {},
    addLoss,
  };
}

/**
 * Returns one mask for each input. A single mask [N, T] applies to every input of rank 3 or more with the same T. If there
 * is no such input, and exactly one input of ids [N, T] has this T, the mask applies to that input.
 * @throws UnrollError `shape` if a single mask fits no input or several inputs of ids, or if a list of two or more masks does not
 * have one entry per input
 */
export function masksFor(inputs: readonly Tensor[], mask: PredictOptions['mask']): Masks {
  const list = [mask ?? null].flat() as Masks;
  const [single] = list;
  if (list.length > 1) {
    if (list.length === inputs.length) return list;
    throw shapeError(`mask must have one entry per input (${inputs.length}), got ${list.length}.`);
  }
  if (!single) return inputs.map(() => null);
  const fits = inputs.filter(({ shape }) => shape[1] === single.shape[1]);
  const sequences = fits.filter(({ rank }) => rank > 2);
  if (sequences.length === 0 && fits.length !== 1) {
    const problem =
      fits.length > 0
        ? 'fits several inputs. Pass a list with a mask or null for each input.'
        : 'must have as many steps as an input.';
    throw shapeError(`mask ${formatShape(single.shape)} ${problem}`);
  }
  const masked = sequences.length > 0 ? sequences : fits;
  return inputs.map((input) => (masked.includes(input) ? single : null));
}

/**
 * Returns all outputs of the model for x, each [N, ...]. Yields to the event loop between batches.
 * @param x a tensor [N, ...], or a list with one tensor for each input of the model
 * @throws UnrollError `shape` if the shapes of the inputs do not match each other or the model
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

/** Like {@link predictAll}, for callers that have already loaded a backend. */
export async function predictLoaded(
  model: Model,
  x: Tensor | readonly Tensor[],
  { batchSize = 256, mask }: PredictOptions = {},
): Promise<Tensor[]> {
  checkPositiveInteger('batchSize', batchSize);
  const inputs = [x].flat() as Tensor[];
  const masks = masksFor(inputs, mask);
  const count = countExamples([...inputs, ...masks.filter((entry) => entry !== null)]);
  const hostTensors = await toHost([...inputs, ...masks]);
  const parts: Tensor[][] = [];
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(start + batchSize, count);
    parts.push(
      scope(() => {
        const rows = hostTensors.map((tensor) => tensor && sliceRows(tensor, start, end));
        const sequences = inputs.map((_, i) => ({ value: rows[i] as Tensor, mask: rows[inputs.length + i] }));
        return model.forward(sequences, inferenceContext()).map((sequence) => sequence.value);
      }),
    );
    await yieldIfDue();
  }
  return Promise.all(parts[0].map((_, output) => joinRows(parts.map((part) => part[output]))));
}

/** Returns the model's output for x [N, ...], or the first of several outputs. See {@link predictAll}. */
export async function predict(
  model: Model,
  x: Tensor | readonly Tensor[],
  options: PredictOptions = {},
): Promise<Tensor> {
  return (await predictAll(model, x, options))[0];
}

/** Returns the number of examples. @throws UnrollError if it is 0 or differs between tensors */
function countExamples(tensors: readonly Tensor[]): number {
  const counts = tensors.map(({ shape }) => shape[0]);
  const [count] = counts;
  if (!count) throw valueError('x must have at least one example, got none.');
  const other = tensors.find((_, i) => counts[i] !== count);
  if (!other) return count;
  throw shapeError(
    `The inputs and masks must have the batch size ${count}, got ${formatShape(other.shape)}.`,
    {
      counts,
    },
  );
}

/** Throws unless `value` is a positive integer. */
export function checkPositiveInteger(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw valueError(`${name} must be a positive integer, got ${value}.`, { name, value });
}
