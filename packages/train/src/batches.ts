/** Batches: rows of the training data in a given order, copied side by side. */
import { formatShape, type RandomStream, shapeError, type Tensor, valueError } from '@unroll/core';
import { type Table, tableOf } from '@unroll/core/internal';

/** Inputs and targets of a model: one tensor, or several that share their first axis. */
export interface Examples {
  x: Tensor | readonly Tensor[];
  y: Tensor;
}

/** Examples laid out for fast row access. */
export interface Rows {
  readonly count: number;
  readonly inputs: readonly Table[];
  readonly target: Table;
}

export function toRows({ x, y }: Examples): Rows {
  const inputs = Array.isArray(x) ? (x as readonly Tensor[]) : [x as Tensor];
  const count = y.shape[0] ?? 0;
  for (const input of inputs) {
    if (input.shape[0] !== count) {
      throw shapeError(
        `x has ${input.shape[0]} examples (${formatShape(input.shape)}) and y has ${count} (${formatShape(y.shape)}). ` +
          'Each example needs one target.',
        { x: input.shape, y: y.shape },
      );
    }
  }
  if (count === 0) throw valueError('There are no examples to train on: x and y are empty.');
  return { count, inputs: inputs.map(tableOf), target: tableOf(y) };
}

/** The row numbers of each batch of one epoch. */
export function* batchIndices(
  count: number,
  batchSize: number,
  shuffle: RandomStream | null,
): Generator<Uint32Array> {
  const order = shuffle ? shuffle.permutation(count) : Uint32Array.from({ length: count }, (_, i) => i);
  for (let at = 0; at < count; at += batchSize) yield order.subarray(at, at + batchSize);
}
