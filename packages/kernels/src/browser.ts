// The entry point for browsers and their workers: WebAssembly, with threads if the page is cross-origin isolated.
import { wantedKind } from './choice.js';
import { type KernelChoice, KernelLoadError, type KernelModule } from './types.js';
import { instantiateWasm, type WasmOptions, type WorkerStart } from './wasm.js';

export * from './calls.generated.js';
export { choiceFor } from './choice.js';
export * from './interface.generated.js';
export { missingKernels } from './missing-kernels.js';
export * from './types.js';

const MAX_THREADS = 16;
const MAX_DEFAULT_THREADS = 8;

/**
 * The URL of the folder of the .wasm files. Undefined: next to this module (`import.meta.url`). A classic script has no
 * `import.meta.url`; it uses its own URL or, in a worker, the URL of the worker. A blob URL is replaced by its origin.
 */
let folder: string | undefined = import.meta.url
  ? undefined
  : (globalThis.document?.currentScript as HTMLScriptElement | null)?.src ||
    globalThis.location?.href.replace('blob:', '');

/**
 * Sets the folder of the kernel files, for bundlers that do not copy them. Call it before any other function.
 * @param address the address of a served copy of the folder `node_modules/@unroll/kernels/dist`, absolute or relative to
 * the page (in a worker, to its script); in Node, a path or file URL
 */
export const kernelsAt = (address: string | URL): void => {
  folder = new URL(
    String(address).replace(/\/?$/, '/'),
    globalThis.document?.baseURI ?? folder ?? location.href,
  ).href;
};

// Literal URLs, so that bundlers find and copy the files.
const fullUrl = (relaxed: boolean, threads: boolean): URL => {
  if (folder) return new URL(`kernels${relaxed ? '-relaxed' : ''}${threads ? '-threads' : ''}.wasm`, folder);
  if (relaxed) {
    return threads
      ? new URL('./kernels-relaxed-threads.wasm', import.meta.url)
      : new URL('./kernels-relaxed.wasm', import.meta.url);
  }
  return threads
    ? new URL('./kernels-threads.wasm', import.meta.url)
    : new URL('./kernels.wasm', import.meta.url);
};

/** Separate from fullUrl, so that bundles for inference contain no other build. */
const inferenceUrl = (threads: boolean): URL => {
  if (folder) return new URL(threads ? './kernels-infer-threads.wasm' : './kernels-infer.wasm', folder);
  return threads
    ? new URL('./kernels-infer-threads.wasm', import.meta.url)
    : new URL('./kernels-infer.wasm', import.meta.url);
};

const canShare = (): boolean => globalThis.crossOriginIsolated === true && typeof Worker !== 'undefined';

const spawn = (start: WorkerStart): void => {
  const warn = ({ message = 'a worker did not load' }: { message?: string }): void =>
    console.warn(`Unroll runs on fewer threads: ${message}`);
  try {
    const worker = folder
      ? new Worker(new URL('./worker-browser.js', folder), { type: 'module' })
      : new Worker(new URL('./worker-browser.js', import.meta.url), { type: 'module' });
    worker.onerror = warn;
    worker.postMessage(start);
  } catch (error) {
    warn(error as Error);
  }
};

const cores = (): number => navigator.hardwareConcurrency || 1;

/** Compiles while downloading, or afterwards if the server sends the wrong content type. */
const compile = async (url: URL): Promise<WebAssembly.Module> => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`status ${response.status}`);
  if (response.headers.get('content-type')?.startsWith('application/wasm'))
    return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
};

const loadBuild = async (
  url: URL,
  build: Pick<WasmOptions, 'relaxed' | 'infer' | 'threads'>,
): Promise<KernelModule> => {
  try {
    const kernels = instantiateWasm({
      module: await compile(url),
      ...build,
      cores: cores(),
      maxThreads: MAX_THREADS,
      mayWait: typeof document === 'undefined',
      spawn,
    });
    kernels.setThreads(Math.min(cores(), MAX_DEFAULT_THREADS));
    return kernels;
  } catch (error) {
    if (error instanceof KernelLoadError) throw error;
    throw new KernelLoadError(
      `${url} could not be loaded: ${(error as Error).message}. Serve the .wasm files beside the script or ` +
        "call kernelsAt(folder); a content security policy needs script-src 'wasm-unsafe-eval'",
      'wasm-failed',
      { cause: error },
    );
  }
};

/** Loads the build with threads if the page can use them. Otherwise, or if that fails, loads the build without threads. */
const preferThreads = async (load: (threads: boolean) => Promise<KernelModule>): Promise<KernelModule> => {
  if (canShare() && cores() > 1) {
    try {
      return await load(true);
    } catch {
      // Some browsers do not allow shared memory of this size.
    }
  }
  return load(false);
};

/** Loads the inference-only kernels. Rejects with KernelLoadError. */
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

/** Always throws: browsers fetch WebAssembly asynchronously. */
export const loadKernelsSync = (_choice: KernelChoice = {}): KernelModule => {
  throw new KernelLoadError('browsers load kernels asynchronously: await ready() first', 'not-ready');
};

/** Returns the builds with training kernels that this page can load, the default first. */
export const listVariants = (): string[] =>
  canShare() ? ['strict-threads', 'strict', 'relaxed-threads', 'relaxed'] : ['strict', 'relaxed'];
