/**
 * `npm run bench`: how close the kernels come to what the machine can do. The peak is measured by independent
 * multiply-adds at the same vector width, in the same run; every figure is a ratio to it, never a time alone.
 *
 *   npm run bench -- [--backends native,native:avx2,wasm] [--rows lstm-128-128-32-100,...] [--json FILE]
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Backend, type BackendName, setBackend, setThreads } from '@unroll/core';
import type { KernelChoice } from '@unroll/kernels';
import { time } from './measure.js';
import { forwardFlops, javascriptShare, type Row, rowName, trainingFlops, workOf } from './rows.js';

const { values } = parseArgs({
  options: {
    backends: { type: 'string', default: 'native,native:avx2,wasm:single' },
    rows: { type: 'string', default: 'lstm-128-128-32-100,lstm-32-64-32-50' },
    json: { type: 'string' },
  },
});

interface PeakModule {
  kernels: { multiply_add_peak(iterations: number, out: number): number };
}

/** GFLOP/s of independent multiply-adds on one thread: the best of several runs, as a peak is a maximum. */
function measurePeak(backend: Backend): number {
  const { module } = backend as unknown as { module: PeakModule };
  const out = (backend.allocate(16) as unknown as { at: number }).at;
  let best = 0;
  for (let run = 0; run < 20; run++) {
    const start = performance.now();
    const flops = module.kernels.multiply_add_peak(2e6, out);
    best = Math.max(best, flops / (performance.now() - start) / 1e6);
  }
  return best;
}

function parseRow(name: string): Row {
  const [cell, ...sizes] = name.split('-');
  const [I, H, B, T] = sizes.map(Number);
  return { cell: cell as Row['cell'], I: I!, H: H!, B: B!, T: T! };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8);
const results: Record<string, unknown>[] = [];
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}, one thread\n`);
console.log(
  'backend                      row                     mode      ms     GFLOP/s   of peak   JavaScript',
);
for (const name of values.backends.split(',')) {
  const backend = await setBackend(name as BackendName);
  setThreads(1);
  const [kind, variant] = name.split(':');
  const choice: KernelChoice = kind === 'native' ? { kind, isa: variant } : { kind: 'wasm', threads: false };
  const peakBefore = measurePeak(backend);
  for (const row of values.rows.split(',').map(parseRow)) {
    const work = workOf(row);
    for (const mode of ['infer', 'train'] as const) {
      const { median, min, max } = await time(work[mode]);
      const flops = mode === 'infer' ? forwardFlops(row) : trainingFlops(row);
      const gflops = flops / median / 1e6;
      const peak = Math.max(peakBefore, measurePeak(backend));
      const script = mode === 'train' ? await javascriptShare(choice, row) : undefined;
      results.push({
        backend: backend.description,
        row: rowName(row),
        mode,
        median,
        min,
        max,
        gflops,
        peak,
        script,
      });
      console.log(
        `${backend.description.padEnd(28)} ${rowName(row).padEnd(22)} ${mode.padEnd(6)} ${median.toFixed(2).padStart(7)} ` +
          `${gflops.toFixed(1).padStart(10)}  ${percent(gflops / peak)}   ${script === undefined ? '' : percent(script)}`,
      );
    }
  }
  console.log(`${backend.description.padEnd(28)} peak of multiply-adds: ${peakBefore.toFixed(1)} GFLOP/s\n`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
