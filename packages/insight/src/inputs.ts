/** Shared by all instruments: reads inputs and masks, and finds the network of a model or of an ablated model. */
import {
  asTensor,
  type FloatArray,
  type MaskedSequence,
  type NestedArray,
  ready,
  shapeError,
  type Tensor,
  valueError,
} from '@unroll/core';
import { formatValue, masksFor, sliceRows, toHost } from '@unroll/core/internal';
import { Network } from '@unroll/nn';
import type { Change, Inspectable } from './instrument.js';

/** The inputs of a model, as for `predict`: a tensor or nested arrays, or a list of tensors for several inputs. */
export type ModelInput = Tensor | NestedArray | FloatArray | readonly Tensor[];

export interface MaskOption {
  /** Mask of padded sequences [N, T], as for `predict`. Default: the mask that the model's layers compute. */
  mask?: Tensor | readonly (Tensor | null)[] | null;
}

/** The network to examine, and its changes if it was passed as an ablated model (the result of `ablate`). */
export interface Subject {
  network: Network;
  changes: readonly Change[];
}

/**
 * Returns the network and the changes of a model or an ablated model.
 * @throws UnrollError `value` if `model` is not made of layers
 */
export function subjectOf(model: Inspectable, owner: string): Subject {
  if (model instanceof Network) return { network: model, changes: [] };
  const ablated = model as Partial<Subject> | null;
  if (ablated?.network instanceof Network && Array.isArray(ablated.changes)) {
    return { network: ablated.network, changes: ablated.changes };
  }
  throw valueError(
    `${owner} takes a model made of layers, from sequential() or model(), got ${formatValue(model)}.`,
  );
}

/** Inputs in host memory, with their masks. */
export interface Inputs {
  sequences: readonly MaskedSequence[];
  /** Number of examples. */
  count: number;
}

const isTensorList = (x: ModelInput): x is readonly Tensor[] =>
  Array.isArray(x) && x.length > 0 && typeof x[0] === 'object' && 'shape' in x[0];

/**
 * Returns the inputs of a model and their masks in host memory.
 * @throws UnrollError `shape` if the numbers of examples differ, `value` if there are no examples
 */
export async function inputsOf(x: ModelInput, { mask }: MaskOption, owner: string): Promise<Inputs> {
  await ready();
  const tensors = isTensorList(x) ? [...x] : [asTensor(x as Tensor)];
  const masks = masksFor(tensors, mask as Tensor | null | undefined);
  const [values, hostMasks] = await Promise.all([toHost(tensors), toHost(masks)]);
  const sequences = values.map((value, i) => ({ value, mask: hostMasks[i] }));
  const [count] = sequences[0].value.shape;
  if (!count) throw valueError(`${owner}: x must have at least one example, got none.`);
  const other = sequences.find(({ value }) => value.shape[0] !== count);
  if (other)
    throw shapeError(
      `${owner}: the inputs must have the same number of examples, got ${count} and ${other.value.shape[0]}.`,
    );
  return { sequences, count };
}

/** Returns the examples from `start` to `end - 1`. */
export function rowsOf(inputs: Inputs, start: number, end: number): Inputs {
  const { sequences, count } = inputs;
  if (start === 0 && end === count) return inputs;
  const rows = sequences.map(({ value, mask }) => ({
    value: sliceRows(value, start, end),
    mask: mask && sliceRows(mask, start, end),
  }));
  return { sequences: rows, count: end - start };
}
