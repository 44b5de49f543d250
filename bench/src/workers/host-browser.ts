/**
 * The counterpart of host-node.ts for a dedicated worker of a page. The script's URL is
 * `<script>?threads=..&argument=..`; requests and answers are messages from and to the page (src/page.ts). Unlike the
 * page, a worker may block while it waits for threads.
 */
import { type DataFile, dataOf, type RowData } from '../data.js';
import type { Answer, BrowserHost, Report, Request } from '../protocol.js';

type Answering = (request: Request) => Promise<Answer>;

const send = (report: Report): void => postMessage(report);

// Messages arrive as soon as the listener is added, before the engine has loaded its library. They wait for `listen`.
let listen!: (answer: Answering) => void;
const answering = new Promise<Answering>((resolve) => {
  listen = resolve;
});
addEventListener('message', async ({ data }: MessageEvent<Request>) => {
  send({ answer: await (await answering)(data) });
});
addEventListener('unhandledrejection', ({ reason }) => send({ lost: String(reason?.message ?? reason) }));

export { listen };

const query = new URL(location.href).searchParams;
export const threads = Number(query.get('threads') ?? 1);
export const argument = query.get('argument') ?? undefined;

if (!crossOriginIsolated) throw new Error('the page must be cross-origin isolated to use threads');
export const browser: BrowserHost | null = {
  version: /Chrome\/\S+/.exec(navigator.userAgent)?.[0] ?? navigator.userAgent,
  crossOriginIsolated,
};

/** The published browser builds of the peers. Those of TensorFlow.js define a global variable. */
const FILES: Readonly<Record<string, string>> = {
  'onnxruntime-web': 'dist/ort.wasm.bundle.min.mjs',
  '@tensorflow/tfjs': 'dist/tf.es2017.min.js',
  '@tensorflow/tfjs-backend-wasm': 'dist/tf-backend-wasm.es2017.min.js',
};
const GLOBALS: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs': 'tf',
  '@tensorflow/tfjs-backend-wasm': 'tf.wasm',
};

export const addressOf = (name: string): string | null => `/peers/${name}/`;

export async function importPeer<T>(name: string): Promise<T> {
  const module = (await import(`${addressOf(name)}${FILES[name]}`)) as { default: T };
  const path = GLOBALS[name]?.split('.');
  if (!path) return module.default;
  return path.reduce((value, key) => (value as Record<string, unknown>)[key], globalThis as unknown) as T;
}

export async function peerVersion(name: string): Promise<string> {
  const manifest = await fetch(`${addressOf(name)}package.json`);
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
  return dataOf(file, new Uint8Array(await (await fetch('/data')).arrayBuffer()));
}
