/**
 * Selects the backend: the native kernels if they load, else WebAssembly, else (without compiled kernels) the
 * reference. `UNROLL_BACKEND` and `setBackend` select one by name, such as `native`, `native:avx2`, `wasm`,
 * `wasm:relaxed`, `wasm:infer`, `reference` or `reference:float64`.
 */
import { type KernelChoice, type KernelModule, loadKernels, loadKernelsSync } from '@unroll/kernels';
import type { Backend, FloatArray } from './backend.js';
import { cpuBackend } from './cpu/backend.js';
import { UnrollError } from './errors.js';
import { referenceBackend } from './reference/backend.js';
import { type BufferStorage, bufferStorages, readNow } from './resident.js';
import { currentBackend, runtime } from './runtime.js';
import { shown } from './shown.js';

/** A backend by name: see the top of this file. */
export type BackendName =
  | 'native'
  | 'wasm'
  | 'reference'
  | `native:${string}`
  | `wasm:${string}`
  | `reference:${string}`;

/** One instance per name and process: all users share its memory and threads. */
const made = new Map<string, Backend>();

function fromEnvironment(): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.UNROLL_BACKEND || undefined;
}

/** Variants of WebAssembly kernels, which can be combined with hyphens. */
const WASM = ['relaxed', 'infer', 'single'];

function kernelChoice(name: string): KernelChoice {
  const [kind, variant] = name.split(':') as [string, string?];
  if (kind === 'native') return variant ? { kind, isa: variant } : { kind };
  const choice: KernelChoice = { kind: 'wasm' };
  if (variant?.includes('relaxed')) choice.relaxed = true;
  if (variant?.includes('infer')) choice.infer = true;
  if (variant?.includes('single')) choice.threads = false;
  return choice;
}

function parse(name: string): { reference?: Backend; choice?: KernelChoice } {
  const [kind, variant] = name.split(':') as [string, string?];
  if (kind === 'reference' && (variant === undefined || variant === 'float32' || variant === 'float64')) {
    return { reference: referenceBackend(variant) };
  }
  const known = variant === undefined || variant.split('-').every((one) => WASM.includes(one));
  if (kind === 'native' || (kind === 'wasm' && known)) return { choice: kernelChoice(name) };
  throw new UnrollError(
    'backend',
    `There is no backend "${name}". Choose native, native:<instruction set>, wasm, wasm:relaxed, wasm:infer, ` +
      'wasm:single, reference or reference:float64.',
    { name },
  );
}

function remember(name: string, module: KernelModule): Backend {
  const backend = cpuBackend(module);
  made.set(name, backend);
  return backend;
}

/** @internal Loads the backend of that name synchronously (Node). */
export function backendSync(name: string): Backend {
  const known = made.get(name);
  if (known) return known;
  const { reference, choice } = parse(name);
  if (reference) made.set(name, reference);
  return reference ?? remember(name, loadKernelsSync(choice));
}

runtime.makeDefault = () => {
  const forced = fromEnvironment();
  return forced ? backendSync(forced) : (made.get('default') ?? remember('default', loadKernelsSync()));
};

/** Stores `values` as the values of a buffer, in memory of `backend`. */
function moveStorage(storage: BufferStorage, backend: Backend, values: FloatArray): void {
  storage.backend.release(storage.block);
  storage.backend = backend;
  storage.block = backend.allocate(values.length);
  storage.parts.clear();
  backend.write(storage.block, values);
}

runtime.moveStorage = (storage, backend) => moveStorage(storage, backend, readNow(storage, 'This buffer'));

/**
 * Loads the backend. Never needed in Node; in a browser it must have resolved before the first eager op (`fit`,
 * `predict` and loading a model await it themselves).
 */
export async function ready(): Promise<Backend> {
  if (runtime.backend) return runtime.backend;
  const forced = fromEnvironment();
  return setBackend(forced as BackendName | undefined);
}

/**
 * Switches to another backend; without an argument, to the best that loads. Models and tensors are moved.
 * @throws UnrollError `backend` for an unknown name, KernelLoadError if this machine cannot load it
 */
export async function setBackend(name?: BackendName | Backend): Promise<Backend> {
  if (runtime.scope) throw new UnrollError('backend', 'The backend cannot change inside a step.');
  if (typeof name === 'object') return switchTo(name);
  const key = name ?? 'default';
  let backend = made.get(key);
  if (!backend) {
    const { reference, choice } = name ? parse(name) : {};
    if (reference) made.set(key, reference);
    backend = reference ?? remember(key, await loadKernels(choice));
  }
  return switchTo(backend);
}

/**
 * Memory that can only be read asynchronously is moved immediately; buffers of other backends are moved at their next
 * use.
 */
async function switchTo(backend: Backend): Promise<Backend> {
  const left = () =>
    [...bufferStorages].filter((storage) => storage.backend !== backend && !storage.backend.readSync);
  for (let batch = left(); batch.length > 0; batch = left()) {
    const values = await Promise.all(batch.map((storage) => storage.backend.read(storage.block)));
    batch.forEach((storage, i) => {
      if (bufferStorages.has(storage)) moveStorage(storage, backend, values[i]); // skips buffers collected in the meantime
    });
  }
  return (runtime.backend = backend);
}

/** Sets the number of threads of the kernels; results do not depend on it. */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new UnrollError('value', `The number of threads must be a positive integer, got ${shown(count)}.`, {
      count,
    });
  }
  const backend = currentBackend();
  if ('module' in backend) (backend as { module: KernelModule }).module.setThreads(count);
}
