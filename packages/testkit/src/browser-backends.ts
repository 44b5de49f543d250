// What a page runs in addition to the kernel cases: the backend contract on every WebAssembly build that loads, and a
// short training run on each, whose loss must fall as far as on the reference.
import { type Backend, type BackendName, predict, setBackend, tensor } from '@unroll/core';
import { yieldToEventLoop } from '@unroll/core/internal';
import type { KernelModule } from '@unroll/kernels';
import { dense, lstm, sequential } from '@unroll/nn';
import { fit } from '@unroll/train';
import { contractCases, skipReason } from './contract.js';

type Attempt = (name: string, work: () => void | Promise<void>) => Promise<void>;
type Skip = (name: string, reason: string) => void;

const EXAMPLES = 48;
const STEPS = 12;
const WAIT_MS = 20_000;

/** The mean squared error of forecasting a sine, before and after 25 epochs. */
async function trainOnSine(backend: Backend): Promise<{ before: number; after: number }> {
  await setBackend(backend);
  const wave = (i: number): number => Math.sin(i / 4);
  const rows = Array.from({ length: EXAMPLES }, (_, row) => row);
  const x = tensor(rows.map((row) => Array.from({ length: STEPS }, (_, t) => [wave(row + t)])));
  const y = tensor(rows.map((row) => [wave(row + STEPS)]));
  const model = sequential([lstm({ units: 8 }), dense({ units: 1 })], { seed: 5 });
  const error = async (): Promise<number> => {
    const found = Array.from((await predict(model, x)).dataSync());
    return found.reduce((sum, value, row) => sum + (value - wave(row + STEPS)) ** 2, 0) / EXAMPLES;
  };
  const before = await error();
  const optimizer = { name: 'adam', learningRate: 0.02 } as const;
  await fit(model, { x, y, loss: 'mse', optimizer, epochs: 25, batchSize: 16 });
  return { before, after: await error() };
}

/** Waits until the requested number of threads is active. */
async function allThreads(module: KernelModule, count: number): Promise<void> {
  module.setThreads(count);
  const start = performance.now();
  while (module.activeThreads < count) {
    if (performance.now() - start > WAIT_MS)
      throw new Error(`only ${module.activeThreads} of ${count} threads started`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function runBackends(attempt: Attempt, skip: Skip): Promise<void> {
  const isolated = globalThis.crossOriginIsolated;
  const single: BackendName[] = isolated ? ['wasm:single', 'wasm:relaxed-single'] : [];
  const reference = await trainOnSine(await setBackend('reference'));
  await attempt('training on a sine with the reference: the error falls to a tenth', () => {
    if (!(reference.after < reference.before / 10)) throw new Error(JSON.stringify(reference));
  });
  for (const name of ['wasm', 'wasm:relaxed', ...single] as BackendName[]) {
    const backend = await setBackend(name).catch((error: Error) => error);
    if (backend instanceof Error) {
      skip(`contract on ${name}`, backend.message);
      continue;
    }
    const { module } = backend as Backend & { module: KernelModule };
    if (isolated && !single.includes(name)) {
      await attempt(`${name}: three threads`, () => allThreads(module, 3));
    }
    for (const each of contractCases()) {
      const reason = skipReason(each, backend);
      if (reason) skip(`${name}: ${each.name}`, reason);
      else await attempt(`${name}: ${each.name}`, () => each.run(backend));
      await yieldToEventLoop(); // so that the page can send its results
    }
    await attempt(`${name}: training on a sine matches the reference`, async () => {
      const { before, after } = await trainOnSine(backend);
      if (!(Math.abs(before - reference.before) < 1e-4))
        throw new Error(`error before training: ${before}, expected ${reference.before}`);
      if (!(after < 1.05 * reference.after))
        throw new Error(`error after training: ${after}, expected ${reference.after}`);
    });
  }
  await setBackend('wasm');
}
