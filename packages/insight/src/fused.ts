/**
 * Reads gates, states and gradients of the fused kernels. If a tape records an op, its forward kernel stores the gates for the
 * backward pass, and its backward kernel can return the gradient of the state of every step. During one call of `cell.sequence`,
 * this file replaces the tape (`recording.current`) and so receives these buffers. The kernels run only once, as in an ordinary
 * forward pass.
 */

import type { Tensor } from '@unroll/core';
import {
  type AnyOp,
  type GruSaved,
  type Kernels,
  type LstmSaved,
  recording,
  type SequenceBuffers,
  temporaryTensor,
} from '@unroll/core/internal';
import {
  type Cell,
  type CellState,
  GruCell,
  LstmCell,
  MinCell,
  type SequenceContext,
  type SequenceResult,
  SimpleRnnCell,
} from '@unroll/nn';
import { override } from './override.js';
import { KernelSteps, type StepValues } from './step-values.js';

/** Tensors by name. */
export type TensorsByName = Record<string, Tensor>;

/** The gates and states of one run of a cell, in time order. */
export interface CellRecord {
  /** [B, T, size] */
  gates: Record<string, StepValues>;
  /** The states after each step, [B, T, size]. */
  states: Record<string, StepValues>;
}

/** The result of a run, and its gates and states. */
export interface FusedRun {
  result: SequenceResult;
  record: CellRecord;
}

/** Called in each backward pass with the gradients with respect to the states, [B, T, size] in time order. */
export type GradientSink = (gradients: TensorsByName) => void;

/** The gates and states of a call of an op. */
interface Observation extends CellRecord {
  /** The op for the outer tape to record. If there is a sink, the backward pass of this op also reports gradients. */
  op: AnyOp;
}

type Observer = (
  call: { op: AnyOp; outputs: readonly Tensor[]; saved: unknown; reverse: boolean },
  sink: GradientSink | null,
) => Observation;

const KINDS = [
  [LstmCell, 'lstm'],
  [GruCell, 'gru'],
  [SimpleRnnCell, 'rnn'],
  [MinCell, 'linearScan'],
] as const;

type OpName = (typeof KINDS)[number][1];

/** Returns the name of the fused op of a cell; null if it has none, or if a subclass overrides `step` or `sequence`. */
export function fusedOpOf(cell: Cell): OpName | null {
  for (const [kind, op] of KINDS) {
    const { step, sequence } = kind.prototype as Pick<Cell, 'step' | 'sequence'>;
    if (cell instanceof kind && cell.step === step && cell.sequence === sequence) return op;
  }
  return null;
}

/**
 * Runs a cell with its fused kernel. Returns the result, the gates and the states.
 * @param sink receives the gradients with respect to the states; null: they are not requested
 * @returns null if the cell has no fused kernel for these options on this backend
 */
export function runFused(
  cell: Cell,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
  sink: GradientSink | null,
): FusedRun | null {
  const name = fusedOpOf(cell);
  if (name === null) return null;
  let found: Observation | null = null;
  const outer = recording.current;
  const scan = cell instanceof MinCell ? observeCoefficients(cell) : null;
  recording.current = {
    tracks: () => true,
    record(op, inputs, attrs, outputs, saved) {
      let recorded = op;
      if (op.name === name) {
        found = observers[name]({ op, outputs, saved, reverse: context.reverse }, sink);
        recorded = found.op;
      }
      if (inputs.some((input) => input !== null && outer?.tracks(input)))
        outer?.record(recorded, inputs, attrs, outputs, saved);
    },
  };
  let result: SequenceResult | null | undefined;
  try {
    result = cell.sequence?.(x, state, context);
  } finally {
    recording.current = outer;
    scan?.restore();
  }
  if (!result || found === null) return null;
  const { gates, states } = found as Observation;
  return { result, record: { gates: scan?.gates() ?? gates, states } };
}

/** Collects the gates of a minGRU or minLSTM, which computes them for all steps at once. */
function observeCoefficients(cell: MinCell): { gates: () => TensorsByName; restore: () => void } {
  let gates: TensorsByName = {};
  const { coefficients } = cell;
  const restore = override(cell, 'coefficients', (sum) => {
    const result = coefficients.call(cell, sum);
    gates = { ...result.gates };
    return result;
  });
  return { gates: () => gates, restore };
}

const observers: Record<OpName, Observer> = {
  lstm({ op, saved, reverse }, sink) {
    const { buffers, gates, c } = saved as LstmSaved;
    const { T, B, H } = buffers;
    const cells = new KernelSteps(c, { T, B, size: H, offset: B * H, stride: H, reverse });
    return {
      gates: splitGates(gates, buffers, 'ifgo', reverse),
      states: { h: hiddenStates(buffers, reverse), c: cells },
      op: sink ? reportingGradients(op, 'lstmBackward', ['dhAll', 'dcAll'], buffers, reverse, sink) : op,
    };
  },
  gru({ op, saved, reverse }, sink) {
    const { buffers, gates } = saved as GruSaved;
    return {
      gates: splitGates(gates, buffers, 'zrn', reverse),
      states: { h: hiddenStates(buffers, reverse) },
      op: sink ? reportingGradients(op, 'gruBackward', ['dhAll'], buffers, reverse, sink) : op,
    };
  },
  rnn({ op, saved, reverse }, sink) {
    const buffers = saved as SequenceBuffers;
    return {
      gates: {},
      states: { h: hiddenStates(buffers, reverse) },
      op: sink ? reportingGradients(op, 'rnnBackward', ['dhAll'], buffers, reverse, sink) : op,
    };
  },
  /** At each step, h = a * (previous h) + b, so the gradients with respect to h and b are equal. They are in time order. */
  linearScan({ op, outputs: [y] }, sink) {
    const backward: AnyOp['backward'] = (call) => {
      const gradients = op.backward(call);
      sink?.({ h: gradients[1] as Tensor });
      return gradients;
    };
    return { gates: {}, states: { h: y }, op: sink ? { ...op, backward } : op };
  },
};

/** Returns h after each step, before recurrent dropout. */
function hiddenStates({ T, B, I, H, xh, hs }: SequenceBuffers, reverse: boolean): KernelSteps {
  if (hs) return new KernelSteps(hs, { T, B, size: H, offset: B * H, stride: H, reverse });
  return new KernelSteps(xh, { T, B, size: H, offset: B * (I + H) + I, stride: I + H, reverse });
}

function splitGates(
  gates: Tensor,
  { T, B, H }: SequenceBuffers,
  names: string,
  reverse: boolean,
): Record<string, KernelSteps> {
  const stride = gates.shape[2];
  const parts = [...names].map((name, gate) => {
    return [name, new KernelSteps(gates, { T, B, size: H, offset: gate * H, stride, reverse })] as const;
  });
  return Object.fromEntries(parts);
}

type BackwardKernel = 'lstmBackward' | 'gruBackward' | 'rnnBackward';

/** Returns a copy of the op whose backward pass requests the gradients of all states from the kernel and passes them to `sink`. */
function reportingGradients(
  op: AnyOp,
  kernel: BackwardKernel,
  requests: readonly ('dhAll' | 'dcAll')[],
  { T, B, H }: SequenceBuffers,
  reverse: boolean,
  sink: GradientSink,
): AnyOp {
  return {
    ...op,
    backward(call) {
      const blocks = requests.map((name) => [name, temporaryTensor([T, B, H])] as const);
      const kernels = Object.create(call.kernels) as Kernels;
      const extra = Object.fromEntries(blocks.map(([name, block]) => [name, block.block()]));
      kernels[kernel] = (args: never) => call.kernels[kernel]({ ...(args as object), ...extra } as never);
      const gradients = op.backward({ ...call, kernels });
      const order = { T, B, size: H, offset: 0, stride: H, reverse };
      sink(
        Object.fromEntries(
          blocks.map(([name, block]) => [name[1], new KernelSteps(block, order).toTensor()]),
        ),
      );
      return gradients;
    },
  };
}
