// Counts the cache misses of the forward pass of an LSTM with and without parts of k (docs/decisions/052-l1-parts.md), with
// cachegrind on the AVX2 build, because valgrind does not support AVX-512. It simulates the caches of an Intel server: 48 kB
// L1, 2 MB L2.
//
//   node packages/kernels/scripts/cache-trace.mjs          needs valgrind and a C++ compiler; takes a minute
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpp } from './common.mjs';

const [B, H, T] = [60, 512, 1];
const SOURCES = [
  'tile',
  'cells',
  'lstm',
  'rnn',
  'gru',
  'gru_before',
  'pack',
  'memory',
  'elementwise',
  'parallel',
];
const PROGRAM = `
#include <stdlib.h>
#include <stdio.h>
#include "cells.h"
#include "pool.h"
using namespace unroll;
using namespace unroll::UNROLL_ISA;
static float* floats(long n) {
  float* p = (float*)aligned_alloc(64, (n * 4 + 127) / 64 * 64);
  for (long i = 0; i < n; i++) p[i] = (float)(i % 7) * 0.01f;
  return p;
}
int main(int count, char** arguments) {
  const int B = ${B}, H = ${H}, T = ${T}, runs = atoi(arguments[2]);
  pool_enter(pool_create(1, atoi(arguments[1])));
  float* packed = floats(packed_size(c_lstm, H, H, w_float32));
  packed[0] = 0;
  LstmForward f = {};
  f.T = T, f.B = B, f.I = H, f.H = H, f.act = a_tanh, f.ract = a_sigmoid, f.packed = packed;
  f.xh = floats((T + 1l) * B * 2 * H), f.c = floats(B * H), f.y = floats(T * B * H), f.yT = B * H, f.yB = H;
  for (int i = 0; i < runs; i++) lstm_forward(f);
  printf("%.0f\\n", packed_size(c_lstm, H, H, w_float32));
}`;

const run = (command, args) => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
  return { stdout, stderr };
};

const folder = mkdtempSync(join(tmpdir(), 'unroll-trace-'));
try {
  const main = join(folder, 'main.cpp');
  const program = join(folder, 'main');
  writeFileSync(main, PROGRAM);
  const flags = [
    '-std=c++20',
    '-O3',
    '-pthread',
    '-mavx2',
    '-mfma',
    '-mf16c',
    '-DUNROLL_ISA=avx2',
    `-I${cpp}`,
  ];
  run(process.env.CXX ?? 'c++', [
    ...flags,
    '-o',
    program,
    main,
    ...SOURCES.map((name) => join(cpp, `${name}.cpp`)),
  ]);
  /** Returns the L1 read misses of one forward pass: the misses of two passes minus those of one. */
  const misses = (panelBytes) => {
    const missesOf = (runs) => {
      const caches = ['--I1=32768,8,64', '--D1=49152,12,64', '--LL=2097152,16,64'];
      const args = ['--tool=cachegrind', '--cache-sim=yes', ...caches, '--cachegrind-out-file=/dev/null'];
      const { stderr } = run('valgrind', [...args, program, String(panelBytes), String(runs)]);
      return Number(/D1\s+misses:\s+[\d,]+\s+\(\s*([\d,]+) rd/.exec(stderr)[1].replaceAll(',', ''));
    };
    return missesOf(2) - missesOf(1);
  };
  const lines = (2 * H * 4 * H * 4) / 64;
  console.log(
    `One step of an LSTM, ${H} inputs and units, ${B} rows, AVX2: the weights are ${lines} cache lines.`,
  );
  for (const panelBytes of [0, 24576]) {
    const missCount = misses(panelBytes);
    console.log(
      `panel_bytes ${panelBytes}: ${missCount} lines read from L2 or beyond, ${(missCount / lines).toFixed(2)} times the weights`,
    );
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
