// Stress tests of the thread pool, and checks that results do not depend on the number of threads.
import { callGemm, callReduce, callSoftmax, type KernelModule, ReduceOp } from '@unroll/kernels';
import { Arena, expectSame, someFloats } from './arena.js';
import type { KernelCase } from './kernel-cases.js';
import { type LstmResult, runLstm } from './kernel-cases-lstm.js';

/** Sets the number of threads and waits until all of them are active, so that a test really uses them. */
export const withThreads = async (module: KernelModule, count: number): Promise<void> => {
  module.setThreads(count);
  const deadline = performance.now() + 20_000;
  while (module.activeThreads < module.threads) {
    if (performance.now() > deadline) {
      throw new Error(`only ${module.activeThreads} of ${module.threads} threads have started after 20 s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

/** Runs `work` on 1, 2 and 3 threads (as far as the build supports them), then restores the number of threads. */
const onEach = async <R>(module: KernelModule, work: () => R): Promise<R[]> => {
  const before = module.threads;
  const results: R[] = [];
  for (const count of [1, 2, 3]) {
    await withThreads(module, count);
    results.push(work());
  }
  module.setThreads(before);
  return results;
};

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

/** Copies, transposes and sums the columns of a matrix that is large enough for three threads. */
const copiesAndSums = (module: KernelModule): Record<'same' | 'transposed' | 'sums', Float32Array> => {
  const [rows, columns] = [1003, 1531];
  const arena = new Arena(module);
  const x = arena.floats(someFloats(rows * columns, 7));
  const [same, transposed] = [arena.empty(rows * columns), arena.empty(rows * columns)];
  const sums = arena.empty(columns);
  const copy = (y: number, strides: readonly number[]): void => {
    const dims = arena.ints([rows, columns, columns, 1, ...strides]);
    module.kernels.copy_strided(x, y, 2, dims);
  };
  copy(same, [columns, 1]);
  copy(transposed, [1, rows]);
  callReduce(module, { op: ReduceOp.sum, x, y: sums, outer: 1, n: rows, inner: columns });
  return {
    same: arena.read(same, rows * columns),
    transposed: arena.read(transposed, rows * columns),
    sums: arena.read(sums, columns),
  };
};

export const threadCases: KernelCase[] = [
  {
    name: 'the pool runs every item once and keeps its barriers, in 10,000 jobs',
    run: async (module) => {
      const before = module.threads;
      for (const count of [2, 1, 3, 5, 2]) {
        await withThreads(module, count);
        const wrong = module.checkPool(2000);
        if (wrong) throw new Error(`${wrong} jobs failed on ${count} threads`);
      }
      module.setThreads(before);
    },
  },
  {
    name: 'a job wakes sleeping workers',
    run: async (module) => {
      const before = module.threads;
      for (const count of [2, 3, 2]) {
        await withThreads(module, count);
        await new Promise((resolve) => setTimeout(resolve, 30));
        const wrong = module.checkPool(1);
        if (wrong) throw new Error(`${wrong} jobs failed on ${count} threads`);
      }
      module.setThreads(before);
    },
  },
  {
    name: 'the pool works correctly while workers are still starting',
    run: (module) => {
      const before = module.threads;
      for (const count of [6, 2, 8, 1, 7]) {
        module.setThreads(count);
        const wrong = module.checkPool(200);
        if (wrong) throw new Error(`${wrong} jobs failed on up to ${count} threads`);
      }
      module.setThreads(before);
    },
  },
  {
    name: 'gemm gives the same bits on any number of threads',
    run: async (module) => {
      for (const [m, n, k, transA] of [
        [257, 129, 300, 0],
        [3, 1024, 700, 0],
        [1000, 5, 500, 0],
        [60, 100, 1501, 1],
      ] as const) {
        const [one, ...more] = await onEach(module, () => gemm(module, m, n, k, transA));
        for (const other of more) expectSame(other, one, `${m} x ${n} x ${k}`);
      }
    },
  },
  {
    name: 'copies and sums give the same bits on any number of threads',
    run: async (module) => {
      const [one, ...more] = await onEach(module, () => copiesAndSums(module));
      for (const other of more) {
        for (const key of ['same', 'transposed', 'sums'] as const) expectSame(other[key], one[key], key);
      }
    },
  },
  {
    name: 'softmax gives the same bits on any number of threads',
    run: async (module) => {
      const [rows, n] = [211, 1003];
      const [one, ...more] = await onEach(module, () => {
        const arena = new Arena(module);
        const y = arena.empty(rows * n);
        callSoftmax(module, { x: arena.floats(someFloats(rows * n, 8)), y, rows, n, log: 0 });
        return arena.read(y, rows * n);
      });
      for (const other of more) expectSame(other, one, 'softmax');
    },
  },
  {
    name: 'lstm gives the same bits on any number of threads',
    run: async (module) => {
      for (const shape of [
        { T: 6, B: 33, I: 20, H: 96 },
        { T: 4, B: 2, I: 64, H: 320 },
      ]) {
        const [one, ...more] = await onEach(module, () => runLstm(module, shape));
        for (const other of more) {
          for (const key of Object.keys(other) as (keyof LstmResult)[]) expectSame(other[key], one[key], key);
        }
      }
    },
  },
];
