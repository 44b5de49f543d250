/**
 * Runs a cell over a whole sequence: as one fused op if the cell has one, else one step at a time. Unrolled, the
 * network has one copy of the cell per step; all copies share the weights, and each passes the state to the next.
 */
import { add, mul, reshape, slice, stack, sub, type Tensor, zeros } from '@unroll/core';
import { validSteps } from '../masks.js';
import { type Cell, type CellState, type SequenceContext, type SequenceResult, zeroState } from './cell.js';

/** The outputs and final state for x [B, T, I]. `state` null: the initial state of the cell. */
export function runCell(
  cell: Cell,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
): SequenceResult {
  const first = state ?? cell.zeroState?.(x.shape[0], context.constants) ?? null;
  return cell.sequence?.(x, first, context) ?? stepThrough(cell, x, first, context);
}

/** Runs the sequence one step at a time; the reference for fused kernels. */
export function stepThrough(
  cell: Cell,
  x: Tensor,
  initial: CellState | null,
  context: SequenceContext,
): SequenceResult {
  const { returnSequences, reverse, realign, zeroOutputForMask, mask, constants } = context;
  const [B, T, ...rest] = x.shape;
  const seen = mask === null ? x : validSteps(x, mask);
  let state = initial ?? zeroState(cell, B, constants);
  let y: Tensor = zeros([B, cell.units]);
  const outputs: Tensor[] = [];
  for (let n = 0; n < T; n++) {
    const t = reverse ? T - 1 - n : n;
    const step = cell.step(reshape(slice(seen, 1, t, t + 1), [B, ...rest]), state, context);
    if (mask === null) {
      state = step.state;
      y = step.y;
    } else {
      const valid = slice(mask, 1, t, t + 1); // [B, 1]
      const before = state;
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, choose(valid, step.state[name], before[name])]),
      );
      y = zeroOutputForMask ? mul(step.y, valid) : choose(valid, step.y, y);
    }
    if (returnSequences) outputs.push(y);
  }
  if (!returnSequences) return { y, state };
  if (reverse && realign) outputs.reverse();
  return { y: stack(outputs, 1), state };
}

/** a if valid is 1, b if it is 0. */
export function choose(valid: Tensor, a: Tensor, b: Tensor): Tensor {
  return add(mul(valid, a), mul(sub(1, valid), b));
}
