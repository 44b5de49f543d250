/**
 * Padding that costs nothing, or little. Where a mask is pure right padding, the steps after the longest sequence of the
 * batch are never computed: what they would have given is known without, the last output again or zeros. And where the
 * lengths differ much, the batch shrinks on the way (shrinking.ts).
 */
import { broadcastTo, concat, slice, type Tensor, zeros } from '@unroll/core';
import type { CellState, SequenceContext, SequenceResult } from './cells/cell.js';
import { lengthMask, maskFacts } from './masks.js';
import { runShrinking, worthwhileSegments } from './shrinking.js';

/** A cell over x [B, T, ...]; `state` null: the cell's first. */
export type Run = (x: Tensor, state: CellState | null, context: SequenceContext) => SequenceResult;

export interface PackedCall {
  x: Tensor;
  state: CellState | null;
  context: SequenceContext;
  /** That of the context. */
  mask: Tensor;
  run: Run;
  /** The state before the first step, written out. */
  firstState: () => CellState;
  /** Number of the cell's parameters, by which the cost of a step is judged. */
  weights: () => number;
}

/** Runs the cell where there are valid steps, with the same result as everywhere. */
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

/** The outputs, with those of `missing` masked steps put back. */
function restored(y: Tensor, B: number, missing: number, context: SequenceContext): Tensor {
  const { returnSequences, reverse, realign, zeroOutputForMask } = context;
  const units = y.shape[y.rank - 1];
  // Backwards, the padding came first, before any valid step: zeros, and the last output is not one of them.
  if (!returnSequences) return reverse || !zeroOutputForMask ? y : zeros([B, units]);
  const repeats = !reverse && !zeroOutputForMask;
  const rest = repeats ? broadcastTo(slice(y, 1, -1), [B, missing, units]) : zeros([B, missing, units]);
  return concat(reverse && !realign ? [rest, y] : [y, rest], 1);
}
