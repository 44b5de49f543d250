// Builds the kernels as a Node-API addon, unroll.node, with the C++ compiler of this machine. The math is compiled once per
// instruction set, which is chosen at load time. The addon is written to the package of this platform if there is one
// (packages/kernels-linux-x64), otherwise to dist. If there is no compiler or it fails, Unroll runs on WebAssembly; the script
// then prints why and exits with 0, or with 1 if UNROLL_REQUIRE_NATIVE=1. CXX and CXXFLAGS are respected.
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  cache,
  cpp,
  dist,
  eachParallel,
  hash,
  headersOf,
  isCurrent,
  prune,
  readSources,
  removeOutput,
  root,
  run,
  setCurrent,
} from './common.mjs';

/** The package of this platform. It needs glibc, so systems with musl do not use it. */
const platformPackage = join(root, `../kernels-${process.platform}-${process.arch}`);
const hasPackage = () =>
  existsSync(platformPackage) && Boolean(process.report.getReport().header.glibcVersionRuntime);
const local = join(dist, 'unroll.node');
const output = hasPackage() ? join(platformPackage, 'unroll.node') : local;

export const COMMON = [
  ...['-std=c++20', '-O3', '-fPIC', '-pthread', '-ffp-contract=off', '-fno-math-errno'],
  ...['-fvisibility=hidden', '-fvisibility-inlines-hidden', '-Wall', '-c'],
];
export const ISAS = {
  x64: {
    baseline: ['-march=x86-64'],
    avx2: ['-march=x86-64', '-mavx2', '-mfma', '-mf16c'],
    avx512: [
      ...[
        '-march=x86-64',
        '-mavx2',
        '-mfma',
        '-mf16c',
        '-mavx512f',
        '-mavx512bw',
        '-mavx512dq',
        '-mavx512vl',
      ],
      '-mprefer-vector-width=512',
    ],
  },
  arm64: { neon: [] },
};
// Files without math: compiled once, for all instruction sets.
const SHARED = ['parallel.cpp', 'pool_check.cpp', 'addon.cpp'];
const ONLY_WASM = ['wasm.cpp'];

const findCompiler = async () => {
  const wanted = process.env.CXX?.trim();
  for (const candidate of wanted ? [wanted] : ['c++', 'g++', 'clang++']) {
    const [command, ...prefix] = candidate.split(/\s+/);
    const { code, output: text } = await run(command, [...prefix, '--version']);
    if (code === 0) return { command, prefix, version: text.split('\n')[0].trim() };
  }
  return undefined;
};

const fallback = (why, remedy = 'install g++ or clang++') =>
  `${why}: Unroll will run on WebAssembly; for native kernels ${remedy} and run \`npm run build\``;

const compile = async (compiler, args) => {
  const { code, output: text } = await run(compiler.command, [...compiler.prefix, ...args]);
  if (code === 0) {
    if (text.trim()) process.stderr.write(text);
    return;
  }
  const lines = text.trim().split('\n');
  const errors = lines.filter((line) => /error|undefined/i.test(line));
  const shown = (errors.length ? errors : lines).slice(0, 10);
  throw new Error(`${[compiler.command, ...args].join(' ')}\n${shown.join('\n')}`);
};

/** Builds what is out of date. Returns { line, failed }, where line is a message; does not throw if there is no compiler. */
export const buildNative = async () => {
  const isas = process.platform === 'win32' ? undefined : ISAS[process.arch];
  if (!isas) {
    return {
      line: `no native kernels for ${process.platform}-${process.arch}: Unroll will run on WebAssembly`,
      failed: true,
    };
  }
  if (output !== local) removeOutput(local); // an older build would be loaded if the file in the package is missing
  const compiler = await findCompiler();
  if (!compiler) {
    removeOutput(output);
    return {
      line: process.env.CXX
        ? fallback(`CXX=${process.env.CXX} does not run`, 'set CXX to a C++ compiler')
        : fallback('no C++ compiler found'),
      failed: true,
    };
  }
  let include;
  try {
    include = createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    removeOutput(output);
    return {
      line: fallback(
        'node-api-headers is not installed',
        'install the development dependencies (`npm install --include=dev`)',
      ),
      failed: true,
    };
  }

  const { headers, units } = readSources();
  const extra = (process.env.CXXFLAGS ?? '').split(/\s+/).filter(Boolean);
  const objects = new Map();
  const add = (unit, isa, flags) => {
    const text = units[unit] ?? readFileSync(join(cpp, unit), 'utf8');
    const all = [...COMMON, ...flags, ...extra, `-I${cpp}`, `-I${include}`];
    const key = hash(compiler.version, all, headersOf(text, headers), unit, text);
    const name = `${unit.replace('.cpp', '')}-${isa}-${key}.o`;
    objects.set(name, { name, path: join(cache, 'native', name), args: [...all, join(cpp, unit)] });
  };
  for (const unit of SHARED) add(unit, 'shared', isas.baseline ?? []);
  for (const [isa, flags] of Object.entries(isas)) {
    for (const unit of Object.keys(units)) {
      if (!SHARED.includes(unit) && !ONLY_WASM.includes(unit))
        add(unit, isa, [`-DUNROLL_ISA=${isa}`, ...flags]);
    }
  }
  const key = hash([...objects.keys()], extra);
  const what = `${compiler.version}, ${Object.keys(isas).join(' ')}`;
  if (isCurrent(output, key)) return { line: 'up to date', failed: false };

  const missing = [...objects.values()].filter(({ path }) => !existsSync(path));
  try {
    mkdirSync(join(cache, 'native'), { recursive: true });
    mkdirSync(dist, { recursive: true });
    await eachParallel(missing, availableParallelism(), async ({ path, args }) => {
      const draft = `${path}.${process.pid}.draft`;
      await compile(compiler, [...args, '-o', draft]);
      renameSync(draft, path);
    });
    const parts = [...objects.values()].map(({ path }) => path);
    const draft = `${output}.${process.pid}.draft`;
    if (process.platform === 'darwin') {
      await compile(compiler, ['-bundle', '-undefined', 'dynamic_lookup', '-o', draft, ...parts]);
    } else {
      const link = ['-shared', '-pthread', '-Wl,-s', '-Wl,--exclude-libs,ALL', '-o', draft, ...parts];
      // With a static C++ runtime, the addon also runs on systems with an older runtime. Not every system has the static
      // runtime.
      await compile(compiler, ['-static-libstdc++', '-static-libgcc', ...link]).catch(() =>
        compile(compiler, link),
      );
    }
    renameSync(draft, output);
    setCurrent(output, key);
    prune(join(cache, 'native'), objects);
    return { line: `unroll.node (${what}; ${missing.length} compiled)`, failed: false };
  } catch (error) {
    removeOutput(output); // an older build would not have the same kernels
    const advice = fallback('the C++ compiler failed', 'fix the error above or set CXX to another compiler');
    return { line: `${error.message}\n${advice}`, failed: true };
  }
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { line, failed } = await buildNative();
  console.log(line);
  if (failed && process.env.UNROLL_REQUIRE_NATIVE === '1') process.exitCode = 1;
}
