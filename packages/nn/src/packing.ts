/**
 * Skips the computation for padding. If a mask is pure right padding, the steps after the longest sequence of the
 * batch are not computed: their outputs are known to be zeros or the last output. If lengths differ much, the batch
 * also shrinks over time (shrinking.ts).
 */
import { broadcastTo, concat, slice, type Tensor, zeros } from '@unroll/core';
import type { CellState, SequenceContext, SequenceResult } from './cells/cell.js';
import { lengthMask, maskFacts } from './masks.js';
import { runShrinking, worthwhileSegments } from './shrinking.js';

/** Runs a cell over x [B, T, ...]. `state` null: the initial state of the cell. */
export type Run = (x: Tensor, state: CellState | null, context: SequenceContext) => SequenceResult;

export interface PackedCall {
  x: Tensor;
  state: CellState | null;
  context: SequenceContext;
  /** The mask of the context. */
  mask: Tensor;
  run: Run;
  /** The initial state as tensors. */
  firstState: () => CellState;
  /** Number of the cell's parameters, an estimate of the cost of a step. */
  weights: () => number;
}

/** Runs the cell on the valid steps. The result is the same as for all steps. */
export function runPacked(call: PackedCall): SequenceResult {
  const { x, state, context, mask, run } = call;
  const { all, rightPadded, longest, lengths } = maskFacts(mask);
  if (all) return run(x, state, { ...context, mask: null });
  if (!rightPadded) return run(x, state, context);
  const [B, T] = x.shape;
  const steps = Math.max(longest, 1);
  const part = steps === T ? x : slice(x, 1, 0, steps);
  const segments = worthwhileSegments(lengths, steps, call.weights());
  const result = segments
    ? runShrinking({ ...call, x: part, state: state ?? call.firstState() }, lengths, segments)
    : run(part, state, { ...context, mask: maskUpTo(mask, lengths, steps) });
  return steps === T ? result : { ...result, y: restored(result.y, B, T - steps, context) };
}

function maskUpTo(mask: Tensor, lengths: Uint32Array, steps: number): Tensor | null {
  if (lengths.every((length) => length === steps)) return null;
  return mask.shape[1] === steps ? mask : lengthMask(lengths, steps);
}

/** The outputs with those of `missing` masked steps inserted. */
function restored(y: Tensor, B: number, missing: number, context: SequenceContext): Tensor {
  const { returnSequences, reverse, realign, zeroOutputForMask } = context;
  const units = y.shape[y.rank - 1];
  // Backwards, the padding comes first, before any valid step: its outputs are zeros, and the last output is valid.
  if (!returnSequences) return reverse || !zeroOutputForMask ? y : zeros([B, units]);
  const repeats = !reverse && !zeroOutputForMask;
  const rest = repeats ? broadcastTo(slice(y, 1, -1), [B, missing, units]) : zeros([B, missing, units]);
  return concat(reverse && !realign ? [rest, y] : [y, rest], 1);
}
