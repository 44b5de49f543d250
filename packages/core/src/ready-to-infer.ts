/** Loads a backend for a page that only runs models: see `unrolljs/infer`. Apart from select.ts, which knows them all. */
import { loadKernels } from '@unroll/kernels';
import { cpuBackend } from './cpu/backend.js';
import { runtime } from './runtime.js';

let loading: Promise<void> | null = null;

/** Makes the small WebAssembly build compute, unless a backend is there. */
export async function readyToInfer(): Promise<void> {
  if (runtime.backend !== null) return;
  loading ??= loadKernels({ kind: 'wasm', infer: true }).then((module) => {
    runtime.backend ??= cpuBackend(module);
  });
  await loading.finally(() => (loading = null));
}
