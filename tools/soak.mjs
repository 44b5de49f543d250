// Trains a small model for many steps, predicts with it many times, and watches the memory: `node
// tools/soak.mjs --steps 100000 --predictions 10000`. Prints tables of what the process holds at intervals
// and ends with 1 if any of it grows beyond its bound, so that a leak of a few bytes a step is found before a
// long run is.
//
//   --steps <n>        training steps, with a prediction after every 50 (default 100000; 0: none)
//   --predictions <n>  calls of predict() afterwards (default 0)
//   --backend <name>   as UNROLL_BACKEND takes it (default: the best that loads)
//
// The bounds are on the growth from the second quarter of the run to the last, each measured as the median of
// its rows after a full garbage collection: the linear memory must not grow at all, JavaScript's heap and the
// memory outside it by no more than what compiled code and counters come to. The first quarter is warming up.

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
  options: {
    steps: { type: 'string', default: '100000' },
    predictions: { type: 'string', default: '0' },
    backend: { type: 'string' },
  },
});
const countOf = (name) => {
  const count = Number(values[name]);
  if (count === 0 || (Number.isInteger(count) && count >= 1000)) return count;
  console.error(`--${name} must be 0 or an integer of at least 1000, got ${values[name]}`);
  return process.exit(2);
};
const steps = countOf('steps');
const predictions = countOf('predictions');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const backend = await setBackend(values.backend);

/**
 * The addresses of the linear memory, which count as memory outside the heap even if unused.
 */
const linear = () => ('module' in backend ? backend.module.memory.buffer.byteLength : 0);

const sample = (at) => {
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  const extent = 'heap' in backend ? backend.heap.extent : 0;
  return { at, rss, heapUsed, external: external - linear(), extent };
};

const columns = ['at', 'rss', 'heapUsed', 'external', 'extent'];
const show = (row) =>
  console.log(
    columns
      .map((name) => (name === 'at' ? String(row.at) : `${(row[name] / MiB).toFixed(3)}`).padStart(12))
      .join(''),
  );

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

/**
 * Runs `work` (one iteration per unit), prints the memory in use at intervals, and returns whether it stays within the
 * bounds.
 */
const watch = async (title, count, work) => {
  console.log(`${count} ${title} on ${backend.description}; MiB`);
  console.log(columns.map((name) => name.padStart(12)).join(''));
  const rows = [];
  const began = performance.now();
  let done = 0;
  for await (const _ of work) {
    done++;
    if (done % Math.floor(count / ROWS) === 0) {
      rows.push(sample(done));
      show(rows.at(-1));
    }
    if (done === count) break;
  }
  const quarter = (from, name) =>
    median(rows.slice(rows.length * from, rows.length * (from + 0.25)).map((row) => row[name]));
  let flat = true;
  for (const [name, bound] of Object.entries(BOUNDS)) {
    const growth = quarter(0.75, name) - quarter(0.25, name);
    const wrong = growth > bound;
    flat &&= !wrong;
    console.log(
      `${name} grew by ${(growth / MiB).toFixed(3)} MiB, the bound is ${(bound / MiB).toFixed(3)} ` +
        `MiB${wrong ? ': TOO MUCH' : ''}`,
    );
  }
  console.log(`${((performance.now() - began) / 1000).toFixed(1)} s, ${flat ? 'flat' : 'failed'}`);
  return flat;
};

const random = new RandomStream(1, 'soak');
const x = tensor(random.normal(EXAMPLES * TIME), [EXAMPLES, TIME, 1]);
const y = tensor(random.normal(EXAMPLES), [EXAMPLES, 1]);
const model = sequential([lstm({ units: UNITS, dropout: 0.1 }), dense({ units: 1 })]);

/** The steps of a run, with a prediction after every so many. */
const training = async function* () {
  const epochs = Math.ceil((steps * BATCH) / EXAMPLES);
  let step = 0;
  for await (const event of train(model, {
    x,
    y,
    loss: 'mse',
    optimizer: 'adam',
    epochs,
    batchSize: BATCH,
  })) {
    if (event.type !== 'step') continue;
    if (++step % PREDICT_EVERY === 0) await predict(model, x, { batchSize: 100 });
    yield;
  }
};

const predicting = async function* () {
  for (;;) yield await predict(model, x, { batchSize: 100 });
};

const shape = `LSTM(${UNITS}), T=${TIME}`;
const flat = [];
if (steps > 0) flat.push(await watch(`steps of ${shape}, B=${BATCH}`, steps, training()));
if (predictions > 0) {
  flat.push(await watch(`predictions of ${EXAMPLES} examples by ${shape}`, predictions, predicting()));
}
process.exit(flat.includes(false) ? 1 : 0);
