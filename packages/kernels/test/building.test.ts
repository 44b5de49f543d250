// If there is no C++ compiler or it fails, the build reports this and exits with 0, and Unroll runs on WebAssembly.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const kernels = fileURLToPath(new URL('..', import.meta.url));
let copy = '';

const node = (args: string[], env: Record<string, string>) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      args,
      { env: { ...process.env, UNROLL_REQUIRE_NATIVE: '', ...env } },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });

describe('a build without native kernels', {
  skip: process.platform === 'win32' ? 'there is no native build on Windows' : false,
}, () => {
  before(async () => {
    // A copy of the package, so that the real build stays as it is.
    const root = await mkdtemp(join(tmpdir(), 'unroll-build-'));
    copy = join(root, 'packages/kernels');
    for (const part of ['cpp', 'scripts', 'dist', 'package.json']) {
      await cp(join(kernels, part), join(copy, part), { recursive: true });
    }
    // Copy the package of this platform too, and link it as npm does.
    const platform = `kernels-${process.platform}-${process.arch}`;
    if (existsSync(join(kernels, '..', platform))) {
      await cp(join(kernels, '..', platform), join(copy, '..', platform), { recursive: true });
      await mkdir(join(root, 'node_modules/@unroll'), { recursive: true });
      await symlink(join(copy, '..', platform), join(root, 'node_modules/@unroll', platform));
    }
    await mkdir(join(root, 'node_modules'), { recursive: true });
    await symlink(
      join(kernels, '../../node_modules/node-api-headers'),
      join(root, 'node_modules/node-api-headers'),
    );
  });
  after(() => rm(join(copy, '../..'), { recursive: true, force: true }));

  const build = (env: Record<string, string>) => node([join(copy, 'scripts/build-native.mjs')], env);
  const load = () => {
    const entry = pathToFileURL(join(copy, 'dist/node.js')).href;
    const script = `import { loadKernelsSync } from ${JSON.stringify(entry)};
      const { kind, fallback } = loadKernelsSync();
      console.log(kind, fallback?.code);
      try { loadKernelsSync({ kind: 'native' }) } catch (error) { console.log(error.message) }`;
    return node(['--input-type=module', '-e', script], {});
  };

  test('without a compiler, the build says so in one line and exits with 0, and WebAssembly is loaded', async () => {
    const { code, stdout } = await build({ PATH: '/nonexistent', CXX: '' });
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^no C\+\+ compiler found: Unroll will run on WebAssembly; .* install g\+\+ or clang\+\+.*\n$/,
    );
    const { stdout: loaded } = await load();
    assert.match(loaded, /^wasm native-missing\nthere are no native kernels .*install g\+\+ or clang\+\+/);
  });
  test('if the compiler fails, the build prints its error, names WebAssembly as fallback, and exits with 0', async () => {
    // A fake compiler that can only print its version, so that the test needs no real one.
    const fake = join(copy, 'fake-compiler.mjs');
    await writeFile(
      fake,
      `if (process.argv.includes('--version')) console.log('fake 1.0');
      else { console.error('addon.cpp:1: error: this is beyond me'); process.exit(1); }`,
    );
    const { code, stdout } = await build({ CXX: `${process.execPath} ${fake}` });
    assert.equal(code, 0);
    assert.match(stdout, /error: this is beyond me/);
    assert.match(stdout, /the C\+\+ compiler failed: Unroll will run on WebAssembly/);
    assert.ok(stdout.split('\n').length < 20, stdout);
  });
  test('if native kernels are required, the build exits with 1; if CXX does not run, the message names CXX', async () => {
    assert.equal((await build({ PATH: '/nonexistent', CXX: '', UNROLL_REQUIRE_NATIVE: '1' })).code, 1);
    assert.match(
      (await build({ CXX: '/nonexistent/c++' })).stdout,
      /^CXX=\/nonexistent\/c\+\+ does not run: /,
    );
  });
});
