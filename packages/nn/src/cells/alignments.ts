/** Runs decoders with attention step by step and collects their alignments. */
import { stack, type Tensor } from '@unroll/core';
import type { CellState, SequenceContext, SequenceResult, StepContext, StepResult } from './cell.js';
import { runSteps, type Stepper } from './run.js';

/** A cell whose steps return an alignment [B, S] among their gates. */
type AligningCell = Pick<Stepper, 'units' | 'stateSizes'> & {
  step(x: Tensor, state: CellState, context: never): StepResult & { gates: { alignment: Tensor } };
};

/** Runs all steps of x [B, T, I]; the extra output is the alignments [B, T, S]. */
export function runAligned(
  cell: AligningCell,
  x: Tensor,
  state: CellState,
  context: SequenceContext<'memory'>,
): SequenceResult {
  const alignments: Tensor[] = [];
  const { units, stateSizes } = cell;
  const collector: Stepper = {
    units,
    stateSizes,
    step(input, previous, stepContext: StepContext) {
      const result = cell.step(input, previous, stepContext as never);
      alignments.push(result.gates.alignment);
      return result;
    },
  };
  const result = runSteps(collector, x, state, context);
  if (context.reverse && context.timeOrder) alignments.reverse();
  return { ...result, extra: { alignment: stack(alignments, 1) } };
}
