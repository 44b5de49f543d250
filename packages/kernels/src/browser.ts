// The entry for browsers (and for workers in them): WebAssembly, on threads where the page is cross-origin isolated.
import { wantedKind } from './choice.js';
import { type KernelChoice, KernelLoadError, type KernelModule } from './types.js';
import { instantiateWasm, type WasmHost, type WorkerStart } from './wasm.js';

export { choiceFor } from './choice.js';
export * from './interface.generated.js';
export * from './types.js';
export { onlyInfers } from './wasm.js';

const MOST_THREADS = 16;
const DEFAULT_MOST_THREADS = 8;

// Literal URLs, so that bundlers find the files and carry them along.
const fullUrl = (relaxed: boolean, threads: boolean): URL => {
  if (relaxed) {
    return threads
      ? new URL('./kernels-relaxed-threads.wasm', import.meta.url)
      : new URL('./kernels-relaxed.wasm', import.meta.url);
  }
  return threads
    ? new URL('./kernels-threads.wasm', import.meta.url)
    : new URL('./kernels.wasm', import.meta.url);
};

/** Functions of their own: a page that only infers carries nothing of the other builds. */
const inferenceUrl = (threads: boolean): URL =>
  threads
    ? new URL('./kernels-infer-threads.wasm', import.meta.url)
    : new URL('./kernels-infer.wasm', import.meta.url);

const canShare = (): boolean =>
  typeof SharedArrayBuffer !== 'undefined' &&
  globalThis.crossOriginIsolated === true &&
  typeof Worker !== 'undefined';

const fetchBytes = async (url: URL): Promise<Response> => {
  const response = await fetch(url);
  if (response.ok) return response;
  throw new KernelLoadError(
    `${url} could not be fetched (status ${response.status}): serve the .wasm files beside the scripts`,
    'wasm-missing',
  );
};

/** Compiles while it downloads; where the server names the file's type wrongly, after it. */
const compile = async (url: URL): Promise<WebAssembly.Module> => {
  try {
    const response = await fetchBytes(url);
    const type = response.headers.get('content-type') ?? '';
    if (type.startsWith('application/wasm')) return await WebAssembly.compileStreaming(response);
    return await WebAssembly.compile(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof KernelLoadError) throw error;
    const csp = "; under a content security policy it needs script-src 'wasm-unsafe-eval'";
    throw new KernelLoadError(
      `${url} could not be loaded: ${(error as Error).message}${csp}`,
      'wasm-failed',
      {
        cause: error,
      },
    );
  }
};

const spawn = (start: WorkerStart): void => {
  const late = (reason: string): void =>
    console.warn(`Unroll: a kernel thread could not start, the others do its work: ${reason}`);
  try {
    const worker = new Worker(new URL('./worker-browser.js', import.meta.url), { type: 'module' });
    worker.onerror = (event) => late(event.message ?? 'its script did not load');
    worker.postMessage(start);
  } catch (error) {
    late((error as Error).message);
  }
};

const cores = (): number => navigator.hardwareConcurrency || 1;

const loadBuild = async (
  url: URL,
  build: Pick<WasmHost, 'relaxed' | 'infer' | 'threads'>,
): Promise<KernelModule> => {
  const kernels = instantiateWasm({
    module: await compile(url),
    ...build,
    cores: cores(),
    maxThreads: MOST_THREADS,
    mayWait: typeof document === 'undefined',
    spawn,
  });
  kernels.setThreads(Math.min(cores(), DEFAULT_MOST_THREADS, kernels.maxThreads));
  return kernels;
};

/** The build on threads where there can be some, else, and where it does not load, the other. */
const preferThreads = async (load: (threads: boolean) => Promise<KernelModule>): Promise<KernelModule> => {
  if (canShare() && cores() > 1) {
    try {
      return await load(true);
    } catch {
      // Some browsers give a page no shared memory of this size.
    }
  }
  return load(false);
};

/** Loads the kernels without those for training. Rejects with KernelLoadError. */
export const loadInferenceKernels = (): Promise<KernelModule> =>
  preferThreads((threads) => loadBuild(inferenceUrl(threads), { relaxed: false, infer: true, threads }));

/** Loads kernels. Rejects with KernelLoadError. */
export const loadKernels = async (choice: KernelChoice = {}): Promise<KernelModule> => {
  if (wantedKind(choice) === 'native') {
    throw new KernelLoadError('browsers have no native kernels: leave kind and isa out', 'native-missing');
  }
  if (choice.threads && !canShare()) {
    throw new KernelLoadError(
      'threads need a cross-origin isolated page: serve it with the headers Cross-Origin-Opener-Policy: same-origin ' +
        'and Cross-Origin-Embedder-Policy: require-corp, or leave threads out',
      'threads-unavailable',
    );
  }
  const { relaxed = false, infer = false } = choice;
  const load = async (threads: boolean): Promise<KernelModule> => {
    try {
      return await loadBuild(infer ? inferenceUrl(threads) : fullUrl(relaxed, threads), {
        relaxed,
        infer,
        threads,
      });
    } catch (error) {
      if (!relaxed) throw error;
      throw new KernelLoadError(
        `the relaxed SIMD build does not load here (${(error as Error).message}): leave relaxed out`,
        'relaxed-unavailable',
        { cause: error },
      );
    }
  };
  return choice.threads === undefined ? preferThreads(load) : load(choice.threads);
};

/** Not to be had in a browser, where WebAssembly is fetched. */
export const loadKernelsSync = (_choice: KernelChoice = {}): KernelModule => {
  throw new KernelLoadError('in a browser kernels load asynchronously: await ready() first', 'not-ready');
};

/** Every full build that this page could load, the default first. */
export const listVariants = (): string[] =>
  canShare() ? ['strict-threads', 'strict', 'relaxed-threads', 'relaxed'] : ['strict', 'relaxed'];
