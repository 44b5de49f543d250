/**
 * Runs a cell over a whole sequence: as one fused op if the cell has one, otherwise step by step.
 */
import { add, mul, reshape, slice, stack, sub, type Tensor, zeros } from '@unroll/core';
import { zeroMaskedSteps } from '../masks.js';
import { stepsOf } from '../optional-functions.js';
import {
  type Cell,
  type CellState,
  type SequenceContext,
  type SequenceResult,
  type StepContext,
  type StepResult,
  zeroState,
} from './cell.js';

/** The members of a cell that the time loop uses. */
export type Stepper<S extends CellState = CellState> = Pick<
  Cell<S>,
  'units' | 'stateSizes' | 'zeroState' | 'step'
>;

/** Computes the outputs and the final state for x [B, T, I]. `state` null: the initial state of the cell. */
export function runCell(
  cell: Cell,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
): SequenceResult {
  const initial = state ?? cell.zeroState?.(x.shape[0], context.constants) ?? null;
  return cell.sequence?.(x, initial, context) ?? runSteps(cell, x, initial, context);
}

/** Computes one step, x [B, I], with the fused kernel of the cell if it has one. */
export function stepCell(cell: Cell, x: Tensor, state: CellState, context: StepContext): StepResult {
  const single = {
    returnSequences: false,
    reverse: false,
    timeOrder: false,
    zeroOutputForMask: false,
    mask: null,
  };
  const [B, I] = x.shape;
  return (
    cell.sequence?.(reshape(x, [B, 1, I]), state, { ...context, ...single }) ?? cell.step(x, state, context)
  );
}

/** Runs the sequence step by step. Tests compare fused kernels with this function. */
export function runSteps(
  cell: Stepper,
  x: Tensor,
  initial: CellState | null,
  context: SequenceContext,
): SequenceResult {
  const { mask } = context;
  return timeLoop(cell, mask === null ? x : zeroMaskedSteps(x, mask), initial, context);
}

/** Like {@link runSteps}, for x that is finite at masked steps. */
export function timeLoop(
  cell: Stepper,
  x: Tensor,
  initial: CellState | null,
  context: SequenceContext,
): SequenceResult {
  const { returnSequences, reverse, timeOrder, zeroOutputForMask, mask, constants } = context;
  const [B, T] = x.shape;
  const input = stepsOf(x);
  let state = initial ?? zeroState(cell, B, constants);
  let y: Tensor = zeros([B, cell.units]);
  const outputs: Tensor[] = [];
  for (let n = 0; n < T; n++) {
    const t = reverse ? T - 1 - n : n;
    const step = cell.step(input(t), state, context);
    if (mask === null) {
      state = step.state;
      y = step.y;
    } else {
      const valid = slice(mask, 1, t, t + 1); // [B, 1]
      const previous = state;
      state = Object.fromEntries(
        Object.keys(state).map((name) => [name, select(valid, step.state[name], previous[name])]),
      );
      y = zeroOutputForMask ? mul(step.y, valid) : select(valid, step.y, y);
    }
    if (returnSequences) outputs.push(y);
  }
  if (!returnSequences) return { y, state };
  if (reverse && timeOrder) outputs.reverse();
  return { y: stack(outputs, 1), state };
}

/** Returns a where `valid` is 1 and b where it is 0. */
export function select(valid: Tensor, a: Tensor, b: Tensor): Tensor {
  return add(mul(valid, a), mul(sub(1, valid), b));
}
