// Several instances of the kernels in one process, each with its own memory and thread pool: matrix products in worker
// threads, terminated workers, the cores on which threads run, and more threads than rows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { callGemm, choiceFor, listVariants, loadKernelsSync } from '@unroll/kernels';

const entry = fileURLToPath(import.meta.resolve('@unroll/kernels'));

// Computes a hundred matrix products of different sizes and posts the sum of their results.
const script = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.entry).then(({ callGemm, choiceFor, loadKernelsSync }) => {
    const module = loadKernelsSync(choiceFor(workerData.variant));
    const { kernels, memory } = module;
    kernels.set_threads(2);
    const base = memory.heapBase;
    memory.reserve(base + (4 << 20));
    let sum = 0;
    for (let round = 0; round < 100; round++) {
      const n = 100 + round;
      kernels.fill(base, n * n, workerData.value);
      callGemm(module, {
        ...{ transA: 0, transB: 0, m: n, n, k: n, A: base, lda: n, B: base, ldb: n, C: base + (1 << 20), ldc: n },
        ...{ add: 0, batch: 1, strideA: 0, strideB: 0, strideC: 0 },
      });
      const c = new Float32Array(memory.buffer, base + (1 << 20), n * n);
      sum += c[0] + c[n * n - 1];
    }
    parentPort.postMessage(sum);
  });`;

for (const variant of listVariants()) {
  test(`${variant}: three workers compute correct matrix products at the same time`, async () => {
    const values = [1, 2, 3];
    const results = await Promise.all(
      values.map(async (value) => {
        const worker = new Worker(script, { eval: true, workerData: { entry, variant, value } });
        const [[sum], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
        return [sum, code];
      }),
    );
    // Entries are n * value^2, for n from 100 to 199, two of each.
    assert.deepEqual(
      results,
      values.map((value) => [2 * 14950 * value * value, 0]),
    );
  });
}

test('terminating a worker while its kernels run does not affect the process', async () => {
  for (const variant of listVariants()) {
    const worker = new Worker(
      `import(${JSON.stringify(entry)}).then(({ choiceFor, loadKernelsSync }) => {
        const module = loadKernelsSync(choiceFor(${JSON.stringify(variant)}));
        module.setThreads(3);
        require('node:worker_threads').parentPort.postMessage('ready');
        for (;;) module.checkPool(10);
      });`,
      { eval: true },
    );
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await worker.terminate();
  }
  assert.ok(true);
});

/** Returns the number of processors that each thread of this process may run on, by thread. */
function processors(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of readdirSync('/proc/self/task')) {
    const status = readFileSync(`/proc/self/task/${id}/status`, 'utf8');
    const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)![1]!;
    const ranges = list.split(',').map((range) => range.split('-').map(Number));
    counts.set(
      id,
      ranges.reduce((sum, [first, last = first]) => sum + last! - first! + 1, 0),
    );
  }
  return counts;
}

const native = listVariants().find((variant) => choiceFor(variant).kind === 'native');
const skip =
  native === undefined || process.platform !== 'linux' || availableParallelism() < 2
    ? 'needs Linux, the native kernels and two processors'
    : false;
test('native threads do not run on the core of their caller if there are enough cores', { skip }, () => {
  const before = processors();
  const module = loadKernelsSync(choiceFor(native!));
  /** Waits until all workers have taken part, and returns the number of processors that each may run on. */
  const helpers = (threads: number): number[] => {
    module.setThreads(threads);
    while (module.activeThreads < threads) module.checkPool(1);
    assert.equal(module.checkPool(20), 0);
    return [...processors()].filter(([id]) => !before.has(id)).map(([, count]) => count);
  };
  // The process may run on more processors than availableParallelism() returns (CPU quota).
  const all = before.get(String(process.pid))!;
  assert.deepEqual(helpers(2), [all - 1]);
  // If threads must share cores, the system chooses their cores.
  assert.deepEqual(new Set(helpers(availableParallelism() + 1)), new Set([all]));
});

const hasTaskset = spawnSync('taskset', ['--version']).status === 0;
const cannotMove = skip || (hasTaskset ? false : 'needs taskset');
test('native threads follow the main thread if it is moved to another core', { skip: cannotMove }, () => {
  // Runs in a separate process and moves only its main thread; the workers must follow it.
  const moved = `
    import(${JSON.stringify(entry)}).then(({ choiceFor, loadKernelsSync }) => {
      const { readdirSync, readFileSync } = require('node:fs');
      const allowed = (id) =>
        /^Cpus_allowed_list:\\s*(.*)$/m.exec(readFileSync('/proc/self/task/' + id + '/status', 'utf8'))[1];
      const before = new Set(readdirSync('/proc/self/task'));
      const module = loadKernelsSync(choiceFor(${JSON.stringify(native)}));
      module.setThreads(2);
      while (module.activeThreads < 2) module.checkPool(1);
      module.checkPool(20);
      const core = allowed(process.pid).split(/[-,]/)[0];
      require('node:child_process').execFileSync('taskset', ['-cp', core, String(process.pid)]);
      module.checkPool(100);
      const helpers = readdirSync('/proc/self/task').filter((id) => !before.has(id)).map(allowed);
      console.log(JSON.stringify({ core, helpers }));
    });`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', moved], { encoding: 'utf8' });
  assert.notEqual(stdout, '', stderr);
  const { core, helpers } = JSON.parse(stdout) as { core: string; helpers: string[] };
  assert.deepEqual(helpers, [core]);
});

// Shapes with few rows, for which each of 64 threads gets half of k and less than one row.
const narrow: Readonly<Record<string, readonly [m: number, n: number]>> = {
  avx2: [20, 16],
  baseline: [9, 8],
};
for (const variant of listVariants().filter((name) => name in narrow)) {
  test(`${variant}: a matrix product is correct with more threads than rows`, () => {
    const [m, n] = narrow[variant]!;
    const k = 200_000;
    const module = loadKernelsSync(choiceFor(variant));
    const { kernels, memory } = module;
    module.setThreads(64);
    // The system may allow fewer threads.
    for (let turn = 0; turn < 1000 && module.activeThreads < 64; turn++) module.checkPool(1);
    const a = memory.heapBase;
    const b = a + 4 * m * k;
    const c = b + 4 * n * k;
    memory.reserve(c + 4 * m * n);
    kernels.fill(a, m * k, 1);
    kernels.fill(b, n * k, 2);
    callGemm(module, {
      ...{ transA: 1, transB: 0, m, n, k, A: a, lda: m, B: b, ldb: n, C: c, ldc: n, add: 0 },
      ...{ batch: 1, strideA: 0, strideB: 0, strideC: 0 },
    });
    assert.deepEqual(new Set(new Float32Array(memory.buffer, c, m * n)), new Set([2 * k]));
    module.setThreads(1);
  });
}
