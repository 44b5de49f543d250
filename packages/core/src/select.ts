/**
 * Selects the backend. The default is the native kernels or, if they cannot be loaded, the WebAssembly kernels.
 * `UNROLL_BACKEND` and `setBackend` select a backend by name: `native`, `native:<instruction set>`, `wasm`,
 * `wasm:<variants>`, `reference` or `reference:float64`.
 */
import { type KernelChoice, type KernelModule, loadKernels, loadKernelsSync } from '@unroll/kernels';
import type { Backend, FloatArray } from './backend.js';
import { cpuBackend } from './cpu/backend.js';
import { UnrollError } from './errors.js';
import { formatValue } from './format-value.js';
import { referenceBackend } from './reference/backend.js';
import { type BufferStorage, bufferStorages, readSynchronously } from './resident.js';
import { currentBackend, runtime } from './runtime.js';

/** The name of a backend, such as `native:avx2` or `wasm:relaxed`; see the top of this file. */
export type BackendName =
  | 'native'
  | 'wasm'
  | 'reference'
  | `native:${string}`
  | `wasm:${string}`
  | `reference:${string}`;

/** Loaded backends by name. All users of a backend share its memory and threads. */
const backends = new Map<string, Backend>();

function environmentName(): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.UNROLL_BACKEND || undefined;
}

/** Variants of the WebAssembly kernels; a name can combine them with hyphens, such as `wasm:relaxed-single`. */
const WASM_VARIANTS = ['relaxed', 'infer', 'single'];

function kernelChoice(name: string): KernelChoice {
  const [kind, variant] = name.split(':') as [string, string?];
  if (kind === 'native') return variant ? { kind, isa: variant } : { kind };
  const choice: KernelChoice = { kind: 'wasm' };
  if (variant?.includes('relaxed')) choice.relaxed = true;
  if (variant?.includes('infer')) choice.infer = true;
  if (variant?.includes('single')) choice.threads = false;
  return choice;
}

/** Returns a reference backend, or which kernels to load. @throws UnrollError `backend` for an unknown name */
function parseName(name: string): { reference?: Backend; choice?: KernelChoice } {
  const [kind, variant] = name.split(':') as [string, string?];
  if (kind === 'reference' && (variant === undefined || variant === 'float32' || variant === 'float64')) {
    return { reference: referenceBackend(variant) };
  }
  const isWasmVariant =
    variant === undefined || variant.split('-').every((part) => WASM_VARIANTS.includes(part));
  if (kind === 'native' || (kind === 'wasm' && isWasmVariant)) return { choice: kernelChoice(name) };
  throw new UnrollError(
    'backend',
    `There is no backend "${name}". Choose native, native:<instruction set>, wasm, wasm:relaxed, wasm:infer, ` +
      'wasm:single, reference or reference:float64.',
    { name },
  );
}

/** Creates the backend of loaded kernels and stores it under a name. */
function addBackend(name: string, module: KernelModule): Backend {
  const backend = cpuBackend(module);
  backends.set(name, backend);
  return backend;
}

/** @internal Returns the backend of that name; loads it synchronously if necessary (Node only). */
export function backendSync(name: string): Backend {
  const loaded = backends.get(name);
  if (loaded) return loaded;
  const { reference, choice } = parseName(name);
  if (reference) backends.set(name, reference);
  return reference ?? addBackend(name, loadKernelsSync(choice));
}

runtime.makeDefault = () => {
  const name = environmentName();
  return name ? backendSync(name) : (backends.get('default') ?? addBackend('default', loadKernelsSync()));
};

/** Moves a buffer to the memory of `backend`. @param values the values of the buffer */
function moveStorage(storage: BufferStorage, backend: Backend, values: FloatArray): void {
  storage.backend.release(storage.block);
  storage.backend = backend;
  storage.block = backend.allocate(values.length);
  storage.views.clear();
  backend.write(storage.block, values);
}

runtime.formatValue = formatValue;

runtime.moveStorage = (storage, backend) =>
  moveStorage(storage, backend, readSynchronously(storage, 'This buffer'));

/**
 * Loads the default backend, unless one is loaded already, and returns it. In a browser, await it before the first op;
 * `fit`, `predict` and functions that load a model do so themselves. In Node it is never needed.
 */
export async function ready(): Promise<Backend> {
  if (runtime.backend) return runtime.backend;
  const name = environmentName();
  return setBackend(name as BackendName | undefined);
}

/**
 * Switches to another backend and returns it. Without an argument, switches to the default one. Existing models and
 * tensors move to the new backend.
 * @throws UnrollError `backend` for an unknown name, KernelLoadError if its kernels cannot be loaded
 */
export async function setBackend(name?: BackendName | Backend): Promise<Backend> {
  if (runtime.scope) {
    throw new UnrollError(
      'backend',
      'The backend cannot change inside a scope. Call setBackend() before or after the scope.',
    );
  }
  if (typeof name === 'object') return switchTo(name);
  const key = name ?? 'default';
  let backend = backends.get(key);
  if (!backend) {
    const { reference, choice } = name ? parseName(name) : {};
    if (reference) backends.set(key, reference);
    backend = reference ?? addBackend(key, await loadKernels(choice));
  }
  return switchTo(backend);
}

/**
 * Makes `backend` the current one. Buffers that can only be read asynchronously move immediately; all others move at
 * their next use.
 */
async function switchTo(backend: Backend): Promise<Backend> {
  const asyncBuffers = () =>
    [...bufferStorages].filter((storage) => storage.backend !== backend && !storage.backend.readSync);
  for (let batch = asyncBuffers(); batch.length > 0; batch = asyncBuffers()) {
    const values = await Promise.all(batch.map((storage) => storage.backend.read(storage.block)));
    batch.forEach((storage, i) => {
      // A buffer may have been garbage-collected in the meantime.
      if (bufferStorages.has(storage)) moveStorage(storage, backend, values[i]);
    });
  }
  return (runtime.backend = backend);
}

/** Sets the number of threads of the kernels. Results do not depend on this number. */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new UnrollError(
      'value',
      `setThreads: count must be a positive integer, got ${formatValue(count)}.`,
      {
        count,
      },
    );
  }
  const backend = currentBackend();
  if ('module' in backend) (backend as { module: KernelModule }).module.setThreads(count);
}
