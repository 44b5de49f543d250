/**
 * Selecting a backend. Detects a name that selects the wrong backend, a default that is not the fastest available backend,
 * and a forced backend that is ignored.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, test } from 'node:test';
import { currentBackend, ready, setBackend, setThreads, UnrollError } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { KernelLoadError, listVariants } from '@unroll/kernels';
import { moduleOf, testBackends } from '@unroll/testkit/node';

after(() => setBackend());

/** Returns the description of the backend that a new process uses, and its standard error. */
function inNewProcess(env: Record<string, string>, script = ''): { out: string; error: string } {
  const code = `${script}; const { currentBackend } = await import('@unroll/core'); console.log(currentBackend().description)`;
  const { UNROLL_BACKEND: _, UNROLL_THREADS: __, ...rest } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: new URL('..', import.meta.url),
    env: { ...rest, ...env },
    encoding: 'utf8',
  });
  return { out: stdout.trim(), error: stderr };
}

describe('setBackend', () => {
  for (const { name, backend, reason } of testBackends()) {
    test(`${name} selects the backend of that name`, { skip: reason || false }, async () => {
      assert.equal(await setBackend(name as 'wasm'), backend, 'the same instance for the same name');
      assert.equal(currentBackend(), backend);
      assert.equal(backendSync(name), backend);
      const [kind, variant] = name.split(':');
      const module = moduleOf(backend!);
      if (kind === 'reference') {
        assert.deepEqual([module, backend!.name, backend!.float], [null, 'reference', Float32Array]);
        return;
      }
      assert.equal(module!.kind, kind);
      if (kind === 'native') assert.equal(module!.variant, variant);
      else assert.equal(module!.variant.startsWith('relaxed'), variant?.includes('relaxed') ?? false);
      if (variant?.includes('single')) assert.equal(module!.variant.endsWith('-threads'), false);
      assert.match(
        backend!.description,
        kind === 'native' ? /^native \w+, \d+ thread/ : /^WebAssembly [\w-]+, \d+ thread/,
      );
    });
  }

  test('reference:float64 selects the reference backend in double precision', async () => {
    const backend = await setBackend('reference:float64');
    assert.deepEqual(
      [backend.float, backend.description],
      [Float64Array, 'reference, plain TypeScript in float64'],
    );
  });

  test('rejects an unknown name and lists the valid ones', async () => {
    for (const name of ['gpu', 'reference:float16', 'Native']) {
      await assert.rejects(
        () => setBackend(name as 'wasm'),
        new UnrollError(
          'backend',
          `There is no backend "${name}". Choose native, native:<instruction set>, wasm, wasm:relaxed, wasm:infer, ` +
            'wasm:single, reference or reference:float64.',
          { name },
        ),
      );
    }
  });

  test('rejects an unsupported instruction set and lists the supported ones', async () => {
    await assert.rejects(
      () => setBackend('native:avx1024'),
      (error) =>
        error instanceof KernelLoadError &&
        (error.code === 'isa-unavailable' ? /"avx1024" is not available/ : /native kernels/).test(
          error.message,
        ),
    );
  });
});

describe('the default', () => {
  test('is the fastest backend that loads', () => {
    const [best] = listVariants();
    const { out } = inNewProcess({});
    assert.ok(out.includes(` ${best},`), `${out} is not ${best}`);
  });

  test('follows UNROLL_BACKEND and UNROLL_THREADS', () => {
    assert.equal(inNewProcess({ UNROLL_BACKEND: 'reference' }).out, 'reference, plain TypeScript in float32');
    assert.equal(inNewProcess({ UNROLL_BACKEND: 'wasm:single' }).out, 'WebAssembly strict, 1 thread');
    assert.match(inNewProcess({ UNROLL_THREADS: '3' }).out, /, 3 threads$/);
    assert.match(inNewProcess({ UNROLL_BACKEND: 'abacus' }).error, /There is no backend "abacus"/);
  });

  test('ready() does not replace a selected backend', async () => {
    const chosen = await setBackend('reference');
    assert.equal(await ready(), chosen);
  });
});

test('the number of threads must be a positive integer', async () => {
  for (const count of [0, -1, 1.5, Number.NaN]) {
    assert.throws(
      () => setThreads(count),
      new UnrollError('value', `setThreads: count must be a positive integer, got ${count}.`, { count }),
    );
  }
  await setBackend('reference');
  setThreads(3); // has no effect and raises no error
  const backend = await setBackend();
  const module = moduleOf(backend);
  if (module === null) return;
  const before = module.threads;
  setThreads(1);
  assert.equal(module.threads, 1);
  assert.match(backend.description, /, 1 thread$/);
  setThreads(before);
});
