/**
 * Scopes: why nobody disposes of anything. Every public entry (a training step, `predict`, `valueAndGrad`, a stream's
 * step) runs in a scope that owns an arena of temporary memory. What the scope's function returns is moved out to memory
 * that the garbage collector owns; everything else is given back at once when the scope closes, whether it returns or
 * throws. A tensor that was stashed away inside and not returned throws when it is used later: it never reads rubbish.
 */
import { UnrollError } from './errors.js';
import { currentBackend, runtime, type ScopeState } from './runtime.js';
import { Tensor } from './tensor.js';

/**
 * Runs `work` in a scope and returns its result, the tensors in it (also inside arrays, plain objects and maps) moved
 * out. `work` must be synchronous: memory is given back when it returns.
 */
export function scope<T>(work: () => T): T {
  const parent = runtime.scope;
  // What a gradient is being taken of must outlive scopes inside it: backward still reads it.
  if (parent?.recording) return synchronous(work());
  const backend = parent?.backend ?? currentBackend();
  const state: ScopeState = { backend, parent, open: true, recording: false };
  backend.openArena();
  runtime.scope = state;
  try {
    const result = synchronous(work());
    moveOutAll(result, state, 0);
    return result;
  } finally {
    state.open = false;
    runtime.scope = parent;
    backend.closeArena();
  }
}

function synchronous<T>(result: T): T {
  if (!(result instanceof Promise)) return result;
  throw new UnrollError(
    'scope',
    'A scope runs synchronous work, got a promise. Await outside the scope, or keep() what outlives it.',
  );
}

/**
 * Makes tensors outlive the step they were made in: their values move to memory that the garbage collector owns.
 * Returns its argument.
 */
export function keep<T>(value: T): T {
  moveOutAll(value, null, 0);
  return value;
}

const MAX_DEPTH = 8;

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
