// Measures vanishing and exploding gradients on the adding problem (Hochreiter & Schmidhuber 1997) with T = 100 time steps
// (--steps): the norm of the derivative of the output with respect to h_{T-k}, divided by that for k = 0, before and after
// training. LSTM, GRU and tanh RNN are measured with two initialisations each and three seeds. An RNN whose gradients explode
// is then trained with and without clipping.
//
//   node tools/vanishing.mjs [--threads 1] [--seeds 0,1,2] [--steps 100] [--updates 4000] [--rates 0.005,0.001]
//     [--only LSTM] [--out docs/images]
//
// Writes the curves as vanishing-*.svg to the folder `out`, and prints the tables of docs/insight.md. About ten minutes on one
// core.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { RandomStream, ready, setThreads, tensor } from '@unroll/core';
import { gradientFlow, lagFigure } from '@unroll/insight';
import { chronoInitializer, dense, gru, identityMatrix, lstm, sequential, simpleRNN } from '@unroll/nn';
import { train } from '@unroll/train';

const { values } = parseArgs({
  options: {
    threads: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2' },
    updates: { type: 'string', default: '4000' },
    rates: { type: 'string', default: '0.005,0.001' },
    steps: { type: 'string', default: '100' },
    only: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(new URL('../docs/images', import.meta.url)) },
  },
});
const [T, UPDATES] = [Number(values.steps), Number(values.updates)];
const SEEDS = values.seeds.split(',').map(Number);
const RATES = values.rates.split(',').map(Number);
const [UNITS, BATCH, EXAMPLES] = [32, 32, 64];
const SOLVED = 0.01;
/** The lags of the tables: 50 and 90 for 100 steps. */
const [MIDDLE, LONG] = [Math.floor(0.5 * T), Math.floor(0.9 * T)];

const chrono = (cell) => ({ biasInitializer: chronoInitializer({ maxSteps: T, cell }) });

/** Functions that create the recurrent layer, by the name of the table row. */
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

/** Returns the gradient norms of each state by lag, relative to lag 0, as medians over the examples; also the spectral radius. */
const curvesOf = async (network, examples) => {
  const { layers } = await gradientFlow(network, examples, null, { quantiles: [0.5] });
  const [{ states, spectralRadius }] = layers;
  const medians = Object.entries(states).map(([name, { relative }]) => [name, relative.quantiles.values]);
  return { ...Object.fromEntries(medians), spectralRadius };
};

/**
 * Trains until the mean loss of the last 20 updates is below SOLVED. Resolves to { loss, updates }; `updates` is null if the loss
 * stays above SOLVED.
 */
const trainUntilSolved = async (network, seed, learningRate) => {
  const latest = [];
  const mean = () => latest.reduce((sum, loss) => sum + loss, 0) / latest.length;
  const options = { loss: 'mse', optimizer: { name: 'adam', learningRate }, clip: { globalNorm: 1 } };
  for await (const event of train(network, { batches: () => batchesOf(seed, UPDATES), ...options })) {
    if (event.type !== 'step') continue;
    latest.push(event.loss);
    if (latest.length > 20) latest.shift();
    if (latest.length === 20 && mean() < SOLVED) return { loss: mean(), updates: event.updates };
  }
  return { loss: mean(), updates: null };
};

/** Trains a network, and returns its curves before and after. */
const runKind = async (kind, seed, rate) => {
  const network = sequential([KINDS[kind](), dense({ units: 1 })], { seed });
  const { x } = draw(new RandomStream(seed, 'vanishing', 'test'), EXAMPLES);
  const before = await curvesOf(network, x);
  const result = await trainUntilSolved(network, seed, rate);
  const after = await curvesOf(network, x);
  console.error(
    `${kind}, seed ${seed}, rate ${rate}: ${result.updates ?? 'not solved'}, loss ${result.loss.toFixed(4)}`,
  );
  return { kind, seed, rate, ...result, before, after };
};

/** Trains an RNN with ReLU and U = 1.05 I: the gradient of an active unit grows by 5 % with every step back. */
const explode = async (clip, seed) => {
  const layer = simpleRNN({
    units: UNITS,
    activation: 'relu',
    recurrentInitializer: identityMatrix({ gain: 1.05 }),
  });
  const network = sequential([layer, dense({ units: 1 })], { seed });
  const { x } = draw(new RandomStream(seed, 'vanishing', 'test'), EXAMPLES);
  const before = await curvesOf(network, x);
  const norms = [];
  const losses = [];
  let error = null;
  try {
    const options = { loss: 'mse', optimizer: { name: 'sgd', learningRate: 0.01 }, ...(clip && { clip }) };
    for await (const event of train(network, { batches: () => batchesOf(seed, 500), ...options })) {
      if (event.type !== 'step') continue;
      norms.push(event.gradientNorm);
      losses.push(event.loss);
    }
  } catch (cause) {
    error = cause.message.split(' (')[0];
  }
  return { clip, seed, before, norms, losses, error };
};

const short = (value) => {
  if (value === 0) return '0';
  return value >= 0.01 && value < 1000 ? String(Number(value.toPrecision(2))) : value.toExponential(1);
};
const range = (list) => {
  const [least, most] = [short(Math.min(...list)), short(Math.max(...list))];
  return least === most ? least : `${least} to ${most}`;
};
const row = (cells) => `| ${cells.join(' | ')} |`;

const printTables = (runs, explosions) => {
  for (const state of ['h', 'c']) {
    console.log(`\nd output / d ${state}, relative to lag 0: range over the seeds\n`);
    const head = [
      '',
      'learning rate',
      'updates until solved',
      ...[MIDDLE, LONG].flatMap((lag) => [`lag ${lag}, before`, `lag ${lag}, after`]),
    ];
    console.log(`${row(head)}\n${row(head.map((_, i) => (i < 1 ? '---' : '---:')))}`);
    for (const rate of RATES) {
      for (const kind of Object.keys(KINDS)) {
        const kindRuns = runs.filter((run) => run.kind === kind && run.rate === rate && run.before[state]);
        if (kindRuns.length === 0) continue;
        const at = (stage, lag) => range(kindRuns.map((run) => run[stage][state][lag]));
        const solved = kindRuns.map(({ updates, loss }) => updates ?? `no (${loss.toFixed(3)})`).join(', ');
        const norms = [MIDDLE, LONG].flatMap((lag) => [at('before', lag), at('after', lag)]);
        console.log(row([kind, rate, solved, ...norms]));
      }
    }
  }
  const head = ['exploding RNN', `lag ${MIDDLE}`, `lag ${LONG}`, 'largest gradient norm', 'result'];
  console.log(`\n${row(head)}\n${row(head.map((_, i) => (i < 1 ? '---' : '---:')))}`);
  for (const { clip, seed, before, norms, losses, error } of explosions) {
    const last = losses.slice(-20).reduce((sum, loss) => sum + loss, 0) / 20;
    const result = error ?? `loss ${short(last)} after ${losses.length} updates`;
    const name = `seed ${seed}, ${clip ? `clipped to ${clip.globalNorm}` : 'not clipped'}`;
    console.log(
      row([name, short(before.h[MIDDLE]), short(before.h[LONG]), short(Math.max(...norms)), result]),
    );
  }
};

/** Returns one curve for each kind of layer: the median over the seeds, with the range. */
const figureCurves = (runs, stage) =>
  Object.keys(KINDS).flatMap((kind) => {
    const curves = runs.filter((run) => run.kind === kind).map((run) => run[stage].h);
    if (curves.length === 0) return [];
    const sorted = Array.from({ length: T }, (_, lag) =>
      curves.map((curve) => curve[lag]).sort((a, b) => a - b),
    );
    const pick = (quantile) => sorted.map((list) => list[Math.floor(quantile * (list.length - 1))]);
    return [{ label: kind, values: pick(0.5), lower: pick(0), upper: pick(1) }];
  });

const writeFigure = (name, title, runs, stage) => {
  const options = { title, floor: 1e-16, yLabel: 'd output / d h, relative to lag 0' };
  writeFileSync(join(values.out, `vanishing-${name}.svg`), lagFigure(figureCurves(runs, stage), options));
};

await ready();
if (values.threads) await setThreads(Number(values.threads));
const runs = [];
for (const rate of RATES) {
  for (const kind of Object.keys(KINDS).filter((name) => !values.only || name.includes(values.only)))
    for (const seed of SEEDS) runs.push(await runKind(kind, seed, rate));
}
const explosions = [];
for (const seed of values.only ? [] : SEEDS)
  for (const clip of [null, { globalNorm: 1 }]) explosions.push(await explode(clip, seed));
mkdirSync(values.out, { recursive: true });
writeFigure(
  'before',
  `Before training, T = ${T}`,
  runs.filter(({ rate }) => rate === RATES[0]),
  'before',
);
for (const rate of RATES)
  writeFigure(
    `after-${rate}`,
    `After training, learning rate ${rate}`,
    runs.filter((run) => run.rate === rate),
    'after',
  );
printTables(runs, explosions);
