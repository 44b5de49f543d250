// Estimates the speed of the inner loops of the tiles (cpp/tile.cpp) on several processors, not only the one of this
// machine: compiles them with the local C++ compiler, and computes the cycles of each loop with llvm-mca. The tables show
// the share of the peak speed that each loop reaches. llvm-mca does not model caches, so this share is only reached while
// the operands are in the L1 cache (docs/decisions/052-l1-parts.md).
//
//   node packages/kernels/scripts/inner-loops.mjs              prints Markdown tables (bench/INNER-LOOPS.md)
//   node packages/kernels/scripts/inner-loops.mjs --measure    times the same loops on this machine, with operands in L1
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
/**
 * `two units`: LLVM's models of Intel servers start one 512-bit multiply-add per cycle, but these servers start two. The
 * models start two 256-bit ones, so the same loop with 256-bit registers shows whether the other instructions keep up with
 * two multiply-adds per cycle.
 */
const TWO_UNITS = ', two units';
const PROCESSORS = {
  avx512: [
    `sapphirerapids${TWO_UNITS}`,
    `icelake-server${TWO_UNITS}`,
    'sapphirerapids',
    'icelake-server',
    'znver4',
  ],
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
    const [, m, nv, panels, prefetch, weight] =
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
      const body = lines.slice(start + 1, i + 1).filter((instruction) => /^\s+[a-z]/.test(instruction));
      if (body.slice(0, -1).some((instruction) => /^\s+(j|ret)/.test(instruction))) continue; // not an inner loop
      const products = body.filter((instruction) => /vfmadd/.test(instruction)).length;
      // AVX2 repeats the body of the loop over k. The copy in front of the loop, for an odd k, contains no branch.
      if (products === m * nv * panels || products === 2 * m * nv * panels)
        loops.push({ m: +m, nv: +nv, panels: +panels, prefetch: prefetch === '1', weight, products, body });
    }
  }
  return loops;
};

const cyclesOf = (name, lines, folder) => {
  const file = join(folder, 'loop.s');
  const processor = name.replace(TWO_UNITS, '');
  const body = name === processor ? lines : lines.map((line) => line.replaceAll('%zmm', '%ymm'));
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

/** Returns the cycles per multiply-add without loads, from a loop of 24 (AVX2: 12) independent multiply-adds on registers. */
const bareCyclesOf = (processor, build, folder) => {
  const name = build === 'avx512' ? 'zmm' : 'ymm';
  const count = build === 'avx512' ? 24 : 12;
  const body = Array.from(
    { length: count },
    (_, i) => `\tvfmadd231ps\t%${name}14, %${name}15, %${name}${i < 14 ? i : i + 2}`,
  );
  return cyclesOf(processor, [...body, '\tsubq\t$1, %rax', '\tjne\t.L0'], folder) / count;
};

/** Compiles tile.cpp with a program that times its tiles, and runs it: prints the share of the peak for each shape. */
const measure = (build, folder) => {
  const main = join(folder, 'main.cpp');
  const program = join(folder, `main-${build}`);
  writeFileSync(main, PROGRAM);
  const flags = [
    ...COMMON.filter((flag) => flag !== '-c'),
    ...ISAS.x64[build],
    `-DUNROLL_ISA=${build}`,
    `-I${cpp}`,
  ];
  const sources = ['tile', 'parallel', 'machine'].map((name) => join(cpp, `${name}.cpp`));
  run(COMPILER, [...flags, '-o', program, main, ...sources]);
  console.log(`| ${build}: rows x vectors | measured |\n| --- | ---: |\n${run(program, []).stdout}`);
};

const PROGRAM = `
#include <stdio.h>
#include <time.h>
#include "tile.h"
#include "kernels_impl.h"
using namespace unroll::UNROLL_ISA;
static double now() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
alignas(64) static float a[8 * 128], b[128 * 4 * VL], out[8 * 8 * VL];
// The best of many short runs of body, in operations per second.
template <class Body> static double best(const Body& body) {
  double most = 0;
  for (int i = 0; i < 300; i++) {
    const double start = now(), operations = body(), speed = operations / (now() - start);
    if (speed > most) most = speed;
  }
  return most;
}
int main() {
  const int nv = panel_vectors, K = 96;
  float x = 0;
  const double peak = best([&] { return multiply_add_peak(20000, &x); });
  for (int m = most_rows(nv); m > 1; m--)
    for (int packed = 0; packed < 2; packed++) {
      const Tile t = {K, a, packed ? 0 : K, b, nv * VL, 0, nullptr, 0, out, nv * VL};
      const double speed = best([&] {
        for (int i = 0; i < 2000; i++) tile(m, nv, 1, t);
        return 2.0 * 2000 * m * nv * VL * K;
      });
      printf("| %d x %d, a %s | %.0f %% |\\n", m, nv, packed ? "packed" : "in rows", 100 * speed / peak);
    }
}`;

/** Prints the share of the peak that each loop reaches according to llvm-mca. */
const estimate = (folder) => {
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
    const bare = Object.fromEntries(
      processors.map((processor) => [processor, bareCyclesOf(processor, build, folder)]),
    );
    console.log(`| ${build}: rows x vectors | ${processors.join(' | ')} |`);
    console.log(`| --- | ${processors.map(() => '---:').join(' | ')} |`);
    const widest = build === 'avx512' ? 4 : 2;
    const shown = new Set();
    for (const loop of loopsOf(readFileSync(file, 'utf8'))) {
      const { m, nv, panels, prefetch, weight, products, body } = loop;
      if (weight !== 'f' || products < 8 || nv !== widest) continue;
      const layout = body.some((line) => /vbroadcastss|\{1to/.test(line) && /\(%r\w+,%r\w+/.test(line))
        ? 'in rows'
        : 'packed';
      const name = `${m} x ${nv * panels}${prefetch ? ', prefetching' : ''}, a ${layout}`;
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
};

const folder = mkdtempSync(join(tmpdir(), 'unroll-loops-'));
try {
  if (process.argv.includes('--measure')) for (const build of Object.keys(PROCESSORS)) measure(build, folder);
  else estimate(folder);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
