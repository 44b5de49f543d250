/** Test utilities that need Node: all backends to test, and the golden files. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Backend } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { KernelLoadError, type KernelModule, listVariants } from '@unroll/kernels';

/** Names of the WebAssembly backends in `setBackend` and UNROLL_BACKEND, by kernel variant. */
const WASM_NAMES: Record<string, string> = {
  strict: 'wasm:single',
  'strict-threads': 'wasm',
  relaxed: 'wasm:relaxed-single',
  'relaxed-threads': 'wasm:relaxed',
};

export interface TestBackend {
  /** A name accepted by `setBackend`. */
  name: string;
  /** Null if the backend does not load. */
  backend: Backend | null;
  /** Why the backend does not load; empty if it loads. */
  reason: string;
}

/**
 * Returns every backend to test: the reference in float32, the native kernels for each instruction set of this machine,
 * and each WebAssembly build with training kernels. Backends that do not load are included with the reason, so that test
 * reports show them as skipped.
 * @throws Error if UNROLL_REQUIRE_NATIVE=1 and no native kernels load
 */
export function testBackends(): TestBackend[] {
  const isas = listVariants().filter((variant) => !(variant in WASM_NAMES));
  if (isas.length === 0 && process.env.UNROLL_REQUIRE_NATIVE === '1') {
    throw new Error(
      'UNROLL_REQUIRE_NATIVE=1 requires native kernels, but none load on this machine. Build them, or unset it.',
    );
  }
  const native = isas.length ? isas.map((isa) => `native:${isa}`) : ['native'];
  return ['reference', ...native, ...Object.values(WASM_NAMES)].map(loadBackend);
}

/** Returns the WebAssembly backends without training kernels. */
export function inferenceBackends(): TestBackend[] {
  return ['wasm:infer', 'wasm:infer-single'].map(loadBackend);
}

/** Loads a backend. Errors other than a failed load are rethrown. */
function loadBackend(name: string): TestBackend {
  try {
    return { name, backend: backendSync(name), reason: '' };
  } catch (error) {
    if (!(error instanceof KernelLoadError)) throw error;
    return { name, backend: null, reason: error.message };
  }
}

/** Returns the kernel module of a backend; null for the reference backend. */
export function moduleOf(backend: Backend): KernelModule | null {
  return 'module' in backend ? (backend.module as KernelModule) : null;
}

/**
 * Sets the number of threads and waits until all of them are active, so that a test really uses them.
 * @returns false, without any change, if the backend does not support that many threads
 */
export async function useThreads(backend: Backend, count: number): Promise<boolean> {
  const module = moduleOf(backend);
  if (module === null || module.maxThreads < count) return false;
  module.setThreads(count);
  for (let waited = 0; module.activeThreads < count; waited += 10) {
    if (waited > 20_000)
      throw new Error(
        `${backend.description}: only ${module.activeThreads} of ${count} threads have started after 20 s`,
      );
    await sleep(10);
  }
  return true;
}

const root = dirname(fileURLToPath(new URL('../package.json', import.meta.url)));

/** Returns the parsed JSON of a golden file. @param name path in packages/testkit/goldens, such as recurrent/lstm.json */
export function readGoldens(name: string): unknown {
  const file = join(root, 'goldens', name);
  if (!existsSync(file))
    throw new Error(`${file} is missing. Generate it as described in tools/goldens/README.md.`);
  return JSON.parse(readFileSync(file, 'utf8'));
}
