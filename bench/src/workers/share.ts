/**
 * The share of a training step that JavaScript takes: everything that is not inside a kernel call. It runs on
 * kernels of its own with a clock around each call; the clock is charged to JavaScript, so the figure errs on
 * the high side.
 */
import { currentBackend, setBackend, setThreads, tensor } from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { type KernelChoice, loadKernelsSync } from '@unroll/kernels';
import { makeData } from '../data.js';
import { parseRow } from '../rows.js';
import { buildModel, trainingStep } from './unroll-model.js';

/** The row it is measured at. */
const ROW = parseRow('lstm-32-64-32-50');
const MILLISECONDS = 1000;

/** On one thread, for kernels of the given kind. */
export async function javascriptShare(choice: KernelChoice): Promise<number> {
  const module = loadKernelsSync(choice);
  let inside = 0;
  const clocked = Object.entries(module.kernels).map(([name, kernel]) => [
    name,
    (...args: number[]): number => {
      const start = performance.now();
      const result = (kernel as (...args: number[]) => number)(...args);
      inside += performance.now() - start;
      return result;
    },
  ]);
  const before = currentBackend();
  await setBackend(cpuBackend(Object.create(module, { kernels: { value: Object.fromEntries(clocked) } })));
  setThreads(1);
  const data = makeData(ROW, 'train');
  const [x, y] = [...data.inputs, data.y].map(({ values, shape }) => tensor(values, shape));
  const step = trainingStep(ROW, buildModel(ROW, data, 'standard'), [x!], y!);
  const run = async (limit: number): Promise<number> => {
    const start = performance.now();
    inside = 0;
    while (performance.now() - start < limit) await step();
    return performance.now() - start;
  };
  await run(MILLISECONDS / 2);
  const total = await run(MILLISECONDS);
  await setBackend(before);
  return 1 - inside / total;
}
