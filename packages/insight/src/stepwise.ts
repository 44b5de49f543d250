/** Runs a cell step by step and records its gates, states and gradients. Works for every cell, including custom cells. */

import { stack, type Tensor, zeros } from '@unroll/core';
import { recording } from '@unroll/core/internal';
import {
  type Cell,
  type CellState,
  runSteps,
  type SequenceContext,
  type SequenceResult,
  type Stepper,
  type StepResult,
} from '@unroll/nn';
import type { CellRecord, GradientSink, TensorsByName } from './fused.js';
import { innerPrefix } from './gates.js';
import { override } from './override.js';
import type { Probe } from './probe.js';

/** Changes the result of a step, for example by fixing some units. */
export type StepHook = (result: StepResult) => StepResult;

/** The steps of a run, in processing order. */
interface Steps {
  /** The states after each step, as the cell returned them. */
  raw: CellState[];
  /** The states before each step; a masked step does not change the state. */
  before: CellState[];
  gates: TensorsByName[];
}

/**
 * Runs a cell over a sequence, step by step. Returns the result, and the gates and states of all steps.
 * @param probe the tape, if the gradients with respect to the states are requested
 * @param sink receives these gradients after each backward pass, when the returned `report` is called
 */
export function runStepwise(
  cell: Cell,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
  options: { hook: StepHook | null; probe: Probe | null; sink: GradientSink | null },
): { result: SequenceResult; record: CellRecord; report: () => void } {
  const steps: Steps = { raw: [], before: [], gates: [] };
  const inner = observeInner(cell);
  let result: SequenceResult;
  try {
    result = runRecorded(cell, recordingStepper(cell, steps, inner.take, options.hook), x, state, context);
  } finally {
    inner.restore();
  }
  const after = [...steps.before.slice(1), result.state];
  const report = options.probe && options.sink ? watchStates(steps, after, context, options) : () => {};
  const outer = recording.current;
  recording.current = null;
  try {
    const record = {
      gates: joinSteps(steps.gates, context.reverse),
      states: joinSteps(after, context.reverse),
    };
    return { result, record, report };
  } finally {
    recording.current = outer;
  }
}

/**
 * Runs all steps. A cell with further outputs, such as the alignments of a decoder, collects these outputs in `cell.sequence`,
 * which calls `cell.step`.
 */
function runRecorded(
  cell: Cell,
  stepper: Stepper,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
): SequenceResult {
  if (!cell.extraOutputs?.length || !cell.sequence) return runSteps(stepper, x, state, context);
  const restore = override(cell, 'step', stepper.step);
  try {
    return cell.sequence(x, state, context) ?? runSteps(stepper, x, state, context);
  } finally {
    restore();
  }
}

/** Returns a stepper (the part of a cell that `runSteps` needs) that runs a cell and records its steps. */
function recordingStepper(
  cell: Cell,
  { raw, before, gates }: Steps,
  innerGates: () => TensorsByName,
  hook: StepHook | null,
): Stepper {
  const { units, stateSizes, step } = cell;
  return {
    units,
    stateSizes,
    ...(cell.zeroState && { zeroState: cell.zeroState.bind(cell) }),
    step(x, state, context) {
      before.push(state);
      const computed = step.call(cell, x, state, context);
      gates.push({ ...innerGates(), ...computed.gates });
      const result = hook ? hook(computed) : computed;
      raw.push(result.state);
      return result;
    },
  };
}

/**
 * Makes the inner cells of a cell run step by step and report their gates. In a stack, the names of the gates begin with the
 * number of the cell, like the names of its states (`0.i`).
 */
function observeInner(cell: Cell): { take: () => TensorsByName; restore: () => void } {
  let gates: TensorsByName = {};
  const restores: (() => void)[] = [];
  const observe = (outer: Cell, prefix: string): void => {
    outer.cells?.forEach((inner, n) => {
      const path = prefix + innerPrefix(outer, n);
      observe(inner, path);
      const step = inner.step;
      const observed: Cell['step'] = (x, state, context) => {
        const result = step.call(inner, x, state, context);
        for (const name in result.gates) gates[path + name] = result.gates[name];
        return result;
      };
      restores.push(
        override(inner, 'sequence', () => null),
        override(inner, 'step', observed),
      );
    });
  };
  observe(cell, '');
  return {
    take() {
      const taken = gates;
      gates = {};
      return taken;
    },
    restore() {
      for (const restore of restores) restore();
    },
  };
}

/** Stacks named tensors [B, ...] of all steps to [B, T, ...] in time order. */
function joinSteps(steps: readonly TensorsByName[], reverse: boolean): TensorsByName {
  const order = reverse ? steps.toReversed() : steps;
  const names = Object.keys(order[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [
      name,
      stack(
        order.map((step) => step[name]),
        1,
      ),
    ]),
  );
}

/**
 * Watches the states of all steps. The gradient at a valid step is with respect to the state that the cell returned, and so
 * includes the use of this state in the output. At a masked step it is 0, because the returned state is not used.
 */
function watchStates(
  { raw }: Steps,
  after: readonly CellState[],
  { reverse }: SequenceContext,
  { probe, sink }: { probe: Probe | null; sink: GradientSink | null },
): () => void {
  const names = Object.keys(after[0] ?? {});
  let gradients: Record<string, (Tensor | undefined)[]> = {};
  const clear = (): void => {
    gradients = Object.fromEntries(names.map((name) => [name, []]));
  };
  clear();
  raw.forEach((state, n) => {
    for (const name of names) {
      probe?.watch(state[name], (gradient) => {
        gradients[name][n] = gradient;
      });
    }
  });
  return () => {
    const joined = names.map((name) => {
      const list = after.map((state, n) => gradients[name][n] ?? zeros(state[name].shape));
      return [name, stack(reverse ? list.toReversed() : list, 1)] as const;
    });
    clear();
    sink?.(Object.fromEntries(joined));
  };
}
