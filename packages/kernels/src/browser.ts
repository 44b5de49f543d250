// The entry for browsers (and for workers in them): WebAssembly, on threads where the page is cross-origin isolated.
import { wantedKind } from './choice.js';
import { type KernelChoice, KernelLoadError, type KernelModule } from './types.js';
import { instantiateWasm, type WasmHost, type WorkerStart } from './wasm.js';

export * from './calls.generated.js';
export { choiceFor } from './choice.js';
export * from './interface.generated.js';
export { onlyInfers } from './only-infers.js';
export * from './types.js';

const MOST_THREADS = 16;
const DEFAULT_MOST_THREADS = 8;

/**
 * Where the files are. Undefined: beside this script, by `import.meta.url`. A classic script has none, but an address; that of
 * a worker made of a blob is no base for others, so its site's is taken.
 */
let folder: string | undefined = import.meta.url
  ? undefined
  : (globalThis.document?.currentScript as HTMLScriptElement | null)?.src ||
    globalThis.location?.href.replace('blob:', '');

/**
 * Says where the kernels' files are, for bundlers that do not carry them along. Call it before anything else.
 * @param address of a served copy of the folder `node_modules/@unroll/kernels/dist`, absolute or relative to the page (in
 * a worker, to its script); in Node, a path or file URL
 */
export const kernelsAt = (address: string | URL): void => {
  folder = new URL(
    String(address).replace(/\/?$/, '/'),
    globalThis.document?.baseURI ?? folder ?? location.href,
  ).href;
};

// Literal URLs, so that bundlers find the files and carry them along.
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

/** Separate from fullUrl, so that the bundle of an inference-only page has no other build. */
const inferenceUrl = (threads: boolean): URL => {
  if (folder) return new URL(threads ? './kernels-infer-threads.wasm' : './kernels-infer.wasm', folder);
  return threads
    ? new URL('./kernels-infer-threads.wasm', import.meta.url)
    : new URL('./kernels-infer.wasm', import.meta.url);
};

const canShare = (): boolean => globalThis.crossOriginIsolated === true && typeof Worker !== 'undefined';

const spawn = (start: WorkerStart): void => {
  const late = ({ message = 'its script did not load' }: { message?: string }): void =>
    console.warn(`Unroll runs on fewer threads: ${message}`);
  try {
    const worker = folder
      ? new Worker(new URL('./worker-browser.js', folder), { type: 'module' })
      : new Worker(new URL('./worker-browser.js', import.meta.url), { type: 'module' });
    worker.onerror = late;
    worker.postMessage(start);
  } catch (error) {
    late(error as Error);
  }
};

const cores = (): number => navigator.hardwareConcurrency || 1;

/** Compiles while downloading, or after it if the server sends the wrong content type. */
const compile = async (url: URL): Promise<WebAssembly.Module> => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`status ${response.status}`);
  if (response.headers.get('content-type')?.startsWith('application/wasm'))
    return WebAssembly.compileStreaming(response);
  return WebAssembly.compile(await response.arrayBuffer());
};

const loadBuild = async (
  url: URL,
  build: Pick<WasmHost, 'relaxed' | 'infer' | 'threads'>,
): Promise<KernelModule> => {
  try {
    const kernels = instantiateWasm({
      module: await compile(url),
      ...build,
      cores: cores(),
      maxThreads: MOST_THREADS,
      mayWait: typeof document === 'undefined',
      spawn,
    });
    kernels.setThreads(Math.min(cores(), DEFAULT_MOST_THREADS));
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

/** Loads the build with threads if the page can have them. Otherwise, or if that fails, loads the one without. */
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

/** Always throws: browsers fetch WebAssembly asynchronously. */
export const loadKernelsSync = (_choice: KernelChoice = {}): KernelModule => {
  throw new KernelLoadError('in a browser kernels load asynchronously: await ready() first', 'not-ready');
};

/** Every full build that this page could load, the default first. */
export const listVariants = (): string[] =>
  canShare() ? ['strict-threads', 'strict', 'relaxed-threads', 'relaxed'] : ['strict', 'relaxed'];
