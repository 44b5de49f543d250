// Trains a small model for many steps and watches the memory: `node tools/soak.mjs --steps 100000`. Prints a table of what
// the process holds at intervals and ends with 1 if any of it grows beyond its bound, so that a leak of a few bytes a step
// is found before a long run is.
//
//   --steps <n>        training steps (default 100000)
//   --backend <name>   as UNROLL_BACKEND takes it (default: the best that loads)
//
// The bounds are on the growth from the second quarter of the run to the last, each measured as the median of its rows
// after a full garbage collection: the linear memory must not grow at all, JavaScript's heap and the memory outside it by
// no more than what compiled code and counters come to. The first quarter is warming up.

import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { predict, RandomStream, setBackend, tensor } from '@unroll/core';
import { dense, lstm, sequential } from '@unroll/nn';
import { train } from '@unroll/train';

const MiB = 2 ** 20;
const BOUNDS = { rss: 24 * MiB, heapUsed: 2 * MiB, external: MiB, extent: 0 };
const ROWS = 24;
const [BATCH, TIME, UNITS] = [4, 5, 4];
const EXAMPLES = 400;
const PREDICT_EVERY = 50;

const { values } = parseArgs({
  options: { steps: { type: 'string', default: '100000' }, backend: { type: 'string' } },
});
const steps = Number(values.steps);
if (!Number.isInteger(steps) || steps < 1000) {
  console.error(`--steps is a whole number from 1000, got ${values.steps}`);
  process.exit(2);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const backend = await setBackend(values.backend);

/** The addresses of the linear memory, which count as memory outside the heap whether they are used or not. */
const linear = () => ('module' in backend ? backend.module.memory.buffer.byteLength : 0);

const sample = (step) => {
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  const extent = 'heap' in backend ? backend.heap.extent : 0;
  return { step, rss, heapUsed, external: external - linear(), extent };
};

const columns = ['step', 'rss', 'heapUsed', 'external', 'extent'];
const show = (row) =>
  console.log(
    columns
      .map((name) => (name === 'step' ? String(row.step) : `${(row[name] / MiB).toFixed(3)}`).padStart(12))
      .join(''),
  );

const random = new RandomStream(1, 'soak');
const x = tensor(random.normal(EXAMPLES * TIME), [EXAMPLES, TIME, 1]);
const y = tensor(random.normal(EXAMPLES), [EXAMPLES, 1]);
const model = sequential([lstm({ units: UNITS, dropout: 0.1 }), dense({ units: 1 })]);
const epochs = Math.ceil((steps * BATCH) / EXAMPLES);

console.log(`${steps} steps of LSTM(${UNITS}), T=${TIME}, B=${BATCH} on ${backend.description}; MiB`);
console.log(columns.map((name) => name.padStart(12)).join(''));
const rows = [];
const began = performance.now();
let step = 0;
for await (const event of train(model, { x, y, loss: 'mse', optimizer: 'adam', epochs, batchSize: BATCH })) {
  if (event.type !== 'step') continue;
  step++;
  if (step % PREDICT_EVERY === 0) await predict(model, x, { batchSize: 100 });
  if (step % Math.floor(steps / ROWS) === 0) {
    rows.push(sample(step));
    show(rows.at(-1));
  }
  if (step === steps) break;
}

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const quarter = (from, name) =>
  median(rows.slice(rows.length * from, rows.length * (from + 0.25)).map((row) => row[name]));
let failed = false;
for (const [name, bound] of Object.entries(BOUNDS)) {
  const growth = quarter(0.75, name) - quarter(0.25, name);
  const wrong = growth > bound;
  failed ||= wrong;
  console.log(
    `${name} grew by ${(growth / MiB).toFixed(3)} MiB, the bound is ${(bound / MiB).toFixed(3)} MiB${wrong ? ': TOO MUCH' : ''}`,
  );
}
console.log(`${((performance.now() - began) / 1000).toFixed(1)} s, ${failed ? 'failed' : 'flat'}`);
process.exit(failed ? 1 : 0);
