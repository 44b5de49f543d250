// Builds the repository: `npm install` runs this. One line a stage. Nothing is fetched, and nothing beyond Node and the
// packages of package.json is needed: without a C++ compiler the native stage says so and Unroll runs on WebAssembly.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative } from '../packages/kernels/scripts/build-native.mjs';
import { buildWasm } from '../packages/kernels/scripts/build-wasm.mjs';
import { generate } from '../packages/kernels/scripts/generate.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const stage = async (name, work) => {
  const start = performance.now();
  let line;
  let ok = true;
  try {
    line = await work();
  } catch (error) {
    line = `failed\n${error.message}`;
    ok = false;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${name.padEnd(10)} ${`${seconds}s`.padStart(6)}  ${line}`);
  return ok;
};

/** The compiler's command line is plain JavaScript; it is run with this Node. */
const compileTypeScript = () => {
  const require = createRequire(import.meta.url);
  let manifest;
  try {
    manifest = require.resolve('typescript/package.json');
  } catch {
    throw new Error('typescript is missing: run `npm install` with its dev dependencies');
  }
  const tsc = join(dirname(manifest), 'bin/tsc');
  const { status, error } = spawnSync(process.execPath, [existsSync(tsc) ? tsc : `${tsc}.js`, '-b'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) throw error;
  if (status !== 0) throw new Error('tsc found the errors above');
  return `tsc ${require('typescript/package.json').version}`;
};

const native = async () => {
  const { line, failed } = await buildNative();
  if (failed && process.env.UNROLL_REQUIRE_NATIVE === '1') {
    throw new Error(`${line}\nUNROLL_REQUIRE_NATIVE=1 asks for native kernels`);
  }
  return line;
};

const results = [
  await stage('generate', async () => `${generate().kernels.length} kernels`),
  await stage('wasm', buildWasm),
  await stage('native', native),
  await stage('typescript', async () => compileTypeScript()),
];
if (results.includes(false)) process.exitCode = 1;
