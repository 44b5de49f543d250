// Tests check-imports.mjs: it rejects each kind of violation, and accepts valid imports.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { checkImports, importsOf } from './check-imports.mjs';

/**
 * Checks a temporary repository.
 * @param files the text of the files, by path below packages
 * @param dependencies the dependencies in package.json, by package
 * @param extra other fields of package.json, by package
 */
const check = (files, dependencies = {}, extra = {}) => {
  const root = mkdtempSync(join(tmpdir(), 'unroll-imports-'));
  try {
    const folders = new Set(Object.keys(files).map((file) => file.split('/')[0]));
    for (const folder of folders) {
      const name = folder === 'unrolljs' ? folder : `@unroll/${folder}`;
      const listed = Object.fromEntries((dependencies[folder] ?? []).map((key) => [key, '0.1.0']));
      mkdirSync(join(root, 'packages', folder), { recursive: true });
      const manifest = { name, dependencies: listed, ...extra[folder] };
      writeFileSync(join(root, 'packages', folder, 'package.json'), JSON.stringify(manifest));
    }
    for (const [file, text] of Object.entries(files)) {
      const path = join(root, 'packages', file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    return checkImports(root);
  } finally {
    rmSync(root, { recursive: true });
  }
};

const rejects = (message, ...repository) => {
  const found = check(...repository);
  assert.equal(found.length, 1, found.join('\n'));
  assert.match(found[0], message);
};

test('accepts imports that the table allows', () => {
  const files = {
    'core/src/index.ts': "import { loadKernels } from '@unroll/kernels';\nexport * from './tensor.js';\n",
    'core/src/tensor.ts': "import type { A } from './index.js';\nexport const a = 1;\n",
    'tasks/src/files-node.ts':
      "import { readFile } from 'node:fs/promises';\nimport { x } from '@unroll/core/internal';\n",
    'cli/src/main.ts': "import { argv } from 'node:process';\nimport { pageFolder } from '@unroll/studio';\n",
    'studio/src/app.ts': "import { pipeline } from '@unroll/tasks';\n",
  };
  const dependencies = {
    core: ['@unroll/kernels'],
    tasks: ['@unroll/core'],
    cli: ['@unroll/studio'],
    studio: ['@unroll/tasks'],
  };
  assert.deepEqual(check(files, dependencies), []);
});

test('rejects an import of a package that the table does not allow', () => {
  rejects(
    /^packages\/core\/src\/a\.ts:2: '@unroll\/nn': core may import kernels, not @unroll\/nn$/,
    { 'core/src/a.ts': "// first\nimport { x } from '@unroll/nn';\n" },
    { core: ['@unroll/nn'] },
  );
  rejects(
    /kernels may import no other package/,
    { 'kernels/src/a.ts': "export * from '@unroll/core';" },
    { kernels: ['@unroll/core'] },
  );
});

test('checks subpaths, dynamic imports, side-effect imports and type imports', () => {
  for (const line of [
    "import { x } from '@unroll/train/internal';",
    "const x = await import('@unroll/train');",
    "import '@unroll/train';",
    "import type { X } from '@unroll/train';",
    "import {\n  a,\n  b,\n} from '@unroll/train';",
    'export { x } from "@unroll/train";',
    "import * as t from '@unroll/train';",
    "import t, { u } from '@unroll/train';",
  ]) {
    rejects(/nn may import core, not @unroll\/train/, { 'nn/src/a.ts': line }, { nn: ['@unroll/train'] });
  }
});

test('rejects imports of testkit and unrolljs in the other packages', () => {
  rejects(
    /not @unroll\/testkit/,
    { 'tasks/src/a.ts': "import { x } from '@unroll/testkit';" },
    { tasks: ['@unroll/testkit'] },
  );
  rejects(/not unrolljs/, { 'cli/src/a.ts': "import { x } from 'unrolljs';" }, { cli: ['unrolljs'] });
});

test('rejects an import that package.json does not declare', () => {
  rejects(/@unroll\/core is not in the dependencies/, {
    'nn/src/a.ts': "import { x } from '@unroll/core';",
  });
  rejects(/papaparse is not in the dependencies/, { 'data/src/a.ts': "import Papa from 'papaparse';" });
  rejects(/@scope\/lib is not in/, { 'data/src/a.ts': "import { x } from '@scope/lib/deep/file.js';" });
});

test('rejects a relative path into another package', () => {
  rejects(/the path leaves the package/, { 'nn/src/a.ts': "import { x } from '../../core/src/tensor.js';" });
});

test('rejects a package that imports itself by name', () => {
  rejects(
    /must not import itself/,
    { 'core/src/a.ts': "import { x } from '@unroll/core';" },
    { core: ['@unroll/core'] },
  );
});

test('rejects Node built-ins outside *node*.ts files and Node packages', () => {
  rejects(/belong in a file named \*node\*/, { 'train/src/a.ts': "import { readFileSync } from 'node:fs';" });
  rejects(/belong in a file named \*node\*/, {
    'tasks/src/files.ts': "import { readFileSync } from 'node:fs';",
  });
  rejects(/studio runs in browsers/, {
    'studio/src/files-node.ts': "import { readFileSync } from 'node:fs';",
  });
  rejects(/write node:fs\/promises/, { 'cli/src/a.ts': "import { readFile } from 'fs/promises';" });
  assert.deepEqual(check({ 'train/src/checkpoints-node.ts': "import 'node:fs';" }), []);
});

test('rejects an import cycle', () => {
  rejects(/import cycle: a\.ts -> b\/c\.ts -> a\.ts/, {
    'core/src/a.ts': "import { c } from './b/c.js';\nexport const a = 1;",
    'core/src/b/c.ts': "import { a } from '../a.js';\nexport const c = 1;",
  });
  rejects(/import cycle: self\.ts -> self\.ts/, { 'core/src/self.ts': "import { x } from './self.js';" });
});

test('rejects a package without a row in the table', () => {
  rejects(/packages\/novel: add a row to RULES/, { 'novel/src/a.ts': '' });
});

test('a subpath import (#name) must be declared in package.json', () => {
  rejects(/not declared in "imports" of package\.json/, { 'train/src/a.ts': "import { x } from '#files';" });
  const declared = { train: { imports: { '#files': './dist/files.js' } } };
  assert.deepEqual(check({ 'train/src/a.ts': "import { x } from '#files';" }, {}, declared), []);
});

test('ignores comments and strings', () => {
  const text = `
    // import { a } from '@unroll/a';
    /* import { b } from '@unroll/b';
       import '@unroll/c'; */
    const url = 'https://example.org//x'; const re = 1;
    import { d } from '@unroll/d'; // import { e } from '@unroll/e';
  `;
  assert.deepEqual(importsOf(text), [{ specifier: '@unroll/d', typeOnly: false, line: 6 }]);
});
