// The entry point for Node: native kernels if they load, otherwise WebAssembly. Both load synchronously.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { wantedKind } from './choice.js';
import { kernelFile, loadNative, nativeIsas } from './native-node.js';
import { type KernelChoice, KernelLoadError, type KernelModule } from './types.js';
import { instantiateWasm, type WasmOptions, type WorkerStart } from './wasm.js';

export * from './calls.generated.js';
export { choiceFor } from './choice.js';
export * from './interface.generated.js';
export { missingKernels } from './missing-kernels.js';
export { kernelsAt } from './native-node.js';
export * from './types.js';

/** Returns UNROLL_THREADS, or by default the number of available cores, but at most `max`. */
const defaultThreads = (max: number): number => {
  const wanted = process.env.UNROLL_THREADS;
  const count = wanted ? Number(wanted) : availableParallelism();
  if (Number.isInteger(count) && count > 0) return Math.min(count, max);
  throw new KernelLoadError(`UNROLL_THREADS must be a positive integer, got "${wanted}"`, 'bad-threads');
};

const readWasm = (file: string): Uint8Array<ArrayBuffer> => {
  try {
    return new Uint8Array(readFileSync(kernelFile(file)));
  } catch (error) {
    throw new KernelLoadError(
      `${file} cannot be read (${(error as Error).message}). Reinstall @unroll/kernels; if this program is a ` +
        'bundle, call kernelsAt(folder) with a copy of node_modules/@unroll/kernels/dist',
      'wasm-missing',
      {
        cause: error,
      },
    );
  }
};

/** The properties that identify a WebAssembly build. */
type Build = Pick<WasmOptions, 'relaxed' | 'infer' | 'threads'>;

const wasmFile = ({ relaxed, infer, threads }: Build): string =>
  `kernels${relaxed ? '-relaxed' : ''}${infer ? '-infer' : ''}${threads ? '-threads' : ''}.wasm`;

const spawn = (start: WorkerStart): void => {
  const warn = (error: unknown): void =>
    process.emitWarning(
      `a kernel thread could not start; the others do its work: ${(error as Error).message}`,
    );
  try {
    const worker = new Worker(kernelFile('worker-node.js'), {
      workerData: start,
      execArgv: [],
      env: SHARE_ENV,
    });
    worker.on('error', warn);
    worker.unref(); // sleeping kernel threads do not keep the process alive
  } catch (error) {
    warn(error);
  }
};

const loadBuild = (build: Build): KernelModule => {
  const bytes = readWasm(wasmFile(build));
  if (build.relaxed && !WebAssembly.validate(bytes)) {
    throw new KernelLoadError(
      `this Node (${process.version}) has no relaxed SIMD: use Node 21 or later, or leave relaxed out`,
      'relaxed-unavailable',
    );
  }
  const cores = availableParallelism();
  const maxThreads = Math.min(64, Math.max(8, cores));
  try {
    const module = new WebAssembly.Module(bytes);
    return instantiateWasm({ module, ...build, cores, maxThreads, mayWait: true, spawn });
  } catch (error) {
    if (error instanceof KernelLoadError) throw error;
    const why = `the kernels do not compile or start here: ${(error as Error).message}`;
    throw new KernelLoadError(why, 'wasm-failed', { cause: error });
  }
};

const loadWasm = ({ relaxed = false, infer = false, threads }: KernelChoice): KernelModule => {
  if (threads !== undefined) return loadBuild({ relaxed, infer, threads });
  const single = { relaxed, infer, threads: false };
  if (defaultThreads(2) === 1) return loadBuild(single);
  try {
    return loadBuild({ ...single, threads: true });
  } catch (error) {
    if (!(error instanceof KernelLoadError) || error.code === 'relaxed-unavailable') throw error;
    return loadBuild(single);
  }
};

const load = (choice: KernelChoice): KernelModule => {
  const kind = wantedKind(choice);
  if (kind === 'wasm') return loadWasm(choice);
  if (kind === 'native') return loadNative(choice.isa);
  try {
    return loadNative();
  } catch (error) {
    if (!(error instanceof KernelLoadError)) throw error;
    return withFallback(loadWasm(choice), error);
  }
};

const withFallback = (module: KernelModule, fallback: KernelLoadError): KernelModule =>
  Object.defineProperty(module, 'fallback', { value: fallback, enumerable: true });

/** Loads kernels synchronously. Throws KernelLoadError. */
export const loadKernelsSync = (choice: KernelChoice = {}): KernelModule => {
  const module = load(choice);
  module.setThreads(defaultThreads(module.maxThreads));
  return module;
};

/** Loads kernels. Unlike loadKernelsSync, it also works in browsers. Rejects with KernelLoadError. */
export const loadKernels = async (choice: KernelChoice = {}): Promise<KernelModule> =>
  loadKernelsSync(choice);

/** Loads the inference-only WebAssembly kernels. Rejects with KernelLoadError. */
export const loadInferenceKernels = async (): Promise<KernelModule> => loadKernelsSync({ infer: true });

/** Returns the builds with training kernels that this machine can load, the default first. */
export const listVariants = (): string[] => {
  const wasm = ['strict-threads', 'strict', 'relaxed-threads', 'relaxed'].filter((variant) => {
    const [relaxed, threads] = [variant.startsWith('relaxed'), variant.endsWith('threads')];
    try {
      return WebAssembly.validate(readWasm(wasmFile({ relaxed, infer: false, threads })));
    } catch {
      return false;
    }
  });
  return [...nativeIsas(), ...wasm];
};
