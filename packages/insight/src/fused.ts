/**
 * Reads gates, states and gradients of the fused kernels. Their forward pass stores the gates for the backward pass if an op
 * is recorded, and their backward pass can return the gradient of the state of every step. A recorder around one call
 * of `cell.sequence` receives these buffers, so the kernels run once and as usual.
 */
import { type Tensor, zeros } from '@unroll/core';
import {
  type AnyOp,
  type GruSaved,
  type Kernels,
  type LstmSaved,
  openScope,
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

/** Tensors by name. */
export type Named = Record<string, Tensor>;

/** What one run of a cell computed, in time order. */
export interface CellRecord {
  /** [B, T, size] */
  gates: Named;
  /** The states after each step, [B, T, size]. */
  states: Named;
}

/** Receives the gradient of every state in each backward pass, [B, T, size] in time order. */
export type GradientSink = (gradients: Named) => void;

interface Observed extends CellRecord {
  /** The op to record instead, which reports gradients. */
  op: AnyOp;
}

type Observer = (
  call: { op: AnyOp; outputs: readonly Tensor[]; saved: unknown; reverse: boolean },
  sink: GradientSink | null,
) => Observed;

const KINDS = [
  [LstmCell, 'lstm'],
  [GruCell, 'gru'],
  [SimpleRnnCell, 'rnn'],
  [MinCell, 'linearScan'],
] as const;

type OpName = (typeof KINDS)[number][1];

/** Returns the fused op of a cell; null if it has none, also if a subclass changed its equations. */
export function fusedOpOf(cell: Cell): OpName | null {
  for (const [kind, op] of KINDS) {
    const { step, sequence } = kind.prototype as Pick<Cell, 'step' | 'sequence'>;
    if (cell instanceof kind && cell.step === step && cell.sequence === sequence) return op;
  }
  return null;
}

/**
 * Runs a cell with its fused kernel.
 * @param sink receives the gradients of the states; null: not requested
 * @returns null if the cell has no fused kernel for these options on this backend
 */
export function runFused(
  cell: Cell,
  x: Tensor,
  state: CellState | null,
  context: SequenceContext,
  sink: GradientSink | null,
): { result: SequenceResult; record: CellRecord } | null {
  const name = fusedOpOf(cell);
  if (name === null) return null;
  let found: Observed | null = null;
  const outer = recording.current;
  const gates = cell instanceof MinCell ? observeCoefficients(cell) : null;
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
    gates?.restore();
  }
  if (!result || found === null) return null;
  const { gates: found1, states } = found as Observed;
  return { result, record: { gates: gates?.values() ?? found1, states } };
}

/** Collects the gates that a cell of the linear scan computes for all steps. */
function observeCoefficients(cell: MinCell): { values: () => Named; restore: () => void } {
  let gates: Named = {};
  cell.coefficients = (sum) => {
    const result = (Object.getPrototypeOf(cell) as MinCell).coefficients.call(cell, sum);
    gates = { ...result.gates };
    return result;
  };
  return { values: () => gates, restore: () => void delete (cell as Partial<MinCell>).coefficients };
}

const observers: Record<OpName, Observer> = {
  lstm({ op, saved, reverse }, sink) {
    const { prepared, gates, c } = saved as LstmSaved;
    const { T, B, H } = prepared;
    const cells = timeOrder(c, { T, B, size: H, offset: B * H, stride: H, reverse });
    return {
      gates: splitGates(gates, prepared, 'ifgo', reverse),
      states: { h: hiddenStates(prepared, reverse), c: cells },
      op: sink ? reporting(op, 'lstmBackward', ['dhAll', 'dcAll'], prepared, reverse, sink) : op,
    };
  },
  gru({ op, saved, reverse }, sink) {
    const { prepared, gates } = saved as GruSaved;
    return {
      gates: splitGates(gates, prepared, 'zrn', reverse),
      states: { h: hiddenStates(prepared, reverse) },
      op: sink ? reporting(op, 'gruBackward', ['dhAll'], prepared, reverse, sink) : op,
    };
  },
  rnn({ op, saved, reverse }, sink) {
    const prepared = saved as SequenceBuffers;
    return {
      gates: {},
      states: { h: hiddenStates(prepared, reverse) },
      op: sink ? reporting(op, 'rnnBackward', ['dhAll'], prepared, reverse, sink) : op,
    };
  },
  /** h = a h' + b, so the gradient of h equals that of b. The scan works in time order. */
  linearScan({ op, outputs: [y] }, sink) {
    const backward: AnyOp['backward'] = (call) => {
      const gradients = op.backward(call);
      sink?.({ h: gradients[1] as Tensor });
      return gradients;
    };
    return { gates: {}, states: { h: y }, op: sink ? { ...op, backward } : op };
  },
};

/** A block [T, B, stride] in processing order, of which each row has `size` numbers from `offset` on. */
interface TimeMajor {
  T: number;
  B: number;
  size: number;
  offset: number;
  stride: number;
  reverse: boolean;
}

/** Copies columns of a time-major tensor in processing order to a tensor [B, T, size] in time order. */
function timeOrder(from: Tensor, { T, B, size, offset, stride, reverse }: TimeMajor): Tensor {
  const out = temporaryTensor([B, T, size]);
  const [start, step] = reverse ? [(T - 1) * size, -size] : [0, size];
  const { kernels } = openScope().backend;
  kernels.copy(
    from.block(),
    offset,
    [B * stride, stride, 1],
    out.block(),
    start,
    [step, T * size, 1],
    [T, B, size],
  );
  return out;
}

/** Returns h after each step, before recurrent dropout. */
function hiddenStates({ T, B, I, H, xh, hs }: SequenceBuffers, reverse: boolean): Tensor {
  if (hs) return timeOrder(hs, { T, B, size: H, offset: B * H, stride: H, reverse });
  return timeOrder(xh, { T, B, size: H, offset: B * (I + H) + I, stride: I + H, reverse });
}

function splitGates(gates: Tensor, { T, B, H }: SequenceBuffers, names: string, reverse: boolean): Named {
  const stride = gates.shape[2];
  const parts = [...names].map((name, gate) => {
    return [name, timeOrder(gates, { T, B, size: H, offset: gate * H, stride, reverse })] as const;
  });
  return Object.fromEntries(parts);
}

type BackwardKernel = 'lstmBackward' | 'gruBackward' | 'rnnBackward';

/** Returns the op with a backward pass that requests the gradients of all states from the kernel. */
function reporting(
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
      sink(Object.fromEntries(blocks.map(([name, block]) => [name[1], timeOrder(block, order)])));
      return gradients;
    },
  };
}

/** Returns the initial state of a run: the given one, or zeros. */
export function initialState(
  cell: Cell,
  state: CellState | null,
  B: number,
  context: SequenceContext,
): Named {
  if (state) return { ...state };
  if (cell.zeroState) return { ...cell.zeroState(B, context.constants) };
  return Object.fromEntries(Object.entries(cell.stateSizes).map(([name, size]) => [name, zeros([B, size])]));
}
