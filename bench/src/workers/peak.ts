/**
 * Measures the peak speed of the machine at each vector width, with independent multiply-adds of full vectors. This code
 * is compiled like the kernels, so no kernel can be faster. The peak is the fastest of many short runs.
 */

import { choiceFor, type KernelModule, listVariants, loadKernels } from '@unroll/kernels';
import { argument } from '#host';
import type { Peaks } from '../protocol.js';
import { serve } from './serve.js';

const REPETITIONS = 4;
// A run takes about a millisecond. This is so short that other processes do not interrupt every run.
const RUNS = 60;
const ITERATIONS = 2e5;

const modules = await Promise.all(listVariants().map((variant) => loadKernels(choiceFor(variant))));
/** The key of 128-bit vectors on this host. */
const simd128Key = argument as keyof Peaks;

/** Returns the key of a build's vector width. The 128-bit builds share one key: the fastest of them sets the peak. */
function widthKey({ variant }: KernelModule): keyof Peaks {
  return variant === 'avx512' || variant === 'avx2' ? variant : simd128Key;
}

/** Measures the peak of one build in GFLOP/s. */
function peakOf({ kernels, memory }: KernelModule): number {
  const out = memory.heapBase;
  memory.reserve(out + 64);
  let best = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    const flops = kernels.multiply_add_peak(ITERATIONS, out);
    best = Math.max(best, flops / (performance.now() - start) / 1e6);
  }
  return best;
}

serve({
  hello: () => ({ version: '', description: modules.map((module) => module.variant).join(', ') }),
  prepare: () => Promise.reject(new Error('This worker only measures the peak and cannot load rows.')),
  peak: () => {
    const peaks: Peaks = {};
    for (let i = 0; i < REPETITIONS; i++) {
      for (const module of modules) {
        const key = widthKey(module);
        peaks[key] = Math.max(peaks[key] ?? 0, peakOf(module));
      }
    }
    return peaks;
  },
});
