/** Running a model: `predict` and what training shares with it. Any model of the structural type will do. */
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
  /** Examples computed at once. Default 256. */
  batchSize?: number;
  /**
   * Which steps are valid, [N, T] with 1 and 0, for padded sequences; for several inputs also a list in their order,
   * null for one without. Default: as the model's layers find.
   */
  mask?: Tensor | Masks | null;
}

/** A mask for each input of a model; null where it has none. */
export type Masks = readonly (Tensor | null)[];

/** Ignores losses added by layers. Layers compare against this function and skip computing them. */
export const noLoss = (): void => {};

/** The context of a forward pass that does not train. @param addLoss takes what layers add to the loss */
export function inferenceContext(addLoss: (term: Tensor) => void = noLoss): ForwardContext {
  let stream: RandomStream | null = null;
  return {
    training: false,
    get random() {
      stream ??= runtime.makeStream?.(0) ?? null;
      if (stream) return stream;
      throw new UnrollError(
        'state',
        'A layer needs random numbers, and this bundle has none: make new RandomStream(seed).',
      );
    },
    afterStep: () => {},
    addLoss,
  };
}

/**
 * The mask beside each input. A single one is for the sequences [N, T, ...] of its length; where there are none, it is
 * for the ids [N, T].
 * @throws UnrollError `shape` where it fits no input or could be meant for several, and where a list has another length
 */
export function masksFor(inputs: readonly Tensor[], mask: PredictOptions['mask']): Masks {
  const list = [mask ?? null].flat() as Masks;
  const [single] = list;
  if (list.length > 1) {
    if (list.length === inputs.length) return list;
    throw shapeError(`Give one mask for each input (${inputs.length}), got ${list.length}.`);
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
 * All outputs of the model for x, each [N, ...]. The event loop takes a turn between batches.
 * @param x one tensor [N, ...], or one for each of the model's inputs
 * @throws UnrollError `shape` where the inputs do not fit each other or the model
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

/** {@link predictAll} for who has loaded a backend; it leads to no way of choosing one. */
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

/** The model's output for x: a tensor [N, ...]; of several outputs, the first. See {@link predictAll}. */
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
    `The inputs have ${count} and ${other.shape[0]} examples (${formatShape(other.shape)}). Give each input as many.`,
    { counts },
  );
}

/** Throws unless `value` is a positive integer. */
export function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw valueError(`${name} must be a positive integer, got ${value}.`, { name, value });
}
