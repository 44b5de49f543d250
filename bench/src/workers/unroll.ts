/**
 * The engine Unroll: `unroll.js <threads> <backend>`. The rows of the benchmark run the same code as the public API: inference
 * calls `forward` in a scope, as `predict` does, and training runs the steps of `train`, as `fit` does. Each training step also
 * copies its batch and yields to the event loop.
 */
import {
  type Backend,
  type BackendName,
  type MaskedSequence,
  scope,
  setBackend,
  setThreads,
  type Tensor,
  tensor,
} from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import type { KernelModule } from '@unroll/kernels';
import { argument, threads } from '#host';
import type { NamedTensor, RowData } from '../data.js';
import type { Mode, Row, Variant } from '../rows.js';
import { javascriptShare } from './javascript-share.js';
import { type PreparedRow, serve, takeLastStep, Unavailable } from './serve.js';
import { buildModel, makeRowTrainingStep } from './unroll-model.js';
import { prepareSequence } from './unroll-sequences.js';

const toTensor = ({ values, shape }: NamedTensor): Tensor => tensor(values, shape);
const context = inferenceContext();
const sequence = (value: Tensor): MaskedSequence => ({ value, mask: null });

function prepareStream(row: Row, data: RowData, variant: Variant): PreparedRow {
  const { I } = row;
  const stream = buildModel(row, data, variant).stream();
  const [x] = data.inputs;
  const steps = Array.from({ length: x.shape[1] }, (_, t) =>
    tensor(x.values.slice(t * I, (t + 1) * I), [1, I]),
  );
  let step = 0;
  const work = (): Tensor => stream.step(steps[step++ % steps.length]);
  return {
    work,
    outputs: () => steps.map(() => work().dataSync() as Float32Array).at(-1)!,
  };
}

async function prepare(row: Row, mode: Mode, data: RowData, requested: Variant): Promise<PreparedRow> {
  const variant = row.cell === 'gru-reset-before' ? 'reset-before' : requested;
  if (variant !== 'standard' && variant !== 'reset-before')
    throw new Unavailable(`does not support the variant "${variant}" of the ${row.kind} cell`);
  if (mode === 'stream') return { ...prepareStream(row, data, variant), variant };
  const model = buildModel(row, data, variant);
  const inputs = data.inputs.map(toTensor);
  if (mode === 'train') {
    const step = makeRowTrainingStep(row, model, inputs, toTensor(data.y));
    return { work: step, step, variant };
  }
  const sequences = inputs.map(sequence);
  const work = (): Tensor => scope(() => model.forward(sequences, context)[0].value);
  return { work, outputs: () => takeLastStep(work().dataSync() as Float32Array, row), variant };
}

/** Waits up to two seconds for the kernels' worker threads, which start asynchronously. @returns how many are active */
async function waitForThreads({ module }: { module: KernelModule }): Promise<number> {
  for (let i = 0; i < 100 && module.activeThreads < threads; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return module.activeThreads;
}

const backendName = (argument ?? 'native') as BackendName;
const backend: Backend = await setBackend(backendName);
setThreads(threads);

serve({
  hello: async () => {
    const cpu = backend as Backend & { module: KernelModule };
    const active = await waitForThreads(cpu);
    if (active !== threads) throw new Error(`${active} of ${threads} threads started`);
    const description = backend.description.replace(/, \d+ threads?$/, '');
    return { version: 'unroll', description };
  },
  prepare,
  prepareSequence,
  javascriptShare: () => {
    const [kind, build] = backendName.split(':');
    if (kind !== 'native')
      return javascriptShare({ kind: 'wasm', relaxed: build === 'relaxed', threads: false });
    return javascriptShare(build ? { kind, isa: build } : { kind });
  },
});
