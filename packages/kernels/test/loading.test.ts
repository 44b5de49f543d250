// Loading kernels: the default choice, rejected choices and their errors, and memory.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  choiceFor,
  KernelLoadError,
  kernelArity,
  listVariants,
  loadKernels,
  loadKernelsSync,
  trainingKernels,
  UnaryOp,
} from '@unroll/kernels';

const variants = listVariants();
const isNative = (variant: string): boolean => choiceFor(variant).kind === 'native';
const entry = fileURLToPath(import.meta.resolve('@unroll/kernels'));

const runScript = async (script: string, env: Record<string, string> = {}, cwd?: string) => {
  const start = performance.now();
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', script],
    {
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      timeout: 30_000,
    },
  );
  return { stdout: stdout.trim(), stderr: stderr.trim(), ms: performance.now() - start };
};

describe('choice', () => {
  test('the default is the best variant of this machine', async () => {
    assert.equal(loadKernelsSync().variant, variants[0]);
    assert.equal((await loadKernels()).variant, variants[0]);
  });
  test('each variant can be loaded by name', () => {
    for (const variant of variants) assert.equal(loadKernelsSync(choiceFor(variant)).variant, variant);
  });
  test('UNROLL_THREADS sets the number of threads; for one thread, the build without threads is loaded', async () => {
    const script = `import { loadKernelsSync as load } from ${JSON.stringify(entry)};
      const modules = [load(), load({ kind: 'wasm' })];
      console.log(modules.map((m) => m.threads).join(), modules[1].variant);`;
    assert.equal((await runScript(script, { UNROLL_THREADS: '3' })).stdout, '3,3 strict-threads');
    assert.equal((await runScript(script, { UNROLL_THREADS: '1' })).stdout, '1,1 strict');
  });

  const assertRejected = (choice: object, code: string, message: RegExp) =>
    assert.throws(
      () => loadKernelsSync(choice),
      (error) => error instanceof KernelLoadError && error.code === code && message.test(error.message),
    );
  test('contradictory options and an unknown kind are rejected', () => {
    assertRejected({ kind: 'wasm', isa: 'avx2' }, 'bad-choice', /isa "avx2" is for native/);
    assertRejected({ kind: 'native', relaxed: true }, 'bad-choice', /belong to WebAssembly/);
    assertRejected({ relaxed: true, infer: true }, 'bad-choice', /no build with both relaxed and infer/);
    assertRejected({ kind: 'gpu' }, 'bad-choice', /'native' or 'wasm', got "gpu"/);
  });
  test('an unavailable instruction set is rejected, and the error lists the available ones', {
    skip: variants.some(isNative) ? false : 'no native kernels were built',
  }, () => {
    assertRejected(
      { isa: 'sse9' },
      'isa-unavailable',
      new RegExp(`"sse9" is not available on this machine: choose ${variants[0]}`),
    );
  });
  test('relaxed SIMD is rejected if this version of Node does not support it', {
    skip: variants.includes('relaxed') ? 'this Node has relaxed SIMD' : false,
  }, () => {
    assertRejected({ relaxed: true }, 'relaxed-unavailable', /use Node 21 or later/);
  });
  // The variable limits the slices in which kernels read weights; 0: weights are not sliced.
  test('UNROLL_SLICE_BYTES applies to the kernels that are loaded next, not to those loaded before', {
    skip: variants.some(isNative) ? false : 'no native kernels were built',
  }, () => {
    const given = process.env.UNROLL_SLICE_BYTES;
    const modules = [4096, 0, 24576].map((bytes) => {
      process.env.UNROLL_SLICE_BYTES = String(bytes);
      return loadKernelsSync({ kind: 'native' });
    });
    if (given === undefined) delete process.env.UNROLL_SLICE_BYTES;
    else process.env.UNROLL_SLICE_BYTES = given;
    assert.deepEqual(
      modules.map(({ sliceBytes }) => sliceBytes),
      [4096, 0, 24576],
    );
  });
  test('an invalid number of threads is rejected', async () => {
    const module = loadKernelsSync();
    for (const count of [0, -1, 1.5, Number.NaN]) {
      assert.throws(() => module.setThreads(count), /threads must be a positive integer, got/);
    }
    const script = `import { loadKernelsSync } from ${JSON.stringify(entry)};
      try { loadKernelsSync() } catch (error) { console.log(error.code, error.message) }`;
    for (const wanted of ['many', '0', '1.5', ' ']) {
      const { stdout } = await runScript(script, { UNROLL_THREADS: wanted });
      assert.equal(stdout, `bad-threads UNROLL_THREADS must be a positive integer, got "${wanted}"`);
    }
  });
  test('without address space for shared memory, the error says what to do', () => {
    const { Memory } = WebAssembly;
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError('could not allocate memory');
      }
    } as never;
    try {
      assert.throws(() => loadKernelsSync({ kind: 'wasm', threads: true }), {
        code: 'threads-unavailable',
        message: 'no address space for shared WebAssembly memory: set threads to false',
      });
    } finally {
      WebAssembly.Memory = Memory;
    }
  });
  test('the number of threads is limited to maxThreads', () => {
    for (const variant of variants) {
      const module = loadKernelsSync(choiceFor(variant));
      const count = Math.min(module.maxThreads, 3);
      module.setThreads(3);
      assert.equal(module.threads, count, variant);
    }
    const single = loadKernelsSync({ kind: 'wasm', threads: false });
    single.setThreads(1000);
    assert.equal(single.threads, 1);
  });
});

describe('the inference-only builds', () => {
  for (const variant of ['infer', 'infer-threads']) {
    test(`${variant}: has all inference kernels; training kernels throw an error that says what to import`, () => {
      const { variant: loaded, inferenceOnly, kernels } = loadKernelsSync(choiceFor(variant));
      assert.equal(loaded, variant);
      assert.equal(inferenceOnly, true);
      for (const [name, arity] of Object.entries(kernelArity)) {
        const kernel = kernels[name as keyof typeof kernels] as () => unknown;
        if (!trainingKernels.includes(name as keyof typeof kernels)) assert.equal(kernel.length, arity, name);
        else assert.throws(kernel, { code: 'inference-only', message: /to train, import unrolljs instead/ });
      }
      assert.ok(trainingKernels.includes('lstm_backward') && trainingKernels.includes('adam'));
    });
  }
});

describe('kernels of another version', () => {
  test('are rejected', async () => {
    const { instantiateWasm } = await import(
      new URL('./wasm.js', import.meta.resolve('@unroll/kernels')).href
    );
    const module = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the smallest module
    for (const infer of [false, true]) {
      assert.throws(() => instantiateWasm({ module, infer, threads: false }), {
        code: 'wasm-failed',
        message: /does not match this version/,
      });
    }
  });
});

describe('arguments', () => {
  test('native kernels reject invalid numbers, invalid addresses and missing arguments', {
    skip: variants.some(isNative) ? false : 'no native kernels were built',
  }, () => {
    const { kernels, memory } = loadKernelsSync({ kind: 'native' });
    const fill = kernels.fill as (...args: unknown[]) => void;
    assert.throws(() => fill(64, 1), /fill: expected 3 arguments, got 2/);
    assert.throws(() => fill(64, 'one', 1), /fill: argument 2 must be a number/);
    assert.throws(() => fill(-4, 1, 1), /fill: argument 1 must be an address/);
    assert.throws(() => fill(memory.limit, 1, 1), /fill: argument 1 must be an address/);
  });
});

describe('denormal numbers', () => {
  test('are zero inside native kernels on every thread, but not in JavaScript', {
    skip: variants.some(isNative) ? false : 'no native kernels were built',
  }, async () => {
    for (const variant of variants.filter(isNative)) {
      const module = loadKernelsSync(choiceFor(variant));
      const { kernels, memory } = module;
      module.setThreads(2);
      while (module.activeThreads < 2) await new Promise((resolve) => setTimeout(resolve, 1));
      const n = 1 << 20; // enough work for two threads
      const values = new Float32Array(memory.buffer, memory.heapBase, n);
      kernels.fill(memory.heapBase, n, 1e-20);
      kernels.unary(UnaryOp.square, memory.heapBase, memory.heapBase, n); // 1e-40 is denormal
      assert.ok(
        values.every((value) => value === 0),
        variant,
      );
      const denormal = new Float64Array([Number.MIN_VALUE]);
      assert.equal(denormal[0]! * 2, 1e-323, 'JavaScript must keep its denormals');
    }
  });
});

describe('memory', () => {
  for (const variant of variants) {
    test(`${variant}: memory grows on request, keeps its contents, and reserve returns false at the limit`, () => {
      const { memory, kernels } = loadKernelsSync(choiceFor(variant));
      assert.equal(memory.heapBase % 64, 0);
      assert.ok(memory.heapBase > 0);
      assert.ok(memory.reserve(memory.heapBase + 4096));
      kernels.fill(memory.heapBase, 1024, 1.5);
      assert.ok(memory.reserve(memory.heapBase + (64 << 20)));
      assert.ok(memory.buffer.byteLength >= memory.heapBase + (64 << 20));
      const view = new Float32Array(memory.buffer, memory.heapBase, 1024);
      assert.ok(view.every((value) => value === 1.5));
      const last = memory.heapBase + (64 << 20) - 64;
      kernels.fill(last, 16, 2);
      assert.equal(new Float32Array(memory.buffer, last, 16)[15], 2);
      assert.equal(memory.reserve(memory.limit + 1), false);
      assert.equal(memory.reserve(2 ** 52), false);
    });
  }
  test('addresses above 2 GiB work', () => {
    for (const variant of variants) {
      const { memory, kernels } = loadKernelsSync(choiceFor(variant));
      const high = 2 ** 31 + 2 ** 20;
      if (!memory.reserve(high + 4096)) continue; // a machine without that much address space
      kernels.fill(high, 64, 7);
      const source = new Float32Array(memory.buffer, high, 64);
      assert.ok(
        source.every((value) => value === 7),
        variant,
      );
    }
  });
  test('instances do not share memory', () => {
    for (const variant of variants) {
      const [a, b] = [loadKernelsSync(choiceFor(variant)), loadKernelsSync(choiceFor(variant))];
      for (const { memory } of [a, b]) memory.reserve(memory.heapBase + 4096);
      a.kernels.fill(a.memory.heapBase, 16, 1);
      b.kernels.fill(b.memory.heapBase, 16, 2);
      assert.equal(new Float32Array(a.memory.buffer, a.memory.heapBase, 1)[0], 1, variant);
    }
  });
});

describe('processes', () => {
  for (const variant of variants) {
    test(`${variant}: a process exits without delay while its kernel threads sleep`, async () => {
      const script = `import { choiceFor, loadKernelsSync } from ${JSON.stringify(entry)};
        const module = loadKernelsSync(choiceFor(${JSON.stringify(variant)}));
        module.setThreads(4);
        const start = performance.now();
        while (module.activeThreads < module.threads && performance.now() - start < 10000) {
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        const errors = module.checkPool(50);
        if (errors > 0) throw new Error(errors + ' wrong results');
        await new Promise((resolve) => setTimeout(resolve, 100));
        console.log(module.activeThreads === module.threads, Date.now());`;
      const { stdout, stderr } = await runScript(script);
      const ended = Date.now();
      const [allActive, finishedAt] = stdout.split(' ');
      assert.equal(allActive, 'true');
      assert.equal(stderr, '');
      assert.ok(
        ended - Number(finishedAt) < 3000,
        `the process ran for another ${ended - Number(finishedAt)} ms`,
      );
    });
  }
  test('a process may exit while its threads are still starting', async () => {
    const script = `import { loadKernelsSync } from ${JSON.stringify(entry)};
      loadKernelsSync({ kind: 'wasm', threads: true }).setThreads(8);
      process.exit(3);`;
    await assert.rejects(runScript(script), (error: { code?: unknown }) => error.code === 3);
  });
});
