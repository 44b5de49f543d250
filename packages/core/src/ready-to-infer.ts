/**
 * Loads a backend for a page that only runs models: see `unrolljs/infer`. Separate from select.ts, which imports all
 * backends.
 */
import { loadInferenceKernels } from '@unroll/kernels';
import { inferenceBackend } from './cpu/backend.js';
import { runtime } from './runtime.js';

let loading: Promise<void> | null = null;

/** Selects the small WebAssembly build, unless a backend is already loaded. */
export async function readyToInfer(): Promise<void> {
  if (runtime.backend !== null) return;
  loading ??= loadInferenceKernels().then((module) => {
    runtime.backend ??= inferenceBackend(module);
  });
  await loading.finally(() => (loading = null));
}
