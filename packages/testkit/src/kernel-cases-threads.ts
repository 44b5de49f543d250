// Stress tests of the thread pool, and checks that results do not depend on the number of threads.
import {
  callCrfBackward,
  callCrfForward,
  callCtc,
  callGemm,
  callReduce,
  callSoftmax,
  type KernelModule,
  ReduceOp,
} from '@unroll/kernels';
import { Arena, expectSame, someFloats } from './arena.js';
import type { KernelCase } from './kernel-cases.js';
import { type LstmResult, runLstm } from './kernel-cases-lstm.js';

/** Sets the number of threads and waits until all of them are active, so that a test really uses them. */
export const startThreads = async (module: KernelModule, count: number): Promise<void> => {
  module.setThreads(count);
  const deadline = performance.now() + 20_000;
  while (module.activeThreads < module.threads) {
    if (performance.now() > deadline) {
      throw new Error(`only ${module.activeThreads} of ${module.threads} threads have started after 20 s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

/**
 * Runs `work` with 1, 2 and 3 threads (fewer if the build supports fewer), then restores the number of threads. Returns
 * the three results.
 */
const runOnThreadCounts = async <R>(module: KernelModule, work: () => R): Promise<R[]> => {
  const previousCount = module.threads;
  const results: R[] = [];
  for (const count of [1, 2, 3]) {
    await startThreads(module, count);
    results.push(work());
  }
  module.setThreads(previousCount);
  return results;
};

/** Returns the product A·B (Aᵀ·B if `transA`) of m x k and k x n test matrices. */
const gemm = (module: KernelModule, m: number, n: number, k: number, transA: 0 | 1): Float32Array => {
  const arena = new Arena(module);
  const c = arena.empty(m * n);
  const [a, b] = [arena.floats(someFloats(m * k, 5)), arena.floats(someFloats(k * n, 6))];
  callGemm(module, {
    ...{ transA, transB: 0, m, n, k, A: a, lda: transA ? m : k, B: b, ldb: n, C: c, ldc: n, add: 0 },
    ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
  });
  return arena.read(c, m * n);
};

/** Returns the losses and gradients of sequences of different lengths, enough of them for three threads. */
const ctc = (module: KernelModule): Float32Array => {
  const [B, T, C, L] = [40, 120, 20, 15];
  const arena = new Arena(module);
  const out = arena.empty(B + B * T * C);
  const integers = (count: number, low: number, high: number, seed: number): number =>
    arena.floats(someFloats(count, seed).map((x) => Math.floor(low + ((x + 1) / 2) * (high - low))));
  const work = arena.empty(module.threads * module.kernels.ctc_work_size(T, C, L));
  callCtc(module, {
    ...{ B, T, C, L, blank: 0, zero_infinity: 0, slots: module.threads, work },
    x: arena.floats(someFloats(B * T * C, 8).map((x) => 3 * x)),
    targets: integers(B * L, 1, C, 9),
    lengths: integers(B, T / 2, T, 10),
    target_lengths: integers(B, 0, L, 11),
    losses: out,
    dx: out + 4 * B,
  });
  return arena.read(out, B + B * T * C);
};

/** Copies and transposes a matrix that is large enough for three threads, and sums its columns. */
const copyTransposeSum = (module: KernelModule): Record<'copied' | 'transposed' | 'sums', Float32Array> => {
  const [rows, columns] = [1003, 1531];
  const arena = new Arena(module);
  const x = arena.floats(someFloats(rows * columns, 7));
  const [copied, transposed] = [arena.empty(rows * columns), arena.empty(rows * columns)];
  const sums = arena.empty(columns);
  const copy = (y: number, strides: readonly number[]): void => {
    const dims = arena.ints([rows, columns, columns, 1, ...strides]);
    module.kernels.copy_strided(x, y, 2, dims);
  };
  copy(copied, [columns, 1]);
  copy(transposed, [1, rows]);
  callReduce(module, { op: ReduceOp.sum, x, y: sums, outer: 1, n: rows, inner: columns });
  return {
    copied: arena.read(copied, rows * columns),
    transposed: arena.read(transposed, rows * columns),
    sums: arena.read(sums, columns),
  };
};

/** Returns the losses and gradients of a conditional random field that is large enough for three threads. */
const crf = (module: KernelModule): Record<'losses' | 'dEmissions' | 'dTransitions', Float32Array> => {
  const [B, T, K] = [67, 40, 20];
  const arena = new Arena(module);
  const [losses, dEmissions, dTransitions] = [arena.empty(B), arena.empty(B * T * K), arena.empty(K * K)];
  const fields = {
    ...{ B, T, K, emissions: arena.floats(someFloats(B * T * K, 9)) },
    transitions: arena.floats(someFloats(K * K, 10)),
    ...{ start: arena.floats(someFloats(K, 11)), end: arena.floats(someFloats(K, 12)) },
    tags: arena.floats(someFloats(B * T, 13).map((x) => Math.floor((x + 1) * 10))),
    work: arena.empty(module.kernels.crf_work_size(B, T, K)),
  };
  callCrfForward(module, { crf: fields, losses });
  callCrfBackward(module, {
    ...{ crf: fields, g: arena.floats(someFloats(B, 14)), dEmissions, dTransitions },
    ...{ dStart: arena.empty(K), dEnd: arena.empty(K) },
  });
  return {
    losses: arena.read(losses, B),
    dEmissions: arena.read(dEmissions, B * T * K),
    dTransitions: arena.read(dTransitions, K * K),
  };
};

export const threadCases: KernelCase[] = [
  {
    name: 'the thread pool runs every item once and respects barriers, in 10,000 jobs',
    run: async (module) => {
      const previousCount = module.threads;
      for (const count of [2, 1, 3, 5, 2]) {
        await startThreads(module, count);
        const failed = module.checkPool(2000);
        if (failed) throw new Error(`${failed} of 2000 jobs failed with ${count} threads`);
      }
      module.setThreads(previousCount);
    },
  },
  {
    name: 'a job wakes sleeping threads',
    run: async (module) => {
      const previousCount = module.threads;
      for (const count of [2, 3, 2]) {
        await startThreads(module, count);
        await new Promise((resolve) => setTimeout(resolve, 30)); // the threads fall asleep
        const failed = module.checkPool(1);
        if (failed) throw new Error(`the job failed with ${count} threads`);
      }
      module.setThreads(previousCount);
    },
  },
  {
    name: 'the thread pool works correctly while threads are still starting',
    run: (module) => {
      const previousCount = module.threads;
      for (const count of [6, 2, 8, 1, 7]) {
        module.setThreads(count);
        const failed = module.checkPool(200);
        if (failed) throw new Error(`${failed} of 200 jobs failed with up to ${count} threads`);
      }
      module.setThreads(previousCount);
    },
  },
  {
    name: 'gemm returns the same bits for any number of threads',
    run: async (module) => {
      for (const [m, n, k, transA] of [
        [257, 129, 300, 0],
        [3, 1024, 700, 0],
        [1000, 5, 500, 0],
        [60, 100, 1501, 1],
      ] as const) {
        const [expected, ...others] = await runOnThreadCounts(module, () => gemm(module, m, n, k, transA));
        for (const other of others) expectSame(other, expected, `${m} x ${n} x ${k}`);
      }
    },
  },
  {
    name: 'CTC returns the same bits for any number of threads',
    run: async (module) => {
      const [expected, ...others] = await runOnThreadCounts(module, () => ctc(module));
      if (!expected.every(Number.isFinite)) throw new Error('CTC returned a number that is not finite');
      for (const other of others) expectSame(other, expected, 'losses and gradients');
    },
  },
  {
    name: 'copies and sums have the same bits for any number of threads',
    run: async (module) => {
      const [expected, ...others] = await runOnThreadCounts(module, () => copyTransposeSum(module));
      for (const other of others) {
        for (const key of ['copied', 'transposed', 'sums'] as const)
          expectSame(other[key], expected[key], key);
      }
    },
  },
  {
    name: 'softmax returns the same bits for any number of threads',
    run: async (module) => {
      const [rows, n] = [211, 1003];
      const [expected, ...others] = await runOnThreadCounts(module, () => {
        const arena = new Arena(module);
        const y = arena.empty(rows * n);
        callSoftmax(module, { x: arena.floats(someFloats(rows * n, 8)), y, rows, n, log: 0 });
        return arena.read(y, rows * n);
      });
      for (const other of others) expectSame(other, expected, 'softmax');
    },
  },
  {
    name: 'a conditional random field has the same bits for any number of threads',
    run: async (module) => {
      if (module.inferenceOnly) return;
      const [expected, ...others] = await runOnThreadCounts(module, () => crf(module));
      for (const other of others) {
        for (const key of ['losses', 'dEmissions', 'dTransitions'] as const)
          expectSame(other[key], expected[key], key);
      }
    },
  },
  {
    name: 'lstm returns the same bits for any number of threads',
    run: async (module) => {
      for (const shape of [
        { T: 6, B: 33, I: 20, H: 96 },
        { T: 4, B: 2, I: 64, H: 320 },
      ]) {
        const [expected, ...others] = await runOnThreadCounts(module, () => runLstm(module, shape));
        for (const other of others) {
          for (const key of Object.keys(other) as (keyof LstmResult)[])
            expectSame(other[key], expected[key], key);
        }
      }
    },
  },
];
