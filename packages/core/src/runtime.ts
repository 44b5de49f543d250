/**
 * The state of the program: the current backend and the open scope. Separate from tensors and backends, so that
 * neither imports the other.
 */
import type { Backend } from './backend.js';
import { UnrollError } from './errors.js';
import type { RandomStream } from './random.js';
import type { BufferStorage } from './resident.js';
import type { Lookup } from './row-gradient.js';
import type { Shape } from './shape.js';
import type { Tensor } from './tensor.js';

/** A section of work that owns the temporary memory allocated in it; see scope.ts. */
export interface ScopeState {
  readonly backend: Backend;
  readonly parent: ScopeState | null;
  open: boolean;
  /** True while a gradient is recorded in it. */
  recording: boolean;
}

interface Runtime {
  backend: Backend | null;
  /** Creates the default backend on first use; throws if that needs `await ready()`. */
  makeDefault: (() => Backend) | null;
  /** Moves a buffer to the memory of another backend. Null if there is only one; select.ts sets it. */
  moveStorage: ((storage: BufferStorage, backend: Backend) => void) | null;
  /**
   * Creates a random stream. Models rarely draw random numbers in inference; a page without streams does not load
   * them.
   */
  makeStream: ((seed: number) => RandomStream) | null;
  /** Creates the gradient of a lookup; autograd.ts sets it, so that a page that only runs models leaves it out. */
  rowGradient: ((table: Shape, lookup: Lookup) => Tensor) | null;
  scope: ScopeState | null;
}

export const runtime: Runtime = {
  backend: null,
  makeDefault: null,
  moveStorage: null,
  makeStream: null,
  rowGradient: null,
  scope: null,
};

/** The open scope, for code that runs inside one. */
export function openScope(): ScopeState {
  if (runtime.scope !== null) return runtime.scope;
  throw new UnrollError('scope', 'Temporary memory is for use inside a scope.');
}

/** The current backend. */
export function currentBackend(): Backend {
  if (runtime.backend === null) {
    if (runtime.makeDefault === null) {
      throw new UnrollError('backend', 'No backend is loaded. Import @unroll/core from its main entry.');
    }
    runtime.backend = runtime.makeDefault();
  }
  return runtime.backend;
}
