/**
 * What one row of the benchmark runs: a layer and its sizes, as inference and as a whole training step with Adam, through
 * the same calls that `predict` and `fit` make.
 */
import {
  currentBackend,
  type ForwardContext,
  RandomStream,
  scope,
  setBackend,
  type Tensor,
  tensor,
} from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { type KernelChoice, loadKernelsSync } from '@unroll/kernels';
import { type Layer, lstm, sequential } from '@unroll/nn';
import { adam, mse, train } from '@unroll/train';

export type CellName = 'lstm';

export interface Row {
  cell: CellName;
  I: number;
  H: number;
  B: number;
  T: number;
}

export const rowName = ({ cell, I, H, B, T }: Row): string => `${cell}-${I}-${H}-${B}-${T}`;

const gates: Record<CellName, number> = { lstm: 4 };
const makers: Record<CellName, (units: number) => Layer> = { lstm: (units) => lstm({ units }) };

/** Floating-point operations of the matrix products of one forward pass. */
export function forwardFlops({ cell, I, H, B, T }: Row): number {
  return 2 * T * B * gates[cell] * H * (I + H);
}

/** ... and of one training step, as executed: forward, dh, and dW with dU; dx of a first layer is never formed. */
export function trainingFlops(row: Row): number {
  const { cell, H, B, T } = row;
  return 2 * forwardFlops(row) + 2 * T * B * gates[cell] * H * H;
}

/** One call of a mode; training steps are asynchronous. */
export type Work = () => void | Promise<void>;

/** Builds the row's model on the backend that computes now. */
export function workOf(row: Row): { infer: Work; train: Work } {
  const { I, H, B, T } = row;
  const random = new RandomStream(1, rowName(row));
  const normal = (shape: number[]): Tensor =>
    tensor(Float32Array.from(random.normal(shape.reduce((a, b) => a * b))), shape);
  const x = normal([B, T, I]);
  const y = normal([B, H]);
  const model = sequential([makers[row.cell](H)]);
  model.build([[-1, T, I]]);
  const context: ForwardContext = { training: false, random, afterStep: () => {}, addLoss: () => {} };
  // One batch an epoch, for ever: the loop that `fit` runs, told of at every step.
  const steps = train(model, {
    x,
    y,
    loss: mse(),
    optimizer: adam(),
    batchSize: B,
    epochs: 1e9,
    shuffle: false,
  });
  return {
    infer: () => void scope(() => model.forward([{ value: x, mask: null }], context).length),
    train: async () => {
      while ((await steps.next()).value?.type !== 'step');
    },
  };
}

/**
 * The share of a training step that JavaScript takes: everything that is not inside a kernel call. It runs on kernels of
 * its own with a clock around each call; the clock is charged to JavaScript, so the figure errs on the high side.
 */
export async function javascriptShare(choice: KernelChoice, row: Row, milliseconds = 1000): Promise<number> {
  const module = loadKernelsSync(choice);
  module.setThreads(1);
  let inside = 0;
  const clocked = Object.entries(module.kernels).map(([name, kernel]) => [
    name,
    (...args: number[]): number => {
      const start = performance.now();
      const result = (kernel as (...args: number[]) => number)(...args);
      inside += performance.now() - start;
      return result;
    },
  ]);
  const before = currentBackend();
  await setBackend(cpuBackend(Object.create(module, { kernels: { value: Object.fromEntries(clocked) } })));
  const work = workOf(row).train;
  const run = async (limit: number): Promise<number> => {
    const start = performance.now();
    inside = 0;
    while (performance.now() - start < limit) await work();
    return performance.now() - start;
  };
  await run(milliseconds / 2);
  const total = await run(milliseconds);
  await setBackend(before);
  return 1 - inside / total;
}
