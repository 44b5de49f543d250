/** Describes the backend of a run. Checkpoints store this description, because the last bits of results depend on the backend. */
import { type Backend, currentBackend } from '@unroll/core';

export interface Environment {
  /** Name of the backend, such as `cpu` or `reference`. */
  backend: string;
  /** Build of the backend, such as `native avx512`, `WebAssembly strict-threads` or `reference float32`. */
  build: string;
  /** Number of threads, which does not affect results. */
  threads: number;
}

/** Describes a backend. Default: the current backend. */
export function environmentOf(backend: Backend = currentBackend()): Environment {
  const { module } = backend as { module?: { kind: string; variant: string; threads: number } };
  if (module)
    return { backend: backend.name, build: `${module.kind} ${module.variant}`, threads: module.threads };
  const precision = backend.float === Float64Array ? 'float64' : 'float32';
  return { backend: backend.name, build: `${backend.name} ${precision}`, threads: 1 };
}

/** Returns the warning for a run that resumes in another environment; null if the environments are equal. */
export function environmentWarning(before: Environment, now: Environment): string | null {
  if (before.build !== now.build) {
    return (
      `The checkpoint was made on ${before.build}, but this run uses ${now.build}. The run continues, but ` +
      'the last bits of its results will differ from those of an uninterrupted run.'
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
