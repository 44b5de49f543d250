/** The backend of a run, recorded in checkpoints because the last bits of results depend on it. */
import { type Backend, currentBackend } from '@unroll/core';

export interface Environment {
  /** `cpu`, `reference` or another family of backends. */
  backend: string;
  /** The build: `native avx512`, `WebAssembly strict-threads`, `reference float32`. */
  build: string;
  /** Does not affect results. */
  threads: number;
}

/** What the backend is. */
export function environmentOf(backend: Backend = currentBackend()): Environment {
  const { module } = backend as { module?: { kind: string; variant: string; threads: number } };
  if (module)
    return { backend: backend.name, build: `${module.kind} ${module.variant}`, threads: module.threads };
  const precision = backend.float === Float64Array ? 'float64' : 'float32';
  return { backend: backend.name, build: `${backend.name} ${precision}`, threads: 1 };
}

/** The warning for a run that resumes in another environment; null if there is none. */
export function environmentWarning(before: Environment, now: Environment): string | null {
  if (before.build !== now.build) {
    return (
      `The checkpoint was made on ${before.build}, but this run uses ${now.build}. The run continues, but its ` +
      'last bits will differ from those of an uninterrupted run.'
    );
  }
  if (before.threads === now.threads) return null;
  return (
    `The checkpoint was made with ${count(before.threads)}, but this run has ${count(now.threads)}. ` +
    'Results are the same; only the speed differs.'
  );
}

function count(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`;
}
