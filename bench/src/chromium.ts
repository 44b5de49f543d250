/**
 * Runs engines of the benchmark in headless Chromium: one page with a worker for each engine. The page is cross-origin
 * isolated, which threads require. A loopback server serves the scripts and the data of the benchmark row, sends orders to
 * the page and receives reports from it.
 */
import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Chromium, findChromium, NO_CHROMIUM, openChromium } from '@unroll/testkit/chromium';
import { build } from 'esbuild';
import type { Channel, Launch, Listener } from './process.js';
import type { Order, Report } from './protocol.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PEERS = here('../peers/node_modules');
const KERNELS = here('../../packages/kernels/dist');
const ENTRIES = ['page', 'workers/unroll', 'workers/ort', 'workers/tfjs', 'workers/peak'];

const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Unroll</title><link rel="icon" href="data:,">' +
  '<script type="module" src="/page.js"></script>';
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};
const HEADERS = {
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** The browser and the server of its page. The constructor starts both. Orders may be sent before the page is ready. */
class BenchPage {
  readonly #scripts = new Map<string, Uint8Array>();
  readonly #server: Server = createServer((request, response) => this.#serve(request, response));
  readonly #listeners = new Map<number, Listener>();
  #browser: Chromium | null = null;
  #closed = false;
  /** The event stream to the page. Orders are queued until the page connects. */
  #orderStream: ServerResponse | null = null;
  readonly #queue: Order[] = [];
  #engines = 0;
  /** The data file of the last load request. */
  #dataPath = '';

  constructor(chromium: string) {
    this.#open(chromium).catch((error: Error) => this.#reportLost(error.message));
  }

  /** Starts an engine: a worker that runs `script`. */
  start(script: string, listener: Listener): Channel {
    const engine = ++this.#engines;
    this.#listeners.set(engine, listener);
    this.#sendOrder({ engine, start: script });
    return {
      send: (request) => {
        if (request.do === 'load') this.#dataPath = request.data.path;
        this.#sendOrder({ engine, request });
      },
      stop: () => this.#stop(engine),
    };
  }

  close(): void {
    this.#closed = true;
    this.#browser?.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Bundles the scripts, starts the server and opens the browser. */
  async #open(chromium: string): Promise<void> {
    const entryPoints = ENTRIES.map((entry) => here(`${entry}.js`));
    const { outputFiles } = await build({
      ...{ entryPoints, bundle: true, format: 'esm', platform: 'browser', target: 'es2022' },
      ...{ write: false, outdir: '.', logLevel: 'error' },
    });
    for (const { path, contents } of outputFiles) this.#scripts.set(`/${basename(path)}`, contents);
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    if (this.#closed) return this.close();
    const { port } = this.#server.address() as AddressInfo;
    this.#browser = openChromium(chromium, `http://127.0.0.1:${port}/`, (reason) => this.#reportLost(reason));
  }

  /** Calls `ended` of every listener if the browser has ended or the page could not be opened. */
  #reportLost(reason: string): void {
    if (page === this) closeChromium();
    for (const listener of this.#listeners.values()) listener.ended(reason);
  }

  #stop(engine: number): void {
    this.#listeners.delete(engine);
    this.#sendOrder({ engine, stop: true });
  }

  #sendOrder(order: Order): void {
    if (this.#orderStream) this.#orderStream.write(`data: ${JSON.stringify(order)}\n\n`);
    else this.#queue.push(order);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const script = this.#scripts.get(pathname);
    const respond = (type: string): ServerResponse =>
      response.writeHead(200, { ...HEADERS, 'Content-Type': type });
    if (pathname === '/') respond('text/html').end(PAGE);
    else if (script) respond(TYPES['.js']).end(script);
    else if (pathname === '/data') createReadStream(this.#dataPath).pipe(respond(''));
    else if (pathname.startsWith('/report/'))
      this.#receiveReport(Number(basename(pathname)), request, response);
    else if (pathname === '/orders') {
      this.#orderStream = respond('text/event-stream');
      this.#orderStream.flushHeaders();
      for (const order of this.#queue.splice(0)) this.#sendOrder(order);
    } else {
      const [root, path] = pathname.startsWith('/peers/') ? [PEERS, pathname.slice(7)] : [KERNELS, pathname];
      const file = join(root, path);
      if (existsSync(file)) createReadStream(file).pipe(respond(TYPES[extname(file)] ?? ''));
      else response.writeHead(404, HEADERS).end();
    }
  }

  #receiveReport(engine: number, request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(204, HEADERS).end();
      const report = JSON.parse(Buffer.concat(chunks).toString()) as Report;
      const listener = this.#listeners.get(engine);
      if ('answer' in report) listener?.answer(report.answer);
      else {
        this.#stop(engine); // After an uncaught error, a worker would keep running.
        listener?.ended(report.ended);
      }
    });
  }
}

let page: BenchPage | null = null;

/** Returns a function that runs a script of src/workers in a worker of the page, and opens the page if it is not open yet. */
export function inChromium(script: string, threads: number, argument = ''): Launch {
  return (listener) => {
    const chromium = findChromium();
    if (chromium === undefined) throw new Error(NO_CHROMIUM);
    page ??= new BenchPage(chromium);
    return page.start(
      `/${script}.js?${new URLSearchParams({ threads: String(threads), argument })}`,
      listener,
    );
  };
}

export function closeChromium(): void {
  page?.close();
  page = null;
}
