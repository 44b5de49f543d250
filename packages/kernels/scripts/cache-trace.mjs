// Counts how often the forward pass of an LSTM reads each cache line of its weights from the L2 cache or beyond, with and without
// dividing the weights into slices that fit the L1 cache (docs/decisions/052-l1-parts.md). Runs the AVX2 build under valgrind's
// lackey, because valgrind does not support AVX-512, and passes its trace of memory accesses to a model of an L1 data cache (48 kB,
// 12 ways, least recently used).
//
//   node packages/kernels/scripts/cache-trace.mjs          prints a Markdown table (bench/INNER-LOOPS.md)
//
// Needs valgrind and a C++ compiler; takes a minute or two.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ISAS } from './build-native.mjs';
import { cpp } from './common.mjs';

const H = 32;
/**
 * Batch size, and the number of rows of the weight matrix: I + H, input features plus hidden units (the depth of the matrix
 * product). With about a thousand of these rows, one panel of the AVX2 build (the packed weights of as many hidden units as fit in a
 * few SIMD registers) is larger than the L1 cache. With 1024 of them, the inputs of consecutive sequences of the batch are 4096
 * bytes apart and compete for a few sets of the cache.
 */
const SIZES = [
  [60, 1008],
  [60, 1024],
  [120, 1008],
];
const COMPILER = process.env.CXX ?? 'c++';
/** Source files of the kernels, without the extension. */
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

/** Runs one step of an LSTM twice. Misses are counted from the printed line BEGIN on, when the cache is warm. */
const PROGRAM = `
#include <stdlib.h>
#include <stdio.h>
#include "cells.h"
#include "pool.h"
using namespace unroll;
using namespace unroll::UNROLL_ISA;
static float* floats(const char* name, long n) {
  float* p = (float*)aligned_alloc(64, (n * 4 + 127) / 64 * 64);
  for (long i = 0; i < n; i++) p[i] = (float)(i % 7) * 0.01f;
  fprintf(stderr, "REGION %s %lx %lx\\n", name, (long)p, (long)(p + n));
  return p;
}
int main(int, char** arguments) {
  const int B = atoi(arguments[1]), H = ${H}, I = atoi(arguments[2]) - H, T = 1;
  pool_enter(pool_create(1, atoi(arguments[3])));
  float* packed = floats("weights", (long)packed_size(c_lstm, I, H, w_float32));
  packed[0] = w_float32;
  LstmForward f = {};
  f.T = T, f.B = B, f.I = I, f.H = H, f.act = a_tanh, f.ract = a_sigmoid, f.packed = packed;
  f.xh = floats("inputs", (T + 1l) * B * (I + H)), f.c = floats("states", B * H);
  f.y = floats("states", T * B * H), f.yT = B * H, f.yB = H;
  lstm_forward(f);
  fprintf(stderr, "BEGIN\\n");
  lstm_forward(f);
  fprintf(stderr, "END\\n");
}`;

/** The model of the cache. Reads the trace: " L address,size" for loads, " S" for stores, " M" for both. */
const CACHE = `
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
static const int sets = 64, ways = 12;
static long lines[sets][ways], age[sets][ways], now = 0;
static bool miss(long line) {
  long *l = lines[line % sets], *a = age[line % sets], oldest = 0;
  for (int w = 0; w < ways; w++) {
    if (l[w] == line) return a[w] = ++now, false;
    if (a[w] < a[oldest]) oldest = w;
  }
  return l[oldest] = line, a[oldest] = ++now, true;
}
struct Region { char name[16]; long first, last, misses; };
int main() {
  static Region regions[8];
  int count = 0;
  long other = 0;
  bool counting = false;
  char text[256];
  while (fgets(text, sizeof text, stdin)) {
    if (text[0] == 'I') continue;
    if (!strncmp(text, "BEGIN", 5)) counting = true;
    if (!strncmp(text, "END", 3)) break;
    Region& r = regions[count];
    if (sscanf(text, "REGION %15s %lx %lx", r.name, &r.first, &r.last) == 3) count++;
    if (text[0] != ' ') continue;
    char* comma;
    const long address = strtol(text + 3, &comma, 16), size = strtol(comma + 1, nullptr, 10);
    for (long line = address / 64; line <= (address + size - 1) / 64; line++) {
      if (!miss(line) || !counting) continue;
      int i = 0;
      while (i < count && !(line * 64 + 63 >= regions[i].first && line * 64 < regions[i].last)) i++;
      (i < count ? regions[i].misses : other)++;
    }
  }
  for (int i = 0; i < count; i++) printf("%s %ld\\n", regions[i].name, regions[i].misses);
  printf("other %ld\\n", other);
}`;

const run = (command, args) => {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error || status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
  return stdout;
};

/** Compiles a program and returns its path. */
const compile = (folder, name, text, ...args) => {
  const source = join(folder, `${name}.cpp`);
  writeFileSync(source, text);
  run(COMPILER, ['-std=c++20', '-O3', '-o', join(folder, name), source, ...args]);
  return join(folder, name);
};

const folder = mkdtempSync(join(tmpdir(), 'unroll-trace-'));
try {
  const sources = SOURCES.map((name) => join(cpp, `${name}.cpp`));
  const flags = [...ISAS.x64.avx2, '-pthread', '-ffp-contract=off', '-DUNROLL_ISA=avx2', `-I${cpp}`];
  const program = compile(folder, 'step', PROGRAM, ...flags, ...sources);
  const cache = compile(folder, 'cache', CACHE);
  console.log(
    '| batch size | rows of the weight matrix | slice_bytes | reads of each weight from L2 | reads of each input from L2 |',
  );
  console.log('| ---: | ---: | ---: | ---: | ---: |');
  for (const [batch, depth] of SIZES)
    for (const sliceBytes of [0, 16384, 24576]) {
      const valgrind = 'valgrind --tool=lackey --trace-mem=yes --log-fd=2';
      const command = `${valgrind} ${program} ${batch} ${depth} ${sliceBytes} 2>&1 >/dev/null | ${cache}`;
      const found = run('sh', ['-c', command])
        .trim()
        .split('\n')
        .map((line) => line.split(' '));
      const times = (region, lines) => {
        const [, misses] = found.find(([name]) => name === region);
        return (Number(misses) / lines).toFixed(2);
      };
      // A step reads one of the two entries of `xh`. A cache line has 16 numbers.
      const [weights, inputs] = [
        times('weights', (depth * 4 * H) / 16),
        times('inputs', (batch * depth) / 16),
      ];
      console.log(`| ${batch} | ${depth} | ${sliceBytes} | ${weights} | ${inputs} |`);
    }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
