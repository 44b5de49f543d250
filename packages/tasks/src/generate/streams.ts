/**
 * Batches of parallel streams. A text is cut into B parts of equal length. With T steps per batch, batch n holds the steps nT
 * to (n+1)T - 1 of each part. Consecutive batches therefore continue the same sequences, and a network whose recurrent layers
 * are stateful carries its state from batch to batch: truncated backpropagation through time, with gradients that reach back to
 * the start of the batch.
 */
import { type RandomStream, type Tensor, tensor } from '@unroll/core';

export interface StreamSizes {
  /** B, the number of parallel streams. */
  streams: number;
  /** T, the steps per batch. */
  steps: number;
}

/** A batch: ids x [B, T], and for each step the next token y [B, T]. */
export interface StreamBatch {
  x: Tensor;
  y: Tensor;
}

/** Returns the number of tokens of each stream that are predicted in an epoch. @param largestShift largest shift of an epoch */
const lengthOf = (ids: Int32Array, { streams }: StreamSizes, largestShift: number): number =>
  Math.floor((ids.length - 1 - largestShift) / streams);

/** Returns the largest shift of an epoch in tokens: the steps of one batch, but at most a tenth of a stream. */
const maxShift = (ids: Int32Array, { streams, steps }: StreamSizes): number =>
  Math.min(steps, Math.floor(ids.length / streams / 10));

/** Returns the number of batches in an epoch of training. */
export const trainingBatches = (ids: Int32Array, sizes: StreamSizes): number =>
  Math.ceil(lengthOf(ids, sizes, maxShift(ids, sizes)) / sizes.steps);

/**
 * Yields the batches of an epoch of training. The text is shifted by a random number of tokens, so that the batches start at
 * different tokens in each epoch.
 */
export function shiftedStreams(
  ids: Int32Array,
  sizes: StreamSizes,
  random: RandomStream,
): Generator<StreamBatch> {
  const largest = maxShift(ids, sizes);
  const shift = Math.floor(random.uniform(1)[0] * (largest + 1));
  return batchesOf(ids, sizes, lengthOf(ids, sizes, largest), shift);
}

/** Yields the batches of a text in order, without a shift. */
export const parallelStreams = (ids: Int32Array, sizes: StreamSizes): Generator<StreamBatch> =>
  batchesOf(ids, sizes, lengthOf(ids, sizes, 0), 0);

function* batchesOf(
  ids: Int32Array,
  { streams, steps }: StreamSizes,
  length: number,
  shift: number,
): Generator<StreamBatch> {
  for (let from = 0; from < length; from += steps) {
    const T = Math.min(steps, length - from);
    const [x, y] = [new Float32Array(streams * T), new Float32Array(streams * T)];
    for (let stream = 0; stream < streams; stream++) {
      const start = shift + stream * length + from;
      x.set(ids.subarray(start, start + T), stream * T);
      y.set(ids.subarray(start + 1, start + T + 1), stream * T);
    }
    yield { x: tensor(x, [streams, T]), y: tensor(y, [streams, T]) };
  }
}
