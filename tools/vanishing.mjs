// Measures vanishing and exploding gradients on the adding problem (Hochreiter & Schmidhuber 1997) with T = 100: the norm of
// the derivative of the output with respect to h_{T-k}, relative to k = 0, before and after training, for LSTM, GRU and tanh
// RNN with two initialisations each, and three seeds. Then an RNN whose gradients explode, with and without clipping.
//
//   node tools/vanishing.mjs [--threads 1] [--seeds 0,1,2] [--updates 4000] [--steps 100] [--only lstm] [--out docs/images]
//
// Writes vanishing.json with all curves and vanishing.svg to the folder `out`, and prints a table.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RandomStream, ready, setThreads, tensor } from '@unroll/core';
import { gradientFlow } from '@unroll/insight';
import { chronoInitializer, dense, gru, identityMatrix, lstm, sequential, simpleRNN } from '@unroll/nn';
import { train } from '@unroll/train';

const { values } = parseArgs({
  options: {
    threads: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2' },
    updates: { type: 'string', default: '4000' },
    steps: { type: 'string', default: '100' },
    only: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(new URL('../docs/images', import.meta.url)) },
    render: { type: 'boolean' },
  },
});
const [T, UPDATES] = [Number(values.steps), Number(values.updates)];
const SEEDS = values.seeds.split(',').map(Number);
const [UNITS, BATCH, EXAMPLES] = [32, 32, 64];
const SOLVED = 0.01;

const chrono = (cell) => ({ biasInitializer: chronoInitializer({ maxSteps: T, cell }) });

/** The recurrent layers. */
const KINDS = {
  'LSTM, default': () => lstm({ units: UNITS }),
  'LSTM, chrono': () => lstm({ units: UNITS, ...chrono('lstm') }),
  'GRU, default': () => gru({ units: UNITS }),
  'GRU, chrono': () => gru({ units: UNITS, ...chrono('gru') }),
  'RNN, orthogonal': () => simpleRNN({ units: UNITS }),
  'RNN, Glorot': () => simpleRNN({ units: UNITS, recurrentInitializer: 'glorotUniform' }),
};

/** Draws sequences of numbers from 0 to 1, of which two are marked, one in each half; the target is their sum. */
const draw = (random, count) => {
  const numbers = random.uniform(count * T);
  const marks = random.uniform(2 * count);
  const x = new Float32Array(2 * count * T);
  const y = new Float32Array(count);
  for (let t = 0; t < count * T; t++) x[2 * t] = numbers[t];
  for (let n = 0; n < 2 * count; n++) {
    const row = Math.floor(n / 2);
    const step = row * T + Math.floor((marks[n] + (n % 2)) * Math.floor(T / 2));
    x[2 * step + 1] = 1;
    y[row] += numbers[step];
  }
  return { x: tensor(x, [count, T, 2]), y: tensor(y, [count, 1]) };
};

/** Yields batches, the same for all networks of one seed. */
const batchesOf = function* (seed, updates) {
  const random = new RandomStream(seed, 'vanishing');
  for (let n = 0; n < updates; n++) yield draw(random.child(n), BATCH);
};

const roundAll = (array) => Array.from(array, (value) => Number(value.toPrecision(4)));

/** Returns the relative norms by lag: the median over the examples, for each state. */
const flowOf = async (network, examples) => {
  const { layers } = await gradientFlow(network, examples, null, { quantiles: [0.5] });
  const [{ states, forgetProduct, spectralRadius }] = layers;
  const medians = Object.entries(states).map(([name, { relative, mean }]) => [
    name,
    { relative: roundAll(relative.quantiles.values), lag0: Number(mean[0].toPrecision(4)) },
  ]);
  return {
    states: Object.fromEntries(medians),
    forget: forgetProduct && roundAll(forgetProduct.quantiles.values),
    spectralRadius,
  };
};

/** Trains until the mean loss of the last 20 updates is below 0.01. */
const trainUntilSolved = async (network, seed) => {
  const latest = [];
  const mean = () => latest.reduce((sum, each) => sum + each, 0) / latest.length;
  const options = { loss: 'mse', optimizer: { name: 'adam', learningRate: 0.005 }, clip: { globalNorm: 1 } };
  for await (const event of train(network, { batches: () => batchesOf(seed, UPDATES), ...options })) {
    if (event.type !== 'step') continue;
    latest.push(event.loss);
    if (latest.length > 20) latest.shift();
    if (latest.length === 20 && mean() < SOLVED) return { loss: mean(), updates: event.updates };
  }
  return { loss: mean(), updates: null };
};

const runKind = async (kind, seed) => {
  const network = sequential([KINDS[kind](), dense({ units: 1 })], { seed });
  const { x } = draw(new RandomStream(seed, 'vanishing', 'test'), EXAMPLES);
  const before = await flowOf(network, x);
  const start = performance.now();
  const result = await trainUntilSolved(network, seed);
  const after = await flowOf(network, x);
  const seconds = Math.round((performance.now() - start) / 1000);
  return { kind, seed, ...result, seconds, before, after };
};

/** An RNN with ReLU and U = 1.05 I, so that the gradient of an active unit grows by 5 % with every step. */
const explode = async (clip, seed) => {
  const layer = simpleRNN({
    units: UNITS,
    activation: 'relu',
    recurrentInitializer: identityMatrix({ gain: 1.05 }),
  });
  const network = sequential([layer, dense({ units: 1 })], { seed });
  const { x } = draw(new RandomStream(seed, 'vanishing', 'test'), EXAMPLES);
  const before = await flowOf(network, x);
  const steps = [];
  let error = null;
  try {
    const options = { loss: 'mse', optimizer: { name: 'sgd', learningRate: 0.01 }, ...(clip && { clip }) };
    for await (const event of train(network, { batches: () => batchesOf(seed, 500), ...options })) {
      if (event.type === 'step') steps.push([event.loss, event.gradientNorm]);
    }
  } catch (cause) {
    error = cause.message.split('. ')[0];
  }
  const last = steps.slice(-20).map(([loss]) => loss);
  return {
    clip,
    seed,
    updates: steps.length,
    gradientNorms: roundAll(steps.map(([, norm]) => norm)),
    losses: roundAll(steps.map(([loss]) => loss)),
    meanLoss: last.reduce((sum, loss) => sum + loss, 0) / last.length,
    error,
    before,
  };
};

const short = (value) => (value >= 0.01 && value < 100 ? value.toFixed(3) : value.toExponential(1));
const at = (curves, lag) => curves.states.h.relative[lag];

const print = ({ runs, explosions }) => {
  console.log(`${'cell'.padEnd(17)}seed  solved in  lag 50 before  after     lag 90 before  after`);
  for (const { kind, seed, updates, before, after } of runs) {
    const cells = [50, 90].flatMap((lag) =>
      [at(before, lag), at(after, lag)].map((v) => short(v ?? 0).padEnd(11)),
    );
    console.log(
      `${kind.padEnd(17)}${String(seed).padEnd(6)}${String(updates ?? 'no').padEnd(11)}${cells.join(' ')}`,
    );
  }
  for (const { clip, seed, updates, gradientNorms, meanLoss, error } of explosions) {
    const result = error ?? `loss ${short(meanLoss)} after ${updates} updates`;
    const largest = short(Math.max(...gradientNorms));
    console.log(
      `exploding RNN, ${clip ? 'clipped' : 'not clipped'}, seed ${seed}: largest gradient ${largest}; ${result}`,
    );
  }
};

const file = join(values.out, 'vanishing.json');

const measure = async () => {
  await ready();
  if (values.threads) await setThreads(Number(values.threads));
  const runs = [];
  for (const kind of Object.keys(KINDS).filter((name) => !values.only || name.includes(values.only))) {
    for (const seed of SEEDS) {
      const run = await runKind(kind, seed);
      console.error(
        `${kind}, seed ${seed}: ${run.updates ?? 'not solved'}, loss ${run.loss.toFixed(4)}, ${run.seconds} s`,
      );
      runs.push(run);
    }
  }
  const explosions = [];
  for (const seed of values.only ? [] : SEEDS)
    for (const clip of [null, { globalNorm: 1 }]) explosions.push(await explode(clip, seed));
  return { steps: T, units: UNITS, examples: EXAMPLES, runs, explosions };
};

const results = values.render ? JSON.parse(readFileSync(file, 'utf8')) : await measure();
mkdirSync(values.out, { recursive: true });
if (!values.render) writeFileSync(file, `${JSON.stringify(results)}\n`);
print(results);
