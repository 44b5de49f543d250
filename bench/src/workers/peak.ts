/**
 * The peak's process: independent multiply-adds in full vectors, nothing else, at every width that this
 * machine has. The kernels' own compiler makes them, so no kernel can have more; a peak is a maximum, so the
 * best of many short runs counts.
 */

import { choiceFor, type KernelModule, listVariants, loadKernels } from '@unroll/kernels';
import { argument } from '#host';
import type { Peaks } from '../protocol.js';
import { serve } from './serve.js';

const PASSES = 4;
// A run lasts about a millisecond: short enough that some are disturbed by nobody.
const RUNS = 60;
const ITERATIONS = 2e5;

const modules = await Promise.all(listVariants().map((variant) => loadKernels(choiceFor(variant))));
/** The place's key of 128 bits. */
const narrow = argument as keyof Peaks;

/** Which width a build has. The 128-bit ones differ in whether they fuse; the best of them is the peak. */
function width({ variant }: KernelModule): keyof Peaks {
  return variant === 'avx512' || variant === 'avx2' ? variant : narrow;
}

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
  prepare: () => Promise.reject(new Error('the peak has no rows')),
  peak: () => {
    const peaks: Peaks = {};
    for (let pass = 0; pass < PASSES; pass++) {
      for (const module of modules) {
        const name = width(module);
        peaks[name] = Math.max(peaks[name] ?? 0, peakOf(module));
      }
    }
    return peaks;
  },
});
