/**
 * Runs a cell over a long batch in parts of a few steps. The buffers in which the fused kernels leave the gates and states of a part
 * stay in the caches and are reused, so a trace needs little more time and memory than the arrays that it returns.
 */
import { scope, slice, type Tensor } from '@unroll/core';
import { openScope, recording, temporaryTensor } from '@unroll/core/internal';
import type { Cell, CellState, SequenceContext } from '@unroll/nn';
import { type FusedRun, fusedOpOf, type Named, runFused } from './fused.js';
import { KernelSteps } from './step-values.js';

/** Numbers in the buffers of a part: half a megabyte as float32. */
const PART = 1 << 17;

/** The gates and states of the cells that can run in parts. Their output is h. */
const VALUES: Readonly<Record<string, { gates: readonly string[]; states: readonly string[] }>> = {
  lstm: { gates: ['i', 'f', 'g', 'o'], states: ['h', 'c'] },
  gru: { gates: ['z', 'r', 'n'], states: ['h'] },
  rnn: { gates: [], states: ['h'] },
};

/** Like {@link runFused}, without gradients. */
export function runTraced(
  cell: Cell,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
): FusedRun | null {
  const { gates, states } = VALUES[fusedOpOf(cell) ?? ''] ?? { gates: [], states: [] };
  const [B, T, I] = x.shape;
  const width = I + (gates.length + states.length) * cell.units;
  const steps = Math.max(4, Math.floor(PART / (B * width)));
  if (states.length === 0 || steps > T / 2 || !canSplit(context)) {
    return runFused(cell, x, state, context, null);
  }
  const joined = (names: readonly string[]): Named =>
    Object.fromEntries(names.map((name) => [name, temporaryTensor([B, T, cell.units])]));
  const record = { gates: joined(gates), states: joined(states) };
  x.block(); // uploads a host tensor to this scope, once for all parts
  let last = state;
  for (let done = 0; done < T; done += steps) {
    const count = Math.min(steps, T - done);
    const first = context.reverse ? T - done - count : done;
    last = scope(() => {
      const part = slice(x, 1, first, first + count);
      const run = runFused(cell, part, last, { ...context, returnSequences: false }, null);
      if (run === null) return null;
      copySteps(run.record.gates, record.gates, first);
      copySteps(run.record.states, record.states, first);
      return run.result.state;
    });
    if (last === null) return runFused(cell, x, state, context, null);
  }
  const end = last as CellState;
  return { result: { y: context.returnSequences ? record.states.h : end.h, state: end }, record };
}

/** Masks, gradients, dropout and outputs in processing order need the whole sequence. */
function canSplit(context: SequenceContext): boolean {
  const { mask, recurrentMask, droppedWeights, reverse, realign, returnSequences } = context;
  if (recording.current !== null || openScope().recording) return false;
  return !mask && !recurrentMask && !droppedWeights && (realign || !reverse || !returnSequences);
}

function copySteps(from: FusedRun['record']['gates'], to: Named, first: number): void {
  for (const name in to) {
    const steps = from[name];
    if (steps instanceof KernelSteps) steps.copyTo(to[name], first);
  }
}
