/**
 * `npm run bench:insight`: measures the cost of traces and recorders. A trace is compared with a prediction and with a copy of
 * the arrays that the trace returns; training with a recorder, at its default rate, is compared with training without. Prints
 * Markdown tables.
 */
import { parseArgs } from 'node:util';
import { predict, RandomStream, ready, setThreads, type Tensor, tensor } from '@unroll/core';
import { recorder, trace } from '@unroll/insight';
import { dense, gru, lstm, type Network, sequential, simpleRNN } from '@unroll/nn';
import { fit } from '@unroll/train';
import { parsedOrExit, positiveInteger } from './options.js';

const HELP = `npm run bench:insight -- [options]

  --rounds N       number of timed rounds, default 120 for traces and 5 for training
  --threads N      number of threads, default: the number of cores
`;

const CELLS = { lstm, gru, rnn: simpleRNN };
type Size = readonly [cell: keyof typeof CELLS, I: number, H: number, B: number, T: number];
const SIZES: readonly Size[] = [
  ['lstm', 32, 64, 32, 100],
  ['lstm', 64, 128, 32, 100],
  ['gru', 32, 64, 32, 100],
  ['gru', 64, 128, 32, 100],
  ['rnn', 32, 64, 32, 100],
  ['lstm', 8, 64, 1, 100],
];

const random = new RandomStream(1, 'bench');
const draw = (...shape: number[]): Tensor =>
  tensor(Float32Array.from(random.normal(shape.reduce((size, extent) => size * extent, 1))), shape);
const networkOf = ([cell, , H]: Size): Network =>
  sequential([CELLS[cell]({ units: H }), dense({ units: 1 })]);

/**
 * Runs tasks in alternating order and returns the lower quartile of the times of each task, in ms.
 * @param warmUp number of untimed rounds, in which V8 compiles the code
 */
async function quartiles(
  rounds: number,
  warmUp: number,
  tasks: readonly (() => unknown)[],
): Promise<number[]> {
  const times = tasks.map((): number[] => []);
  for (let round = 0; round < rounds + warmUp; round++) {
    for (const [i, task] of tasks.entries()) {
      const start = performance.now();
      await task();
      if (round >= warmUp) times[i].push(performance.now() - start);
    }
  }
  return times.map((taskTimes) => taskTimes.sort((a, b) => a - b)[Math.floor(taskTimes.length / 4)]);
}

async function printTraces(rounds: number): Promise<void> {
  console.log('| network | predict, ms | trace, ms | copy of the arrays, ms | (trace - copy) / predict |');
  console.log('| --- | ---: | ---: | ---: | ---: |');
  for (const size of SIZES) {
    const [, I, , B, T] = size;
    const [network, x] = [networkOf(size), draw(B, T, I)];
    const { layers } = await trace(network, x);
    const arrays = layers.flatMap(({ gates, states }) => Object.values({ ...gates, ...states }));
    const tasks = [
      () => predict(network, x),
      () => trace(network, x),
      () => arrays.map(({ values }) => values.slice()),
    ];
    const [plain, traced, copy] = await quartiles(rounds, 100, tasks);
    const cells = [plain, traced, copy, (traced - copy) / plain].map((value) => value.toPrecision(3));
    console.log(`| ${size.join('-')} | ${cells.join(' | ')} |`);
  }
}

/** Updates per run. By default, a recorder records one in 250 updates. */
const UPDATES = 500;

async function printRecorder(rounds: number): Promise<void> {
  console.log('\n| recorder, default rate | without, ms per update | with, ms per update | overhead |');
  console.log('| --- | ---: | ---: | ---: |');
  for (const size of SIZES.slice(0, 4)) {
    const [, I, , B, T] = size;
    const [x, y, sample] = [draw(4 * B, T, I), draw(4 * B, 1), draw(16, T, I)];
    const options = { x, y, batchSize: B, loss: 'mse', optimizer: 'adam', epochs: UPDATES / 4 } as const;
    const [plain, recorded] = await quartiles(rounds, 2, [
      () => fit(networkOf(size), options),
      () => fit(networkOf(size), { ...options, callbacks: [recorder({ x: sample })] }),
    ]);
    const cells = [plain / UPDATES, recorded / UPDATES].map((value) => value.toFixed(3));
    console.log(
      `| ${size.join('-')} | ${cells.join(' | ')} | ${(100 * (recorded / plain - 1)).toFixed(1)} % |`,
    );
  }
}

const { rounds, threads, help } = parsedOrExit(() => {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, threads: { type: 'string' }, help: { type: 'boolean' } },
  });
  const count = (name: 'rounds' | 'threads'): number | undefined =>
    values[name] === undefined ? undefined : positiveInteger(name, values[name]);
  return { rounds: count('rounds'), threads: count('threads'), help: values.help };
}, HELP);
if (help) process.stdout.write(HELP);
else {
  await ready();
  if (threads !== undefined) await setThreads(threads);
  await printTraces(rounds ?? 120);
  await printRecorder(rounds ?? 5);
}
