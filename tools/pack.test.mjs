// What `npm install unrolljs` brings: the packages as npm packs them, unpacked into an empty project, give the library and
// the command. What a package forgets to list among its files is missing here.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'unroll-pack-'));
const modules = join(folder, 'node_modules');
after(() => rmSync(folder, { recursive: true }));

const manifestOf = (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
const run = (...args) => execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });

/** Packs a package and all that it depends on; packages that are not ours are taken from where they are installed. */
const install = (name) => {
  const target = join(modules, name);
  if (name !== 'unrolljs' && !name.startsWith('@unroll/')) {
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), target);
    return;
  }
  const own = name.replace('@unroll/', '');
  const options = ['--ignore-scripts', '--silent', '--pack-destination', folder, '--workspace', name];
  execFileSync('npm', ['pack', ...options], {
    cwd: root,
    stdio: 'pipe',
    shell: process.platform === 'win32',
  });
  const file = readdirSync(folder).find((each) =>
    each.startsWith(`${name.replace('@', '').replace('/', '-')}-`),
  );
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['xzf', join(folder, file), '--strip-components=1', '-C', target]);
  for (const dependency of Object.keys(manifestOf(own).dependencies ?? {})) {
    if (!existsSync(join(modules, dependency))) install(dependency);
  }
};

before(() => {
  mkdirSync(modules);
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  install('unrolljs');
});

test('the library is there', () => {
  writeFileSync(join(folder, 'a.js'), "import { lstm } from 'unrolljs'; console.log(typeof lstm);");
  assert.equal(run('a.js'), 'function\n');
});

test('Node reads few files, and every class is there once', () => {
  writeFileSync(
    join(folder, 'b.js'),
    `import { Layer, Tensor, UnrollError } from 'unrolljs';
    import * as infer from 'unrolljs/infer';
    import * as core from '@unroll/core';
    import { Layer as own } from '@unroll/nn';
    import 'unrolljs/forecast';
    import 'unrolljs/node';
    console.log([infer.Layer === Layer, own === Layer, infer.Tensor === Tensor, core.UnrollError === UnrollError].join());`,
  );
  writeFileSync(
    join(folder, 'count.mjs'),
    `import { register } from 'node:module';
    const hooks = 'export const load = (url, context, next) => (url.startsWith("file:") && console.log(url), next(url, context));';
    register('data:text/javascript,' + encodeURIComponent(hooks));`,
  );
  assert.equal(run('b.js'), 'true,true,true,true\n');
  writeFileSync(join(folder, 'c.js'), "import 'unrolljs/infer';");
  const files = run('--import', './count.mjs', 'c.js').trim().split('\n');
  assert.ok(
    files.some((file) => file.endsWith('nn/dist/index.bundle.js')),
    files.join('\n'),
  );
  assert.ok(files.length < 20, files.join('\n'));
});

test('the command is there, and forecasts', () => {
  const command = join(modules, 'unrolljs', manifestOf('unrolljs').bin.unroll);
  assert.match(run(command, '--help'), /^Usage: unroll <verb>/);
  const data = join(modules, '@unroll/cli/data/air-passengers.csv');
  const options = [
    '--target',
    'passengers',
    '--horizon',
    '12',
    '--epochs',
    '1',
    '--units',
    '4',
    '--windows',
    '1',
  ];
  run(command, 'forecast', data, ...options, '--out', 'out');
  assert.match(readFileSync(join(folder, 'out/forecast.csv'), 'utf8'), /\n1961-12,/);
});
