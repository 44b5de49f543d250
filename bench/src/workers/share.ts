/**
 * The share of a training step that JavaScript takes: what a step takes beyond its kernel calls. Those of one step are
 * written down and made again, in their order, with nothing between them. What JavaScript does to the caches, and so to
 * the kernels in a step, counts as JavaScript's, and so does what it copies and fills itself.
 */
import { currentBackend, setBackend, setThreads, tensor } from '@unroll/core';
import { cpuBackend } from '@unroll/core/internal';
import { type KernelChoice, type KernelModule, loadKernelsSync } from '@unroll/kernels';
import { makeData } from '../data.js';
import { parseRow } from '../rows.js';
import { buildModel, trainingStep } from './unroll-model.js';

/** The row it is measured at. */
const ROW = parseRow('lstm-32-64-32-50');
const WARM_UP = 300;
const ROUNDS = 15;
const STEPS = 40;
/** Kernels that find the shape to walk in memory, at their last argument. */
const WALKERS = ['copy_strided', 'binary'];
const WALK = 24;

type Kernel = (...args: number[]) => number;

/** On one thread, for kernels of the given kind: the median over rounds of steps and of calls alone, in turn. */
export async function javascriptShare(choice: KernelChoice): Promise<number> {
  const before = currentBackend();
  // In memory of their own: without what JavaScript does in between, their numbers run away.
  const alone = await callsOfStep(choice);
  const step = await steps(loadKernelsSync(choice));
  for (let i = 0; i < WARM_UP; i++) await step();
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < STEPS; i++) await step();
    const between = performance.now();
    for (let i = 0; i < STEPS; i++) for (const call of alone) call();
    shares.push(1 - (performance.now() - between) / (between - start));
  }
  await setBackend(before);
  return shares.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

/** Training steps of the row on these kernels. */
async function steps(module: KernelModule): Promise<() => Promise<number>> {
  await setBackend(cpuBackend(module));
  setThreads(1);
  const data = makeData(ROW, 'train');
  const [x, y] = [...data.inputs, data.y].map(({ values, shape }) => tensor(values, shape));
  return trainingStep(ROW, buildModel(ROW, data, 'standard'), [x!], y!);
}

/** The kernel calls of one step, in their order. */
async function callsOfStep(choice: KernelChoice): Promise<(() => void)[]> {
  const module = loadKernelsSync(choice);
  let calls: (() => void)[] = [];
  const watched = Object.entries(module.kernels).map(([name, kernel]): [string, Kernel] => {
    const run = kernel as unknown as Kernel;
    return [
      name,
      (...args) => {
        const walk = WALKERS.includes(name) ? new Int32Array(module.memory.buffer, args.at(-1), WALK) : null;
        const shape = walk?.slice();
        calls.push(() => {
          if (shape) walk!.set(shape);
          run(...args);
        });
        return run(...args);
      },
    ];
  });
  const step = await steps(Object.create(module, { kernels: { value: Object.fromEntries(watched) } }));
  await step();
  await step();
  calls = [];
  await step();
  return calls;
}
