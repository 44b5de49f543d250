// Estimates the speed of the inner loops of the tiles (cpp/tile.cpp) on several processors, whatever this machine has:
// compiles them with the local C++ compiler, and computes the cycles of each loop with llvm-mca. llvm-mca does not model
// caches, so a loop at 100 % runs at that speed only while its operands are in the L1 cache
// (docs/decisions/052-l1-parts.md).
//
//   node packages/kernels/scripts/inner-loops.mjs          prints Markdown tables (bench/INNER-LOOPS.md)
//
// Needs llvm-mca 19 or newer (Debian: llvm-19). The default command is llvm-mca-19; LLVM_MCA sets another. Older versions do
// not know znver4 and use the model of another processor with a warning, so the script fails on any warning.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMON, ISAS } from './build-native.mjs';
import { cpp } from './common.mjs';

const MCA = process.env.LLVM_MCA ?? 'llvm-mca-19';
const COMPILER = process.env.CXX ?? 'c++';
const PROCESSORS = {
  avx512: ['sapphirerapids', 'icelake-server', 'znver4'],
  avx2: ['sapphirerapids', 'icelake-server', 'znver4', 'haswell'],
};
const ITERATIONS = 200;

const run = (command, args) => {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (error) throw new Error(`${command} could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stderr}`);
  return { stdout, stderr };
};

/** Finds the inner loops of all tiles in the assembly. weight: f (float32) or t (float16); body: the instructions. */
const loopsOf = (assembly) => {
  const loops = [];
  const functions = assembly.split(/^(?=_ZN\w+:)/m);
  for (const text of functions) {
    const [, name] = /^(_ZN\w+):/.exec(text) ?? [];
    const [, m, nv, panels, fetch, weight] =
      /runILi(\d+)ELi(\d+)ELi(\d+)ELb([01])E([ft])E/.exec(name ?? '') ?? [];
    if (m === undefined) continue;
    const lines = text.split('\n');
    const labels = new Map();
    for (const [i, line] of lines.entries()) {
      const [, label] = /^(\.L\w+):/.exec(line) ?? [];
      if (label) labels.set(label, i);
      const [, target] = /^\s+j\w+\s+(\.L\w+)/.exec(line) ?? [];
      const start = labels.get(target);
      if (start === undefined) continue;
      const body = lines.slice(start + 1, i + 1).filter((one) => /^\s+[a-z]/.test(one));
      const products = body.filter((one) => /vfmadd/.test(one)).length;
      if (products === m * nv * panels)
        loops.push({ m: +m, nv: +nv, panels: +panels, fetch: fetch === '1', weight, products, body });
    }
  }
  return loops;
};

const cyclesOf = (processor, body, folder) => {
  const file = join(folder, 'loop.s');
  writeFileSync(
    file,
    `${body.map((line) => line.replace(/(\sj\w+\s+)\.L\w+/, '$1.Lstart')).join('\n')}\n`.replace(
      /^/,
      '.Lstart:\n',
    ),
  );
  const args = [`-mcpu=${processor}`, '-mtriple=x86_64', `-iterations=${ITERATIONS}`, file];
  const { stdout, stderr } = run(MCA, args);
  if (/warning/i.test(stderr)) throw new Error(`${MCA} warns: ${stderr}`);
  return Number(/Total Cycles:\s+(\d+)/.exec(stdout)[1]) / ITERATIONS;
};

/** Returns the cycles of one multiply-add without loads: a loop of 24 (AVX2: 12) independent ones in registers. */
const bareCyclesOf = (processor, build, folder) => {
  const name = build === 'avx512' ? 'zmm' : 'ymm';
  const count = build === 'avx512' ? 24 : 12;
  const body = Array.from(
    { length: count },
    (_, i) => `\tvfmadd231ps\t%${name}14, %${name}15, %${name}${i < 14 ? i : i + 2}`,
  );
  return cyclesOf(processor, [...body, '\tsubq\t$1, %rax', '\tjne\t.L0'], folder) / count;
};

const folder = mkdtempSync(join(tmpdir(), 'unroll-loops-'));
try {
  const version = Number(/version (\d+)/.exec(run(MCA, ['--version']).stdout)?.[1]);
  if (!(version >= 19))
    throw new Error(`${MCA} must be version 19 or newer, got ${version}; install llvm-19 or set LLVM_MCA`);
  const compiler = run(COMPILER, ['--version']).stdout.split('\n')[0];
  console.log(
    `llvm-mca ${version}, ${compiler}. 100 %: the speed of multiply-adds without loads in the same model.\n`,
  );
  for (const build of Object.keys(PROCESSORS)) {
    const file = join(folder, `${build}.s`);
    run(COMPILER, [
      ...COMMON.filter((flag) => flag !== '-c'),
      ...ISAS.x64[build],
      `-DUNROLL_ISA=${build}`,
      `-I${cpp}`,
      '-S',
      '-o',
      file,
      join(cpp, 'tile.cpp'),
    ]);
    const processors = PROCESSORS[build];
    const bare = Object.fromEntries(processors.map((one) => [one, bareCyclesOf(one, build, folder)]));
    console.log(`| ${build}: rows x vectors | ${processors.join(' | ')} |`);
    console.log(`| --- | ${processors.map(() => '---:').join(' | ')} |`);
    const widest = build === 'avx512' ? 4 : 2;
    const shown = new Set();
    for (const loop of loopsOf(readFileSync(file, 'utf8'))) {
      const { m, nv, panels, fetch, weight, products, body } = loop;
      if (weight !== 'f' || products < 8 || nv !== widest) continue;
      const packed = body.some((line) => /vbroadcastss|\{1to/.test(line) && /\(%r\w+,%r\w+/.test(line))
        ? 'rows'
        : 'packed';
      const name = `${m} x ${nv * panels}${fetch ? ', prefetching' : ''}, a ${packed === 'rows' ? 'in rows' : 'packed'}`;
      if (shown.has(name)) continue;
      shown.add(name);
      const shares = processors.map((processor) => {
        const least = products * bare[processor];
        return `${((100 * least) / cyclesOf(processor, body, folder)).toFixed(0)} %`;
      });
      console.log(`| ${name} | ${shares.join(' | ')} |`);
    }
    console.log();
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
