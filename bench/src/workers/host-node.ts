/**
 * The protocol of a benchmark engine in a Node process: `<script> <threads> <argument>`, requests on stdin, answers on stdout.
 * Engines import it as `#host`. An engine runs Unroll or another library that Unroll is compared with (a peer). What the
 * library prints to the console goes to stderr.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { type DataFile, decodeData, type RowData } from '../data.js';
import type { Answer, BrowserHost, Request } from '../protocol.js';

/** Number of threads that the engine must use. */
export const threads = Number(process.argv[2] ?? 1);
/** The optional second argument; its meaning depends on the engine. */
export const argument = process.argv[3];
/** The browser that the engine runs in; null in Node. */
export const browser: BrowserHost | null = null;

const peers = new URL('../../peers/', import.meta.url);

/** Imports a peer, such as TensorFlow.js or ONNX Runtime, from bench/peers. @param name the npm package */
export async function importPeer<T>(name: string): Promise<T> {
  const path = createRequire(new URL('package.json', peers)).resolve(name);
  return ((await import(pathToFileURL(path).href)) as { default: T }).default;
}

/** Returns the name and version of a peer. */
export async function peerVersion(name: string): Promise<string> {
  const manifest = readFileSync(new URL(`node_modules/${name}/package.json`, peers), 'utf8');
  return `${name} ${(JSON.parse(manifest) as { version: string }).version}`;
}

/** Returns the URL from which a page loads the files of a peer; null in Node, where the peer finds its own files. */
export const peerUrl = (_name: string): string | null => null;

/** Returns the number of workers started so far; null in Node, where they cannot be counted. */
export const workersStarted = (): number | null => null;

export const readData = async (file: DataFile): Promise<RowData> => decodeData(file, readFileSync(file.path));

/** Answers each request on stdin with one line on stdout. Exits when stdin closes. */
export function listen(answer: (request: Request) => Promise<Answer>): void {
  console.log = console.info = console.error;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line) as Request))}\n`);
  });
  lines.on('close', () => process.exit(0));
}
