// The browser tests of backends: run the backend contract on every WebAssembly backend that the page can load, and train a
// small model on each. The error after training must be at most 5 % above the error with the reference.
import { type Backend, type BackendName, predict, setBackend, tensor } from '@unroll/core';
import { yieldToEventLoop } from '@unroll/core/internal';
import type { KernelModule } from '@unroll/kernels';
import { dense, lstm, sequential } from '@unroll/nn';
import { fit } from '@unroll/train';
import { contractCases, skipReason } from './contract.js';

/** Runs a test and reports its result. */
type RunTest = (name: string, work: () => void | Promise<void>) => Promise<void>;
/** Reports a skipped test. */
type SkipTest = (name: string, reason: string) => void;

const EXAMPLES = 48;
const STEPS = 12;
/** Maximum time for all threads to start. */
const THREAD_TIMEOUT_MS = 20_000;

/** Trains a model to forecast a sine wave. Returns its mean squared error before and after 25 epochs. */
async function trainOnSine(backend: Backend): Promise<{ before: number; after: number }> {
  await setBackend(backend);
  const wave = (i: number): number => Math.sin(i / 4);
  const rows = Array.from({ length: EXAMPLES }, (_, row) => row);
  const x = tensor(rows.map((row) => Array.from({ length: STEPS }, (_, t) => [wave(row + t)])));
  const y = tensor(rows.map((row) => [wave(row + STEPS)]));
  const model = sequential([lstm({ units: 8 }), dense({ units: 1 })], { seed: 5 });
  const error = async (): Promise<number> => {
    const predicted = Array.from((await predict(model, x)).dataSync());
    return predicted.reduce((sum, value, row) => sum + (value - wave(row + STEPS)) ** 2, 0) / EXAMPLES;
  };
  const before = await error();
  const optimizer = { name: 'adam', learningRate: 0.02 } as const;
  await fit(model, { x, y, loss: 'mse', optimizer, epochs: 25, batchSize: 16 });
  return { before, after: await error() };
}

/** Requests `count` threads and waits until they are active. */
async function startThreads(module: KernelModule, count: number): Promise<void> {
  module.setThreads(count);
  const start = performance.now();
  while (module.activeThreads < count) {
    if (performance.now() - start > THREAD_TIMEOUT_MS)
      throw new Error(
        `only ${module.activeThreads} of ${count} threads started within ${THREAD_TIMEOUT_MS / 1000} s`,
      );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Runs the tests on every backend. */
export async function runBackends(attempt: RunTest, skip: SkipTest): Promise<void> {
  const isolated = globalThis.crossOriginIsolated;
  const singleThreaded: BackendName[] = isolated ? ['wasm:single', 'wasm:relaxed-single'] : [];
  const reference = await trainOnSine(await setBackend('reference'));
  await attempt(
    'training on a sine with the reference: the error falls to less than a tenth of its first value',
    () => {
      const { before, after } = reference;
      if (!(after < before / 10))
        throw new Error(`error after training: ${after}, expected less than ${before / 10}`);
    },
  );
  for (const name of ['wasm', 'wasm:relaxed', ...singleThreaded] as BackendName[]) {
    const backend = await setBackend(name).catch((error: Error) => error);
    if (backend instanceof Error) {
      skip(`contract on ${name}`, backend.message);
      continue;
    }
    const { module } = backend as Backend & { module: KernelModule };
    if (isolated && !singleThreaded.includes(name)) {
      await attempt(`${name}: three threads start`, () => startThreads(module, 3));
    }
    for (const contractCase of contractCases()) {
      const reason = skipReason(contractCase, backend);
      const title = `${name}: ${contractCase.name}`;
      if (reason) skip(title, reason);
      else await attempt(title, () => contractCase.run(backend));
      await yieldToEventLoop(); // lets the page send its results
    }
    await attempt(`${name}: training on a sine matches the reference`, async () => {
      const { before, after } = await trainOnSine(backend);
      if (!(Math.abs(before - reference.before) < 1e-4))
        throw new Error(`error before training: ${before}, expected ${reference.before}`);
      if (!(after < 1.05 * reference.after))
        throw new Error(`error after training: ${after}, expected at most ${1.05 * reference.after}`);
    });
  }
  await setBackend('wasm');
}
