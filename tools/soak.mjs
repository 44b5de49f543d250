// Looks for memory leaks: trains a small model for many steps and predicts with it many times. Prints the memory use at
// intervals, and exits with status 1 if it grows beyond a bound. With many steps, this reveals leaks of a few bytes per step.
//
//   node tools/soak.mjs --steps 100000 --predictions 10000
//
//   --steps <n>        training steps, with a prediction after every 50 (default 100000; 0: none)
//   --predictions <n>  calls of predict() afterwards (default 0)
//   --backend <name>   native, wasm, ... as in UNROLL_BACKEND (default: the fastest that loads)
//
// Memory use is measured after a full garbage collection. The growth is the median of the last quarter of the
// measurements minus the median of the second quarter; the first quarter is the warm-up. The used part of the kernels'
// memory (`extent`) must not grow at all. The JavaScript heap (`heapUsed`), the external memory and the resident set (`rss`)
// may grow by no more than the size of compiled code and counters.
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { predict, RandomStream, setBackend, tensor } from '@unroll/core';
import { dense, lstm, sequential } from '@unroll/nn';
import { train } from '@unroll/train';

const MiB = 2 ** 20;
/** Largest allowed growth in bytes. */
const BOUNDS = { rss: 24 * MiB, heapUsed: 2 * MiB, external: MiB, extent: 0 };
/** Number of measurements. */
const SAMPLES = 24;
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
const collectGarbage = runInNewContext('gc');
const backend = await setBackend(values.backend);

/** Returns the size of the WebAssembly memory in bytes. Node counts all of it as external memory, even unused parts. */
const wasmMemorySize = () => ('module' in backend ? backend.module.memory.buffer.byteLength : 0);

/** Returns the memory use in bytes. @param iteration the number of iterations so far */
const sample = (iteration) => {
  collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const extent = 'heap' in backend ? backend.heap.extent : 0;
  return { iteration, rss, heapUsed, external: external - wasmMemorySize(), extent };
};

const columns = ['iteration', 'rss', 'heapUsed', 'external', 'extent'];
const print = (row) =>
  console.log(
    columns
      .map((name) =>
        (name === 'iteration' ? String(row.iteration) : `${(row[name] / MiB).toFixed(3)}`).padStart(12),
      )
      .join(''),
  );

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];

/**
 * Runs `count` iterations of the async generator `work` and prints the memory use at intervals. Resolves to true if the
 * growth is within the bounds.
 */
const measureGrowth = async (title, count, work) => {
  console.log(`${count} ${title} on ${backend.description}; memory in MiB`);
  console.log(columns.map((name) => name.padStart(12)).join(''));
  const rows = [];
  const start = performance.now();
  let done = 0;
  for await (const _ of work) {
    done++;
    if (done % Math.floor(count / SAMPLES) === 0) {
      rows.push(sample(done));
      print(rows.at(-1));
    }
    if (done === count) break;
  }
  const quarterMedian = (from, name) =>
    median(rows.slice(rows.length * from, rows.length * (from + 0.25)).map((row) => row[name]));
  let passed = true;
  for (const [name, bound] of Object.entries(BOUNDS)) {
    const growth = quarterMedian(0.75, name) - quarterMedian(0.25, name);
    const exceeded = growth > bound;
    passed &&= !exceeded;
    console.log(
      `${name} grew by ${(growth / MiB).toFixed(3)} MiB, allowed: ${(bound / MiB).toFixed(3)} ` +
        `MiB${exceeded ? ': EXCEEDED' : ''}`,
    );
  }
  console.log(`${((performance.now() - start) / 1000).toFixed(1)} s, ${passed ? 'passed' : 'failed'}`);
  return passed;
};

const random = new RandomStream(1, 'soak');
const x = tensor(random.normal(EXAMPLES * TIME), [EXAMPLES, TIME, 1]);
const y = tensor(random.normal(EXAMPLES), [EXAMPLES, 1]);
const model = sequential([lstm({ units: UNITS, dropout: 0.1 }), dense({ units: 1 })]);

/** Yields after every training step; predicts after every PREDICT_EVERY steps. */
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

const network = `LSTM(${UNITS}), T=${TIME}`;
const results = [];
if (steps > 0) results.push(await measureGrowth(`steps of ${network}, B=${BATCH}`, steps, training()));
if (predictions > 0) {
  results.push(
    await measureGrowth(`predictions of ${EXAMPLES} examples by ${network}`, predictions, predicting()),
  );
}
process.exit(results.includes(false) ? 1 : 0);
