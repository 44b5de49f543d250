// Functions that the build scripts share: paths, hashes, cached outputs and child processes.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const cpp = join(root, 'cpp');
export const dist = join(root, 'dist');
export const cache = join(root, 'build');

/** Reads the C++ sources as { name: text }: the headers, and the files to compile (all except addon.cpp). */
export const readSources = () => {
  const read = (names) => Object.fromEntries(names.map((n) => [n, readFileSync(join(cpp, n), 'utf8')]));
  const names = readdirSync(cpp).sort();
  return {
    headers: read(names.filter((n) => n.endsWith('.h'))),
    units: read(names.filter((n) => n.endsWith('.cpp') && n !== 'addon.cpp')),
  };
};

/** Returns the headers that a source includes, directly or indirectly, as { name: text }. */
export const headersOf = (text, headers, found = {}) => {
  for (const [, name] of text.matchAll(/^\s*#include "([^"]+)"/gm)) {
    if (name in headers && !(name in found)) {
      found[name] = headers[name];
      headersOf(headers[name], headers, found);
    }
  }
  return found;
};

export const hash = (...parts) => {
  const h = createHash('sha256');
  for (const part of parts) h.update(typeof part === 'string' ? part : JSON.stringify(part)).update('\0');
  return h.digest('hex').slice(0, 24);
};

/** Writes a file atomically: readers see the old or the new file, and processes that have mapped the old one keep it. */
export const writeAtomically = (file, data) => {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, data);
  renameSync(draft, file);
};

const stamp = (file) => join(cache, `${hash(file)}.stamp`);

/** Returns whether `file` exists and was built from the inputs with the hash `key`. */
export const isCurrent = (file, key) =>
  existsSync(file) && existsSync(stamp(file)) && readFileSync(stamp(file), 'utf8') === key;
export const setCurrent = (file, key) => writeAtomically(stamp(file), key);
/** Deletes a build output and the record of what it was built from. */
export const removeOutput = (file) => {
  rmSync(file, { force: true });
  rmSync(stamp(file), { force: true });
};

/** Runs a program and returns { code, output }, where output includes stderr; code is null if it could not be started. */
export const run = (command, args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', (error) => resolve({ code: null, output: error.message }));
    child.on('close', (code) => resolve({ code, output }));
  });

/**
 * Calls work(item) for every item, at most `width` at a time. After a failure, starts no further items and throws the
 * error.
 */
export const eachParallel = async (items, width, work) => {
  const queue = [...items];
  let failure;
  const worker = async () => {
    for (let item; !failure && (item = queue.shift()) !== undefined; ) {
      try {
        await work(item);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, width) }, worker));
  if (failure) throw failure;
};

/** Removes the files of a cache folder that are not in `names`, except recent ones, which another build may be using. */
export const prune = (folder, names) => {
  const anHourAgo = Date.now() - 3_600_000;
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (!names.has(name) && (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) < anHourAgo)
      rmSync(file, { force: true });
  }
};
