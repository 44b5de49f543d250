/**
 * Runs headless Chromium for the browser tests and the benchmark: finds the executable, opens a page with a temporary
 * profile, and ends Chromium with all its child processes when this process ends.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export const NO_CHROMIUM =
  'Chromium was not found: install chromium or google-chrome, or set CHROME_PATH to the path of an executable';

/**
 * Returns the path of the Chromium executable: CHROME_PATH or, if it is not set, the first of the usual names that is in a folder
 * of the PATH.
 */
export function findChromium(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = process.env.CHROME_PATH
    ? [process.env.CHROME_PATH]
    : names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const ARGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--disable-default-apps', '--disable-extensions', '--no-default-browser-check'],
];

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Chromium {
  /** Returns the last output of Chromium on stderr. */
  errorOutput(): string;
  /** Ends Chromium and removes its profile. */
  close(): void;
}

/**
 * Opens a page in a new Chromium process.
 * @param chromium path of the executable
 * @param onExit called with the reason if Chromium does not start, or exits before `close`
 * @param args further arguments of Chromium. Default: none
 */
export function openChromium(
  chromium: string,
  url: string,
  onExit: (reason: string) => void,
  args: readonly string[] = [],
): Chromium {
  const profile = mkdtempSync(join(tmpdir(), 'unroll-chromium-'));
  // A separate process group lets close() end the child processes of Chromium, and only those.
  const browser = spawn(chromium, [...ARGS, ...args, `--user-data-dir=${profile}`, url], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let errors = '';
  // Without a desktop, Chromium constantly reports D-Bus errors. They are irrelevant here.
  browser.stderr.on('data', (data) => {
    errors = (errors + data)
      .split('\n')
      .filter((line) => !/dbus|DBus/.test(line))
      .join('\n')
      .slice(-3000);
  });
  const close = (): void => {
    process.off('exit', close);
    for (const signal of SIGNALS) process.off(signal, interrupted);
    browser.removeAllListeners();
    browser.on('error', () => {});
    try {
      process.kill(-browser.pid!, 'SIGKILL');
    } catch {
      // Chromium has already exited.
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  // Ctrl-C does not reach Chromium, because Chromium is in another process group.
  const interrupted = (): void => process.exit(130);
  process.on('exit', close);
  for (const signal of SIGNALS) process.on(signal, interrupted);
  browser.on('error', (error) => onExit(`Chromium did not start: ${error.message}`));
  browser.on('exit', (code, signal) => onExit(`Chromium exited (${signal ?? code})\n${errors}`));
  return { errorOutput: () => errors, close };
}
