/**
 * The share of a training step that JavaScript takes: all of it that is not inside a kernel call. Rounds of steps as they
 * are, for the time of a step, take turns with rounds in which a clock stands around every kernel call. So the clock's own
 * time, which is about as long as what it is to find, is no part of the result but for what it sees of itself.
 */
import { currentBackend, setBackend, setThreads, tensor } from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { type KernelChoice, loadKernels } from '@unroll/kernels';
import { makeData } from '../data.js';
import { parseRow } from '../rows.js';
import { buildModel, trainingStep } from './unroll-model.js';

/** The row it is measured at. */
const ROW = parseRow('lstm-32-64-32-50');
const WARM_UP = 400;
const ROUNDS = 25;
const STEPS = 40;

type Kernel = (...args: number[]) => number;

/** On one thread, for kernels of the given kind, by the medians over the rounds. */
export async function javascriptShare(choice: KernelChoice): Promise<number> {
  const before = currentBackend();
  const clock = new Clock();
  const module = await loadKernels(choice);
  const watched = Object.entries(module.kernels).map(([name, kernel]) => [
    name,
    clock.around(kernel as unknown as Kernel),
  ]);
  await setBackend(cpuBackend(Object.create(module, { kernels: { value: Object.fromEntries(watched) } })));
  setThreads(1);
  const data = makeData(ROW, 'train');
  const [x, y] = [...data.inputs, data.y].map(({ values, shape }) => tensor(values, shape));
  const step = trainingStep(ROW, buildModel(ROW, data, 'standard'), [x], y);
  const time = async (steps: number, on: boolean): Promise<number> => {
    clock.on = on;
    clock.inside = 0;
    const start = performance.now();
    for (let i = 0; i < steps; i++) await step();
    return performance.now() - start;
  };
  await time(WARM_UP, true);
  const [all, inside]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    all.push(await time(STEPS, false));
    await time(STEPS, true);
    inside.push(clock.inside);
  }
  await setBackend(before);
  return 1 - median(inside) / median(all);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

/** Adds up the time inside the functions that it stands around. */
class Clock {
  on = false;
  inside = 0;

  around(kernel: Kernel): Kernel {
    return (...args) => {
      if (!this.on) return kernel(...args);
      const start = performance.now();
      const result = kernel(...args);
      this.inside += performance.now() - start;
      return result;
    };
  }
}
