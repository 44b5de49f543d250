// Tests check-language.mjs: it finds each term, accepts similar text, and rejects counts above and below the allowed number.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { countTerms, findIn, findTerms, judge, lowered, RULES } from './check-language.mjs';

/** For each term, a text with the term and a similar text that is allowed. */
const SAMPLES = {
  'rows ahead': ['errors of rowsAhead', 'the rows above; go ahead'],
  passes: ['Passes over the data.', 'Backward passes; the test passes'],
  'what came': ['compared with what came', 'whatever came first'],
  told: ['An id that is told of', 'Days and months cannot be told apart'],
  'how long to train': ['training 1/12 (lstm, how long to train)', 'how long training takes'],
  figures: ['the test figure of the run', 'a figure of the unrolled network'],
  reach: ['plan.reach', 'values that reach the limit'],
  stand: ['(stand) => block(stand)', 'the numbers stand in the table'],
  emit: ['masks?.emit', 'events that layers emit at the end'],
  flow: ['inputs: readonly Flow[]', 'overflow, dataflow and control flow'],
  'along time': ['override alongTime()', 'a long time ago'],
  advance: ['layer.advance(x)', 'in advance'],
  'looks ahead': ['a layer that looks ahead', 'looks around'],
  'making tools': ["import './making-tools.js'", 'making toolchains'],
  shelf: ['one of the shelves', 'a shelter'],
  settle: ['this.settle(buffer)', 'the settings'],
  touched: ['touched(block)', 'an untouched file'],
  held: ['const held = 1', 'a held-out series'],
  kept: ['kept.parts', 'The seed is kept'],
  halves: ['root.halves.set(at)', 'It halves the size'],
  'goes on': ['The run goes on', 'Go online'],
  mended: ['It was mended', 'a recommended value'],
  leaning: ['the leaning of a default', 'deep learning'],
  'bytes of a page': ['the bytes of a page', 'the bytes of a file'],
  'and it is': [`\`must be 1, and it is \${value}\``, 'It is known, and it is used'],
  'whole number': ['a whole number from 1', 'the whole table'],
  macros: ['ALWAYS void f();', 'Always void'],
};

const CPP = 'packages/kernels/cpp/a.h';
const found = (text, file = CPP) => findIn(file, text).map(({ term }) => term);

test('every term has a sample', () => {
  assert.deepEqual(Object.keys(SAMPLES).sort(), RULES.map(({ term }) => term).sort());
});

for (const [term, [bad, good]] of Object.entries(SAMPLES)) {
  test(`${term}: found, but not in similar text`, () => {
    assert.ok(found(bad).includes(term), bad);
    assert.ok(!found(good).includes(term), good);
  });
}

test('treats a line break within a comment as a space', () => {
  assert.deepEqual(found('/** What a forecast two rows\n * ahead is. */'), ['rows ahead']);
  assert.deepEqual(found('// two rows\n// ahead'), ['rows ahead']);
});

test('checks macros in C++ only, and allows the terms in check-language.mjs itself', () => {
  assert.deepEqual(found('ALWAYS', 'packages/core/src/a.ts'), []);
  assert.deepEqual(found('mended', 'tools/check-language.mjs'), []);
});

const FILES = {
  'packages/core/src/deep/a.ts': '\n// mended\n',
  'packages/core/src/a.generated.ts': '// mended\n',
  'packages/core/test/a.test.ts': '// mended\n',
  'packages/core/dist/a.js': '// mended\n',
  'packages/kernels/cpp/a.cpp': 'SEDLOM SELDOM\n',
  'packages/kernels/scripts/a.mjs': '// mended\n',
  'bench/src/a.ts': '// mended\n',
  'bench/RESULTS.md': 'mended\n',
  'docs/deep/a.md': 'mended\n',
  'examples/a.ts': '// mended\n',
  'examples/dist/a.js': '// mended\n',
  'tools/a.mjs': '// mended\n',
  'README.md': 'mended\n',
};

test('reads sources, tools, examples and documents, but no built or generated files', () => {
  const root = mkdtempSync(join(tmpdir(), 'unroll-language-'));
  try {
    for (const [file, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    assert.deepEqual(
      findTerms(root).map(({ line }) => line),
      [
        'README.md:1',
        'bench/RESULTS.md:1',
        'bench/src/a.ts:1',
        'docs/deep/a.md:1',
        'examples/a.ts:1',
        'packages/core/src/deep/a.ts:2',
        'packages/kernels/cpp/a.cpp:1',
        'packages/kernels/scripts/a.mjs:1',
        'tools/a.mjs:1',
      ],
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('passes with the allowed number; fails with more and lists replacements; fails with fewer until the number is lowered', () => {
  const two = findIn('README.md', 'mended\nmends');
  assert.deepEqual(judge(two, { mended: 2 }), []);
  assert.deepEqual(judge(two, { mended: 1 }), [
    'The term "mended" occurs 2 times; language-budget.json allows 1. Replace it:',
    '  README.md:1: "mended", write fixed',
    '  README.md:2: "mends", write fixed',
  ]);
  assert.deepEqual(judge(two, { mended: 3 }), [
    'The term "mended" occurs 2 times; language-budget.json allows 3. Run `node tools/check-language.mjs --lower`.',
  ]);
  assert.deepEqual(countTerms(two), { mended: 2 });
});

test('numbers are lowered and never raised', () => {
  assert.deepEqual(lowered({ mended: 2, shelf: 5 }, { mended: 3, shelf: 4, flow: 7 }), {
    mended: 2,
    shelf: 4,
  });
});
