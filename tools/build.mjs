// Builds the repository; `npm install` runs this script. Prints one line per stage. Requires only Node and the packages
// in package.json, and no network. Without a C++ compiler, the native stage is skipped and Unroll runs on WebAssembly.
import { fileURLToPath } from 'node:url';
import { buildNative } from '../packages/kernels/scripts/build-native.mjs';
import { buildWasm } from '../packages/kernels/scripts/build-wasm.mjs';
import { generate } from '../packages/kernels/scripts/generate.mjs';
import { bundle } from './bundle.mjs';
import { buildStudio } from './studio.mjs';
import { compileTypeScript } from './tsc.mjs';

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

const native = async () => {
  const { line, failed } = await buildNative();
  if (failed && process.env.UNROLL_REQUIRE_NATIVE === '1') {
    throw new Error(`${line}\nUNROLL_REQUIRE_NATIVE=1 makes a failed native build an error.`);
  }
  return line;
};

/** Builds everything that is out of date. Resolves to true if every stage succeeded. */
export const build = async () => {
  const results = [
    await stage('generate', async () => `${generate().kernels.length} kernels`),
    await stage('wasm', buildWasm),
    await stage('native', native),
    await stage('typescript', async () => compileTypeScript()),
    await stage('bundle', bundle),
    await stage('studio', buildStudio),
  ];
  return !results.includes(false);
};

if (process.argv[1] === fileURLToPath(import.meta.url) && !(await build())) process.exitCode = 1;
