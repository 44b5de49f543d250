// Tests check-sync-reads.mjs: it finds every form of a synchronous read and the enclosing function, and rejects list
// entries that are not needed.
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

test('the repository reads synchronously only in listed functions', () => {
  assert.deepEqual(checkSyncReads(join(dirname(fileURLToPath(import.meta.url)), '..')), []);
});

test('finds every form of a read, with the enclosing function', () => {
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

test('rejects an unlisted read and accepts a listed one', () => {
  const files = { 'nn/src/a.ts': 'export function f(x: Tensor) {\n  return x.dataSync();\n}\n' };
  assert.deepEqual(check(files), [
    'packages/nn/src/a.ts:2: f reads a tensor synchronously. Use await data() or await valuesOf() instead.',
  ]);
  assert.deepEqual(check(files, { 'nn/src/a.ts': { f: 'why' } }), []);
});

test('rejects an unused entry', () => {
  const files = { 'nn/src/a.ts': 'export const f = 1;\n' };
  assert.deepEqual(check(files, { 'nn/src/a.ts': { f: 'why' } }), [
    'nn/src/a.ts f: no synchronous reads. Remove the entry from tools/check-sync-reads.mjs.',
  ]);
});

test('the CPU backends and testkit are not checked', () => {
  const text = 'export function f(x: Tensor) {\n  return x.dataSync();\n}\n';
  assert.deepEqual(check({ 'core/src/cpu/a.ts': text, 'testkit/src/a.ts': text }), []);
});
