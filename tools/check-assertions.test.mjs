// Tests check-assertions.mjs: it finds every non-null assertion (x!), and rejects counts above and below the allowed number.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findAssertions, judge } from './check-assertions.mjs';

const FILES = {
  'packages/core/src/a.ts': 'export const a = (x: number | null) => x! + 1;\n// b! in a comment\n',
  'packages/core/src/deep/b.ts':
    "export const b = (x: { y?: { z?: number } }) =>\n  x.y!.z! + Number('c!' !== 'd');\n",
  'packages/core/test/a.test.ts': 'export const a = (x: number | null) => x! + 1;\n',
  'packages/nn/src/index.ts': 'export const plain = (x: boolean) => !x;\n',
  'bench/src/a.ts': 'export const a = (x: number | null) => x! + 1;\n',
  'examples/a.ts': 'export const a = (x: number | null) => x! + 1;\n',
};

test('finds non-null assertions in the sources of packages, the benchmark and examples only', () => {
  const root = mkdtempSync(join(tmpdir(), 'unroll-assertions-'));
  try {
    for (const [file, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    const found = findAssertions(root).map(({ name, line }) => `${name} ${line}`);
    assert.deepEqual(found.sort(), [
      'bench bench/src/a.ts:1',
      'core packages/core/src/a.ts:1',
      'core packages/core/src/deep/b.ts:2',
      'core packages/core/src/deep/b.ts:2',
      'examples examples/a.ts:1',
    ]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

const found = (...names) => names.map((name, i) => ({ name, line: `packages/${name}/src/a.ts:${i}` }));

test('passes with the allowed number; fails with more and lists them; fails with fewer until the number is lowered', () => {
  assert.deepEqual(judge(found('core', 'core', 'nn'), { core: 2, nn: 1 }), []);
  assert.deepEqual(judge(found('core', 'core'), { core: 1 }), [
    'non-null assertions in core: 2, allowed: 1. Replace assertions by a more precise type or a check. Locations:',
    '  packages/core/src/a.ts:0',
    '  packages/core/src/a.ts:1',
  ]);
  assert.deepEqual(judge(found('core'), { core: 2 }), [
    'non-null assertions in core: 1, allowed: 2. Lower the allowed number for core in tools/check-assertions.mjs.',
  ]);
});

test('allows no non-null assertions in an unlisted package', () => {
  assert.match(judge(found('data'), {})[0], /^non-null assertions in data: 1, allowed: 0\. /);
});
