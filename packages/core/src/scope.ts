/**
 * Scopes release temporary memory, so that tensors need not be disposed. Every public entry point (a training step,
 * `predict`, `valueAndGrad`, a stream's step) runs a function in a scope that owns an arena of temporary memory. The
 * function's result is moved to memory owned by the garbage collector. All other memory is released when the function
 * returns or throws. A later use of a tensor of the scope throws an error and never reads invalid memory.
 */
import { UnrollError } from './errors.js';
import { currentBackend, runtime, type ScopeState } from './runtime.js';
import { Tensor } from './tensor.js';

/**
 * Runs `work` in a scope and returns its result. Tensors in the result (also inside arrays, plain objects, maps
 * and sets) are moved out of the scope. `work` must be synchronous, because memory is released when it returns.
 */
export function scope<T>(work: () => T): T {
  const parent = runtime.scope;
  // Backward reads the tensors of a recording, so they must outlive inner scopes.
  if (parent?.recording) return checkSynchronous(work());
  const backend = parent?.backend ?? currentBackend();
  const state: ScopeState = { backend, parent, open: true, recording: false };
  backend.openArena();
  runtime.scope = state;
  try {
    const result = checkSynchronous(work());
    moveOutAll(result, state, 0);
    return result;
  } finally {
    state.open = false;
    runtime.scope = parent;
    backend.closeArena();
  }
}

/** Returns its argument. @throws UnrollError `scope` for a promise */
function checkSynchronous<T>(result: T): T {
  if (!(result instanceof Promise)) return result;
  throw new UnrollError(
    'scope',
    'scope() needs a synchronous function, got a promise. Await outside the scope, or keep() tensors that must outlive it.',
  );
}

/**
 * Makes tensors outlive the scope in which they were created: moves their values (also inside arrays, plain objects,
 * maps and sets) to memory owned by the garbage collector. Returns its argument.
 */
export function keep<T>(value: T): T {
  moveOutAll(value, null, 0);
  return value;
}

/** Deeper levels of a result are not searched for tensors. */
const MAX_DEPTH = 8;

/** Moves all tensors in `value` out of the scope `scopeState` or, if that is null, each out of its own scope. */
function moveOutAll(value: unknown, scopeState: ScopeState | null, depth: number): void {
  if (value === null || typeof value !== 'object' || depth > MAX_DEPTH) return;
  if (value instanceof Tensor) value.moveOut(scopeState);
  else for (const item of itemsOf(value)) moveOutAll(item, scopeState, depth + 1);
}

function itemsOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  if (value instanceof Set || value instanceof Map) return value.values();
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : [];
}
