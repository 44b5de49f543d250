/**
 * The protocol of a benchmark engine that runs in a worker of a page. This module exports the same names as host-node.ts,
 * which documents them. The URL of the script is `<script>?threads=..&argument=..`. Requests and answers are messages from
 * and to the page (src/page.ts). The engine runs in a worker because the page itself must not block while it waits for
 * threads.
 */
import { type DataFile, decodeData, type RowData } from '../data.js';
import type { Answer, BrowserHost, Report, Request } from '../protocol.js';

type RequestHandler = (request: Request) => Promise<Answer>;

const send = (report: Report): void => postMessage(report);

// Requests may arrive before the engine has loaded its library. They wait until the engine calls `listen`.
let listen!: (handler: RequestHandler) => void;
const handlerReady = new Promise<RequestHandler>((resolve) => {
  listen = resolve;
});
addEventListener('message', async ({ data }: MessageEvent<Request>) => {
  send({ answer: await (await handlerReady)(data) });
});
addEventListener('unhandledrejection', ({ reason }) => send({ ended: String(reason?.message ?? reason) }));

export { listen };

const query = new URL(location.href).searchParams;
export const threads = Number(query.get('threads') ?? 1);
export const argument = query.get('argument') ?? undefined;

if (!crossOriginIsolated)
  throw new Error(
    'The page is not cross-origin isolated, which threads require. Check the headers of the server.',
  );
export const browser: BrowserHost | null = {
  version: /Chrome\/\S+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent,
  crossOriginIsolated,
};

/** The browser builds in the npm packages of the peers (the libraries that Unroll is compared with). */
const FILES: Readonly<Record<string, string>> = {
  'onnxruntime-web': 'dist/ort.wasm.bundle.min.mjs',
  '@tensorflow/tfjs': 'dist/tf.es2017.min.js',
  '@tensorflow/tfjs-backend-wasm': 'dist/tf-backend-wasm.es2017.min.js',
};
/** Builds that define a global variable instead of exporting values. */
const GLOBALS: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs': 'tf',
  '@tensorflow/tfjs-backend-wasm': 'tf.wasm',
};

export const peerUrl = (name: string): string | null => `/peers/${name}/`;

export async function importPeer<T>(name: string): Promise<T> {
  const module = (await import(`${peerUrl(name)}${FILES[name]}`)) as { default: T };
  const path = GLOBALS[name]?.split('.');
  if (!path) return module.default;
  return path.reduce((value, key) => (value as Record<string, unknown>)[key], globalThis as unknown) as T;
}

export async function peerVersion(name: string): Promise<string> {
  const manifest = await fetch(`${peerUrl(name)}package.json`);
  return `${name} ${((await manifest.json()) as { version: string }).version}`;
}

let started = 0;
export const workersStarted = (): number | null => started;
globalThis.Worker = class extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    started++;
  }
};

export async function readData(file: DataFile): Promise<RowData> {
  return decodeData(file, new Uint8Array(await (await fetch('/data')).arrayBuffer()));
}
