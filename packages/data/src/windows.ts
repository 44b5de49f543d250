/** Sliding windows: cuts a long series into overlapping training examples. */
import { shapeError, type Tensor, tensor, UnrollError, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';

export interface WindowOptions {
  /** Number of input rows. */
  window: number;
  /** Number of rows to forecast. */
  horizon: number;
  /** Number of rows from the start of one window to the start of the next. Default 1. */
  step?: number;
}

export interface Windows {
  /** [N, window, I] */
  inputs: Tensor;
  /** [N, horizon, K] */
  targets: Tensor;
  /** Row index of the last input row of each window. */
  origins: Int32Array;
}

/**
 * Cuts columns into windows. The inputs of a window that starts at row i are the rows i to i + window - 1; its targets
 * are the next `horizon` rows.
 * @param inputs the I input columns, each of length T
 * @param targets the K target columns, each of length T; default: the inputs
 * @throws UnrollError `data` if there are fewer than window + horizon rows, `shape` if the columns differ in length
 */
export function slidingWindows(
  inputs: readonly ArrayLike<number>[],
  options: WindowOptions,
  targets: readonly ArrayLike<number>[] = inputs,
): Windows {
  checkOptions('slidingWindows', options, { window: 'count', horizon: 'count', step: 'count' });
  const { window, horizon, step = 1 } = options;
  for (const [name, value] of Object.entries({ window, horizon, step })) {
    if (!Number.isInteger(value) || value < 1)
      throw valueError(`${name} must be a positive integer, got ${formatValue(value)}.`);
  }
  const rows = inputs[0]?.length ?? 0;
  if ([...inputs, ...targets].some((column) => column.length !== rows)) {
    const lengths = [...inputs, ...targets].map((column) => column.length);
    throw shapeError(`All columns must have the same number of rows, got ${lengths.join(', ')}.`);
  }
  if (rows < window + horizon) {
    throw new UnrollError(
      'data',
      `A window of ${window} and a horizon of ${horizon} need at least ${window + horizon} rows, got ${rows}.`,
      { rows, window, horizon },
    );
  }
  const count = Math.floor((rows - window - horizon) / step) + 1;
  const starts = Array.from({ length: count }, (_, n) => n * step);
  return {
    inputs: gatherRows(inputs, starts, window),
    targets: gatherRows(
      targets,
      starts.map((start) => start + window),
      horizon,
    ),
    origins: Int32Array.from(starts, (start) => start + window - 1),
  };
}

/** Returns `length` rows from each start index, as a tensor [N, length, columns]. */
function gatherRows(
  columns: readonly ArrayLike<number>[],
  starts: readonly number[],
  length: number,
): Tensor {
  const values = new Float64Array(starts.length * length * columns.length);
  let index = 0;
  for (const start of starts) {
    for (let t = 0; t < length; t++) for (const column of columns) values[index++] = column[start + t];
  }
  return tensor(values, [starts.length, length, columns.length]);
}
