/**
 * The state of the running program: which backend computes, and which scope is open. Kept apart from tensors and
 * backends so that neither imports the other.
 */
import type { Backend } from './backend.js';
import { UnrollError } from './errors.js';
import type { RandomStream } from './random.js';
import type { BufferStorage } from './resident.js';

/** A stretch of work that owns the temporary memory made in it; see scope.ts. */
export interface ScopeState {
  readonly backend: Backend;
  readonly parent: ScopeState | null;
  open: boolean;
  /** A gradient is being recorded in it. */
  recording: boolean;
}

interface Runtime {
  backend: Backend | null;
  /** Makes the default backend at first use; throws where that needs `await ready()`. */
  makeDefault: (() => Backend) | null;
  /** Moves a buffer to the memory of another backend. Null where there is only one: select.ts switches. */
  moveStorage: ((storage: BufferStorage, backend: Backend) => void) | null;
  /** Makes a random stream. Models seldom draw while they only run: a page that does not make streams has none. */
  makeStream: ((seed: number) => RandomStream) | null;
  scope: ScopeState | null;
}

export const runtime: Runtime = {
  backend: null,
  makeDefault: null,
  moveStorage: null,
  makeStream: null,
  scope: null,
};

/** The open scope, for what runs inside one. */
export function openScope(): ScopeState {
  if (runtime.scope !== null) return runtime.scope;
  throw new UnrollError('scope', 'Temporary memory is for use inside a scope.');
}

/** The backend that computes now. */
export function currentBackend(): Backend {
  if (runtime.backend === null) {
    if (runtime.makeDefault === null) {
      throw new UnrollError('backend', 'No backend is loaded. Import @unroll/core from its main entry.');
    }
    runtime.backend = runtime.makeDefault();
  }
  return runtime.backend;
}
