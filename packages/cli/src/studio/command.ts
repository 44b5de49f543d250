/** `unroll studio`: serves the page of @unroll/studio on this machine. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pageFolder } from '@unroll/studio';
import { integerOption, type OptionSpecs, parseOptions, UsageError } from '../shared/args.js';
import type { Command } from '../shared/command.js';
import { reasonOf } from '../shared/files.js';
import { createStudioServer } from './server.js';

const OPTIONS = {
  port: { type: 'string' },
  open: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const DEFAULT_PORT = 8470;
/** Limits of the files that the page opens. */
const MAX_BYTES = 512 * 1024 * 1024;
const MAX_FILES = 200;

const HELP = `Usage: unroll studio [<run, model or file>] [--port <n>] [--open]

Serves a page that trains RNN, LSTM, GRU and minGRU side by side, and shows gates, states and
gradients during training. All computation runs in the page; no data leave this machine. The page
opens the given <run, model or file>: the folder of a run, a saved model (folder or zip), a model of
Keras, PyTorch or ONNX, or a CSV file. Ctrl-C ends the server.

  --port <n>            port of the server; 0: any free port (default: ${DEFAULT_PORT}, or a free port if
                        ${DEFAULT_PORT} is taken)
  --open                open the page in the default browser
`;

export const studio: Command = {
  about: 'train in the browser and see gates and gradients',
  help: () => HELP,
  async run(args, { signal }) {
    const parsed = parseOptions(args, OPTIONS);
    const [path, ...extra] = parsed.positionals;
    if (extra.length > 0)
      throw new UsageError(`At most one run, model or file can be opened, got ${extra.length + 1}.`);
    const port = integerOption(parsed, 'port', 0);
    if (port !== undefined && port > 65535)
      throw new UsageError(`--port must be at most 65535, got ${port}.`);
    const folder = fileURLToPath(pageFolder);
    if (!existsSync(join(folder, 'index.html'))) {
      throw new Error(`the page of @unroll/studio is not built (${folder}); run npm run build`);
    }
    const opened = path === undefined ? new Map<string, Uint8Array>() : filesAt(path);
    const server = createStudioServer({ folder, opened });
    await listen(server, port);
    const { port: actual } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${actual}/${path === undefined ? '' : '#open=1&view=files'}`;
    process.stdout.write(`Unroll Studio: ${url}\nPress Ctrl-C to end.\n`);
    if (parsed.values.open === true) openBrowser(url);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
    server.closeAllConnections();
    server.close();
  },
};

/** Listens on the loopback interface. Without a port: on the default port, or, if that is in use, on any free port. */
async function listen(
  server: ReturnType<typeof createStudioServer>,
  port: number | undefined,
): Promise<void> {
  const attempt = (candidate: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(candidate, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  try {
    await attempt(port ?? DEFAULT_PORT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    if (port !== undefined)
      throw new UsageError(`Port ${port} is in use. Choose another --port, or leave it out.`);
    await attempt(0);
  }
}

/** Reads the file or the files of the folder at `path`. @throws UsageError if it is missing or too large */
function filesAt(path: string): Map<string, Uint8Array> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new UsageError(`${path}: file or folder not found.`);
  const names = stats.isFile()
    ? [path]
    : (readdirSync(path, { recursive: true }) as string[])
        .map((name) => join(path, name))
        .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  const bytes = names.reduce((sum, file) => sum + statSync(file).size, 0);
  if (names.length > MAX_FILES || bytes > MAX_BYTES) {
    throw new UsageError(
      `${path}: a run or model has at most ${MAX_FILES} files and 512 MiB, got ${names.length} files and ` +
        `${Math.ceil(bytes / 2 ** 20)} MiB.`,
    );
  }
  const nameOf = (file: string): string =>
    stats.isFile()
      ? basename(file)
      : [basename(path), ...relative(path, file).split(sep)].filter((part) => part !== '.').join('/');
  try {
    return new Map(names.map((file) => [nameOf(file), readFileSync(file)]));
  } catch (error) {
    throw new UsageError(`${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

/** Opens the address with the default program of the desktop. Without a desktop, the user opens the printed address. */
function openBrowser(url: string): void {
  const [program, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url];
  spawn(program, args, { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}
