/**
 * Measures JavaScript's share of a training step: the time that is not spent inside kernel calls. Two kinds of rounds
 * alternate: one times only the steps, and the other times every kernel call. The rounds are separate because reading the
 * clock takes about as long as the JavaScript that is measured.
 */
import { currentBackend, setBackend, setThreads, tensor } from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { type KernelChoice, loadKernels } from '@unroll/kernels';
import { makeData } from '../data.js';
import { parseRow } from '../rows.js';
import { buildModel, makeRowTrainingStep } from './unroll-model.js';

/** The row that is measured. */
const ROW = parseRow('lstm-32-64-32-50');
const WARM_UP = 400;
const ROUNDS = 25;
const STEPS = 40;

type Kernel = (...args: number[]) => number;

/** Returns JavaScript's share on one thread with the given kernels, computed from medians over the rounds. */
export async function javascriptShare(choice: KernelChoice): Promise<number> {
  const previousBackend = currentBackend();
  const clock = new KernelClock();
  const module = await loadKernels(choice);
  const timedKernels = Object.entries(module.kernels).map(([name, kernel]) => [
    name,
    clock.wrap(kernel as unknown as Kernel),
  ]);
  await setBackend(
    cpuBackend(Object.create(module, { kernels: { value: Object.fromEntries(timedKernels) } })),
  );
  setThreads(1);
  const data = makeData(ROW, 'train');
  const [x, y] = [...data.inputs, data.y].map(({ values, shape }) => tensor(values, shape));
  const step = makeRowTrainingStep(ROW, buildModel(ROW, data, 'standard'), [x], y);
  const time = async (steps: number, timesKernels: boolean): Promise<number> => {
    clock.enabled = timesKernels;
    clock.milliseconds = 0;
    const start = performance.now();
    for (let i = 0; i < steps; i++) await step();
    return performance.now() - start;
  };
  await time(WARM_UP, true);
  const [stepTimes, kernelTimes]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    stepTimes.push(await time(STEPS, false));
    await time(STEPS, true);
    kernelTimes.push(clock.milliseconds);
  }
  await setBackend(previousBackend);
  return 1 - median(kernelTimes) / median(stepTimes);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

/** Sums the time spent in the kernels that it wraps. */
class KernelClock {
  enabled = false;
  milliseconds = 0;

  wrap(kernel: Kernel): Kernel {
    return (...args) => {
      if (!this.enabled) return kernel(...args);
      const start = performance.now();
      const result = kernel(...args);
      this.milliseconds += performance.now() - start;
      return result;
    };
  }
}
