// Shows that check-sync-reads.mjs finds every form of a synchronous read and names its function, and that the list only
// shrinks.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkSyncReads, readsOf } from './check-sync-reads.mjs';

const check = (files, allowed = {}) => {
  const root = mkdtempSync(join(tmpdir(), 'unroll-sync-reads-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      const path = join(root, 'packages', file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    return checkSyncReads(root, allowed);
  } finally {
    rmSync(root, { recursive: true });
  }
};

test('the repository reads synchronously where the list says, and nowhere else', () => {
  assert.deepEqual(checkSyncReads(join(dirname(fileURLToPath(import.meta.url)), '..')), []);
});

test('every form of a read is found, with the function that it stands in', () => {
  const source = `/** hostValues(x) in a comment */
export function one(x: Tensor): number {
  return x.item();
}

export async function several(
  x: Tensor,
): Promise<number[]> {
  const inner = (y: Tensor) => y;
  if (x) {
    return [...x.dataSync()];
  }
}

const arrow = (x: Tensor): number[] =>
  x.toArray();

class A {
  #hidden(x: Tensor) {
    // x.item()
    return hostValues(x, 'x');
  }

  get size(): number {
    return this.#x.backend.readSync!(this.block)[0];
  }
}
const top = tensor.dataSync();
`;
  assert.deepEqual(readsOf(source), [
    { name: 'one', line: 3 },
    { name: 'several', line: 11 },
    { name: 'arrow', line: 16 },
    { name: 'hidden', line: 21 },
    { name: 'size', line: 25 },
    { name: '(top)', line: 28 },
  ]);
});

test('a read that is not listed is refused, a listed one passes', () => {
  const files = { 'nn/src/a.ts': 'export function f(x: Tensor) {\n  return x.dataSync();\n}\n' };
  assert.deepEqual(check(files), [
    'packages/nn/src/a.ts:2: f reads a tensor synchronously: await data() or valuesOf()',
  ]);
  assert.deepEqual(check(files, { 'nn/src/a.ts': { f: 'why' } }), []);
});

test('an entry that is used no more is refused', () => {
  const files = { 'nn/src/a.ts': 'export const f = 1;\n' };
  assert.deepEqual(check(files, { 'nn/src/a.ts': { f: 'why' } }), [
    'nn/src/a.ts f: reads nothing synchronously: take it off the list',
  ]);
});

test('the CPU backends and testkit are not checked', () => {
  const text = 'export function f(x: Tensor) {\n  return x.dataSync();\n}\n';
  assert.deepEqual(check({ 'core/src/cpu/a.ts': text, 'testkit/src/a.ts': text }), []);
});
