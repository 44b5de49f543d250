/** Loads a backend for a page that only runs models: see `unrolljs/infer`. Apart from select.ts, which knows them all. */
import { loadInferenceKernels } from '@unroll/kernels';
import { inferenceBackend } from './cpu/backend.js';
import { runtime } from './runtime.js';

let loading: Promise<void> | null = null;

/** Makes the small WebAssembly build compute, unless a backend is there. */
export async function readyToInfer(): Promise<void> {
  if (runtime.backend !== null) return;
  loading ??= loadInferenceKernels().then((module) => {
    runtime.backend ??= inferenceBackend(module);
  });
  await loading.finally(() => (loading = null));
}
