/**
 * Loads the backend of `unrolljs/infer`, for pages that only run models. A separate file, because select.ts imports
 * all backends.
 */
import { loadInferenceKernels } from '@unroll/kernels';
import { inferenceBackend } from './cpu/backend.js';
import { runtime } from './runtime.js';

let loading: Promise<void> | null = null;

/** Loads the WebAssembly build for inference, unless a backend is already loaded. */
export async function readyToInfer(): Promise<void> {
  if (runtime.backend !== null) return;
  loading ??= loadInferenceKernels().then((module) => {
    runtime.backend ??= inferenceBackend(module);
  });
  await loading.finally(() => (loading = null));
}
