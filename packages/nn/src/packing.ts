/**
 * Skips padding. If all padding is on the right, the steps after the end of the longest sequence are not computed: their
 * outputs are zeros or the last output. If the lengths differ a lot, the batch also shrinks over time (shrinking.ts).
 */
import { broadcastTo, concat, slice, type Tensor, zeros } from '@unroll/core';
import type { CellState, SequenceContext, SequenceResult } from './cells/cell.js';
import { lengthMask, maskProperties } from './masks.js';
import { mapValues } from './memory.js';
import { runShrinking, worthwhileSegments } from './shrinking.js';

/** Runs a cell over x [B, T, ...]. `state` null: the initial state of the cell. */
export type RunCell = (x: Tensor, state: CellState | null, context: SequenceContext) => SequenceResult;

export interface PackedCall {
  x: Tensor;
  state: CellState | null;
  context: SequenceContext;
  /** The mask of the context. */
  mask: Tensor;
  run: RunCell;
  /** True if the batch may be split: the cell has no extra outputs. */
  canSplit: boolean;
  /** Creates the initial state of the cell. */
  initialState: () => CellState;
  /** Returns the number of weights of the cell, from which the cost of a step is estimated. */
  parameterCount: () => number;
}

/** Runs the cell without unnecessary computation for padding. The result equals that of `run`. */
export function runPacked(call: PackedCall): SequenceResult {
  const { x, state, context, mask, run } = call;
  const { allValid, rightPadded, longest, lengths } = maskProperties(mask);
  if (allValid) return run(x, state, { ...context, mask: null });
  if (!rightPadded) return run(x, state, context);
  const [B, T] = x.shape;
  const steps = Math.max(longest, 1);
  const trimmed = steps === T ? x : slice(x, 1, 0, steps);
  const segments = call.canSplit ? worthwhileSegments(lengths, steps, call.parameterCount()) : null;
  const result = segments
    ? runShrinking({ ...call, x: trimmed, state: state ?? call.initialState() }, lengths, segments)
    : run(trimmed, state, { ...context, mask: trimMask(mask, lengths, steps) });
  if (steps === T) return result;
  return {
    ...result,
    y: appendMaskedOutputs(result.y, B, T - steps, context),
    ...(result.extra && { extra: mapValues(result.extra, (extra) => appendZeros(extra, T - steps)) }),
  };
}

/** Appends `count` steps of zeros. (`pad` would add the code of its checks to bundles that only run models.) */
function appendZeros(x: Tensor, count: number): Tensor {
  return concat([x, zeros([x.shape[0], count, ...x.shape.slice(2)])], 1);
}

/** Returns the first `steps` steps of a right-padded mask; null if all of them are valid. */
function trimMask(mask: Tensor, lengths: Uint32Array, steps: number): Tensor | null {
  if (lengths.every((length) => length === steps)) return null;
  return mask.shape[1] === steps ? mask : lengthMask(lengths, steps);
}

/** Extends y by the outputs of the `missing` masked steps at the end of the sequence. */
function appendMaskedOutputs(y: Tensor, B: number, missing: number, context: SequenceContext): Tensor {
  const { returnSequences, reverse, timeOrder, zeroOutputForMask } = context;
  const units = y.shape[y.rank - 1];
  // A backward layer processes the padding first: its outputs are zeros there, and the last output is valid.
  if (!returnSequences) return reverse || !zeroOutputForMask ? y : zeros([B, units]);
  const repeatLast = !reverse && !zeroOutputForMask;
  const masked = repeatLast ? broadcastTo(slice(y, 1, -1), [B, missing, units]) : zeros([B, missing, units]);
  return concat(reverse && !timeOrder ? [masked, y] : [y, masked], 1);
}
