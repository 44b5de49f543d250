/**
 * Windows over the steps of sequences, which convolution and pooling layers read. `gather` copies all windows of a batch
 * into one tensor (im2col); steps outside the sequence and masked steps become a constant row, so their values never
 * reach a result.
 */
import { concat, currentBackend, full, reshape, type Tensor, valueError, zeros } from '@unroll/core';
import { gatherRows, hostTensor, hostValues } from '@unroll/core/internal';
import { maskProperties, maskWhere } from '../masks.js';

/**
 * The padding of a sequence of T steps. `valid`: none, only whole windows. `same`: on both sides, for ceil(T / strides)
 * windows. `causal`: at the start, for ceil(T / strides) windows that end at the steps 0, strides, 2 strides, ..., so no
 * output depends on steps after its own.
 */
export type WindowPadding = 'valid' | 'same' | 'causal';
export const WINDOW_PADDINGS: readonly WindowPadding[] = ['valid', 'same', 'causal'];

export interface WindowSettings {
  /** Number of steps in a window. */
  size: number;
  /** Distance between the starts of consecutive windows. */
  strides: number;
  /** Distance between the steps of a window. */
  dilation: number;
  padding: WindowPadding;
}

/** The windows of a batch. */
export interface BatchWindows {
  /** Number of windows of each sequence. */
  count: number;
  /** Number of steps in a window. */
  size: number;
  /** [B, count, size]: for each step of each window, its row in x [B * T, features]; B * T if it is masked or padding. */
  rows: Float32Array | Float64Array;
  /** Number of valid steps in each window, [B, count]. */
  validSteps: Float32Array | Float64Array;
  /** The mask of the outputs, [B, count]; null if x has no mask. */
  mask: Tensor | null;
}

/** Returns the number of steps from the first to the last step of a window. */
export function spanOf({ size, dilation }: WindowSettings): number {
  return (size - 1) * dilation + 1;
}

/** Returns the number of windows of a sequence of this length (-1: unknown); less than 1 if it is too short. */
export function windowCount(length: number, settings: WindowSettings): number {
  if (length < 0) return -1;
  const { strides, padding } = settings;
  if (padding === 'valid') return Math.floor((length - spanOf(settings)) / strides) + 1;
  return Math.ceil(length / strides);
}

/** Returns the index of the step at which the first window of a sequence begins. Negative: in the padding. */
function firstStart(length: number, settings: WindowSettings): number {
  const span = spanOf(settings);
  if (settings.padding === 'valid') return 0;
  if (settings.padding === 'causal') return 1 - span;
  const padding = (windowCount(length, settings) - 1) * settings.strides + span - length;
  // TensorFlow's rule: if the padding is odd, the end gets the additional step.
  return -Math.floor(Math.max(padding, 0) / 2);
}

/**
 * Locates the windows of sequences [B, T]. With `same` padding, each sequence is padded according to its own length (the
 * index after its last valid step), so the results do not depend on the other sequences of the batch.
 *
 * The mask of the outputs: an output is valid if all steps of its window are valid (`valid` padding), if the last step is
 * valid (`causal`), or if the step in the middle of its span is valid (`same`; of two middle steps, the earlier one
 * counts). A sequence of L valid steps, padded at its end, thus has as many valid outputs as a sequence of length L without
 * padding.
 *
 * @param stream for a chunk of a stream: the start of the first window, and the number of windows
 */
export function locateWindows(
  [B, T]: readonly [number, number],
  mask: Tensor | null,
  settings: WindowSettings,
  stream?: { start: number; count: number },
): BatchWindows {
  const { size, strides, dilation, padding } = settings;
  const maskValues = mask && !maskProperties(mask).allValid ? hostValues(mask, 'A mask') : null;
  const isValid = (row: number, step: number): boolean =>
    step >= 0 && step < T && (maskValues === null || maskValues[row * T + step] !== 0);
  const starts = Array.from({ length: B }, (_, row) => {
    if (stream) return stream.start;
    const length = maskValues && mask ? maskProperties(mask).lengths[row] : T;
    return firstStart(Math.max(length, 1), settings);
  });
  const count = stream?.count ?? windowCount(T, settings);
  const float = currentBackend().float;
  const rows = new float(B * count * size).fill(B * T);
  const validSteps = new float(B * count);
  for (let row = 0, i = 0; row < B; row++) {
    for (let n = 0; n < count; n++) {
      for (let k = 0; k < size; k++, i++) {
        const step = starts[row] + n * strides + k * dilation;
        if (!isValid(row, step)) continue;
        rows[i] = row * T + step;
        validSteps[row * count + n]++;
      }
    }
  }
  const center = padding === 'causal' ? spanOf(settings) - 1 : Math.floor((spanOf(settings) - 1) / 2);
  const isValidOutput = (row: number, n: number): boolean =>
    padding === 'valid'
      ? validSteps[row * count + n] === size
      : isValid(row, starts[row] + n * strides + center);
  return { count, size, rows, validSteps, mask: mask && maskWhere(B, count, isValidOutput) };
}

/**
 * The windows as rows of a table. The table contains the steps of x and, if needed, a row of the fill value and a row of
 * zeros; see {@link readWindows}.
 */
export interface WindowRows {
  /** The row of each step, [B, count * size]; null: the windows are the steps of x, in order. */
  ids: Tensor | null;
  /** Whether a row of the fill value follows the rows of x. */
  readsFill: boolean;
  /** Whether a row of zeros follows the row of the fill value. */
  readsZeros: boolean;
}

/** Returns the rows that form the windows of x [B, T, ...]. @param fill see {@link readWindows} */
export function rowsOfWindows(
  [B, T]: readonly number[],
  { count, size, rows, validSteps }: BatchWindows,
  fill: number,
): WindowRows {
  // gather takes row indices as float32, which represents all integers up to 2^24.
  if (B * T + 2 > 2 ** 24)
    throw valueError(
      `A batch must have fewer than 2^24 - 1 steps (or pixels) in total, got ${B * T}. Reduce batchSize.`,
    );
  if (count * size === T && rows.every((row, i) => row === i))
    return { ids: null, readsFill: false, readsZeros: false };
  const readsFill = rows.includes(B * T);
  const readsZeros = fill !== 0 && validSteps.includes(0);
  if (readsZeros) {
    validSteps.forEach((valid, n) => {
      if (valid === 0) rows.fill(B * T + 1, n * size, (n + 1) * size);
    });
  }
  return { ids: hostTensor(rows, [B, count * size]), readsFill, readsZeros };
}

/**
 * Returns the windows of x [B, T, features] as [B, count, size, features]. The last parameter is the result of
 * {@link rowsOfWindows}, if it is known.
 * @param fill the value of masked steps and of steps outside the sequence; a window without any valid step contains zeros
 */
export function readWindows(
  x: Tensor,
  windows: BatchWindows,
  fill = 0,
  { ids, readsFill, readsZeros }: WindowRows = rowsOfWindows(x.shape, windows, fill),
): Tensor {
  const [B, T, width] = x.shape;
  const shape = [B, windows.count, windows.size, width];
  if (ids === null) return reshape(x, shape);
  const table = [reshape(x, [B * T, width])];
  if (readsFill) table.push(full([1, width], fill));
  if (readsZeros) table.push(zeros([1, width]));
  return reshape(gatherRows(concat(table, 0), ids), shape);
}
