/**
 * The global state of the library: the current backend, the open scope, and hooks that other files set. A separate
 * file, so that tensors and backends need not import each other.
 */
import type { Backend } from './backend.js';
import { UnrollError } from './errors.js';
import type { RandomStream } from './random.js';
import type { BufferStorage } from './resident.js';

/** One run of `scope()`: it owns the temporary memory that is allocated during the run. See scope.ts. */
export interface ScopeState {
  readonly backend: Backend;
  readonly parent: ScopeState | null;
  open: boolean;
  /** True while ops in this scope are recorded for a gradient. */
  recording: boolean;
}

interface Runtime {
  backend: Backend | null;
  /** Creates the default backend at its first use. Throws if the backend can only be loaded with `await ready()`. */
  makeDefault: (() => Backend) | null;
  /** Moves a buffer to another backend. Set by select.ts; null in bundles that contain only one backend. */
  moveStorage: ((storage: BufferStorage, backend: Backend) => void) | null;
  /** Creates a random stream. Set by random.ts; null in bundles without it. */
  makeStream: ((seed: number) => RandomStream) | null;
  /** Formats any value for errors. Set by select.ts; null in bundles that only run models, whose errors show only the type. */
  formatValue: ((value: unknown) => string) | null;
  /** The open scope; null outside of scopes. */
  scope: ScopeState | null;
}

export const runtime: Runtime = {
  backend: null,
  makeDefault: null,
  moveStorage: null,
  makeStream: null,
  formatValue: null,
  scope: null,
};

/** Returns the innermost open scope. @throws UnrollError `scope` outside of scopes */
export function currentScope(): ScopeState {
  if (runtime.scope !== null) return runtime.scope;
  throw outsideScope();
}

/** Returns the error for temporary memory that is requested outside of scopes. */
export function outsideScope(): UnrollError {
  return new UnrollError('scope', 'Temporary memory needs a scope: run this code inside scope(...).');
}

/** Returns the current backend, after loading the default one if there is none. */
export function currentBackend(): Backend {
  if (runtime.backend === null) {
    if (runtime.makeDefault === null) {
      throw new UnrollError('backend', 'No backend is loaded. Await ready() first.');
    }
    runtime.backend = runtime.makeDefault();
  }
  return runtime.backend;
}
