/**
 * Padding that costs nothing. Where a mask is pure right padding, the steps after the longest sequence of the batch are
 * never computed; what they would have given is known without: the last output again, or zeros.
 */
import { broadcastTo, concat, slice, type Tensor, zeros } from '@unroll/core';
import type { SequenceContext, SequenceResult } from './cells/cell.js';
import { lengthMask, maskFacts } from './masks.js';

/** Runs `run` on the part of x [B, T, ...] that has valid steps, with the same result as on all of it. */
export function runPacked(
  x: Tensor,
  context: SequenceContext,
  run: (x: Tensor, context: SequenceContext) => SequenceResult,
): SequenceResult {
  if (context.mask === null) return run(x, context);
  const { all, rightPadded, longest, lengths } = maskFacts(context.mask);
  if (all) return run(x, { ...context, mask: null });
  const [B, T] = x.shape as [number, number];
  const steps = Math.max(longest, 1);
  if (!rightPadded || steps === T) return run(x, context);
  const full = lengths.every((length) => length === steps);
  const mask = full ? null : lengthMask(lengths, steps);
  const { y, state } = run(slice(x, 1, 0, steps), { ...context, mask });
  return { y: restored(y, B, T - steps, context), state };
}

/** The outputs, with those of `missing` masked steps put back. */
function restored(y: Tensor, B: number, missing: number, context: SequenceContext): Tensor {
  const { returnSequences, reverse, realign, zeroOutputForMask } = context;
  const units = y.shape.at(-1)!;
  // Backwards, the padding came first, before any valid step: zeros, and the last output is not one of them.
  if (!returnSequences) return reverse || !zeroOutputForMask ? y : zeros([B, units]);
  const repeats = !reverse && !zeroOutputForMask;
  const rest = repeats ? broadcastTo(slice(y, 1, -1), [B, missing, units]) : zeros([B, missing, units]);
  return concat(reverse && !realign ? [rest, y] : [y, rest], 1);
}
