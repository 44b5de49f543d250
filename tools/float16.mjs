// Effects of rounding weights to float16: node tools/float16.mjs [--seed 0] [--only states,memory,examples]
//
// Prints the tables of docs/float16.md, except those of forecasts (`npm run quality -- --weights float16`): the
// states of LSTM and GRU layers over a sequence, with initial and with trained weights; an LSTM that remembers
// numbers over 200 steps; and two of the examples, evaluated before and after rounding.
import { parseArgs } from 'node:util';
import { currentBackend, predict, RandomStream, ready, tensor } from '@unroll/core';
import { chronoInitializer, dense, gru, lstm, roundWeights, sequential } from '@unroll/nn';
import { fit, train } from '@unroll/train';

const CELLS = { lstm, gru };
const UNITS = [128, 512];
const STEPS = [50, 200, 1000];
const SEQUENCES = 16;
/** Updates of the trained layers, on sequences of 50 steps. */
const UPDATES = 300;
const FEATURES = 4;

/**
 * Waves with noise, [count, steps + 1, FEATURES]: each feature is a sum of two sines of random frequencies, with a
 * standard deviation of about 1.
 */
function waves(random, count, steps) {
  const values = new Float32Array(count * (steps + 1) * FEATURES);
  const noise = random.normal(values.length, 0, 0.1);
  for (let n = 0; n < count; n++) {
    for (let f = 0; f < FEATURES; f++) {
      const [fast, slow, phase] = random.uniform(3);
      for (let t = 0; t <= steps; t++) {
        const at = (n * (steps + 1) + t) * FEATURES + f;
        values[at] = Math.sin((0.2 + fast) * t) + Math.sin((0.01 + 0.1 * slow) * t + 6 * phase) + noise[at];
      }
    }
  }
  return values;
}

/** Splits x into all steps but the last, and the last step. */
function examples(random, count, steps) {
  const values = waves(random, count, steps);
  const width = (steps + 1) * FEATURES;
  const part = (from, to) => {
    const rows = Array.from({ length: count }, (_, n) => values.subarray(n * width + from, n * width + to));
    return Float32Array.from(rows.flatMap((row) => [...row]));
  };
  const cut = steps * FEATURES;
  return {
    x: tensor(part(0, cut), [count, steps, FEATURES]),
    y: tensor(part(cut, width), [count, FEATURES]),
  };
}

/** The mean and the largest absolute difference. */
const differences = (own, other) => {
  const sizes = Array.from(own, (value, i) => Math.abs(value - other[i]));
  return { mean: sizes.reduce((sum, size) => sum + size, 0) / sizes.length, most: Math.max(...sizes) };
};
const short = (value) => value.toExponential(1);

/** The final states of a layer over sequences of each length, with original and with rounded weights. */
async function stateRows(name, layer, random) {
  const states = sequential([layer]);
  const inputs = STEPS.map((steps) => examples(random, SEQUENCES, steps).x);
  const run = async () => {
    const outputs = [];
    for (const x of inputs) outputs.push((await predict(states, x)).dataSync());
    return outputs;
  };
  const own = await run();
  const weights = states.getWeights();
  roundWeights(states, 'float16');
  const rounded = await run();
  states.setWeights(weights);
  const size = own[0].reduce((sum, value) => sum + Math.abs(value), 0) / own[0].length;
  const cells = own.map((each, i) => {
    const { mean, most } = differences(each, rounded[i]);
    return `${short(mean)}, ${short(most)}`;
  });
  console.log(`| ${[name, size.toFixed(2), ...cells].join(' | ')} |`);
}

async function states(seed) {
  const lengths = STEPS.map((steps) => `T ${steps}: mean difference, largest`);
  console.log(
    `| layer | mean size of h | ${lengths.join(' | ')} |\n|---|---:|${'---:|'.repeat(STEPS.length)}`,
  );
  for (const [cell, make] of Object.entries(CELLS)) {
    for (const units of UNITS) {
      const random = new RandomStream(seed, cell, units);
      const layer = make({ units });
      const model = sequential([layer, dense({ units: FEATURES })], { seed });
      model.build([[-1, -1, FEATURES]]);
      await stateRows(`${cell} ${units}, initial`, layer, random);
      const { x, y } = examples(random, 32 * UPDATES, 50);
      const history = await fit(model, {
        ...{ x, y, loss: 'mse', seed, epochs: 1, batchSize: 32, clip: { globalNorm: 1 } },
        optimizer: { name: 'adam', learningRate: 1e-3 },
      });
      console.error(`${cell} ${units}: mean squared error in training ${history.loss[0].toFixed(3)}`);
      await stateRows(`${cell} ${units}, trained`, layer, random);
    }
  }
}

/**
 * Number of steps of the adding problem (Hochreiter & Schmidhuber 1997): each half of a sequence has one marked
 * number.
 */
const ADDING = 200;

/** x [count, ADDING, 2]: numbers in [0, 1) and marks; y [count, 1]: the sum of the two marked numbers. */
function adding(random, count) {
  const numbers = random.uniform(count * ADDING);
  const places = random.uniform(2 * count).map((u, i) => Math.floor(((u + (i % 2)) * ADDING) / 2));
  const x = Float32Array.from({ length: 2 * numbers.length }, (_, i) => (i % 2 ? 0 : numbers[i / 2]));
  const y = Float32Array.from({ length: count }, (_, n) => {
    const marked = [places[2 * n], places[2 * n + 1]].map((place) => n * ADDING + place);
    for (const at of marked) x[2 * at + 1] = 1;
    return numbers[marked[0]] + numbers[marked[1]];
  });
  return { x: tensor(x, [count, ADDING, 2]), y: tensor(y, [count, 1]) };
}

async function memory(seed) {
  const random = new RandomStream(seed, 'adding');
  const biasInitializer = chronoInitializer({ maxSteps: ADDING });
  const model = sequential([lstm({ units: 128, biasInitializer }), dense({ units: 1 })], { seed });
  const batches = function* () {
    for (let step = 0; step < 1000; step++) yield adding(random, 50);
  };
  const optimizer = { name: 'adam', learningRate: 2e-3 };
  const options = { loss: 'mse', optimizer, clip: { globalNorm: 1 }, epochs: 3, seed };
  for await (const event of train(model, { ...options, batches })) {
    if (event.type === 'epoch')
      console.error(`adding: loss ${event.loss.toFixed(4)}, epoch ${event.epoch} of 3`);
  }
  const validation = adding(random, 1000);
  const sums = validation.y.dataSync();
  const rmse = (found) =>
    Math.sqrt(found.reduce((sum, value, i) => sum + (value - sums[i]) ** 2, 0) / sums.length).toFixed(5);
  const own = (await predict(model, validation.x)).dataSync();
  roundWeights(model, 'float16');
  const rounded = (await predict(model, validation.x)).dataSync();
  const { mean, most } = differences(own, rounded);
  console.log(`| adding, RMSE | ${rmse(own)} | ${rmse(rounded)} | ${short(mean)} | ${short(most)} |`);
}

/** The trained model of an example; the example's own output is printed before the tables. */
async function trained(example) {
  const { log } = console;
  console.log = console.error;
  const made = await import(`../examples/dist/${example}.js`);
  console.log = log;
  return made;
}

async function classifier() {
  const { model, x, y } = await trained('text-classification');
  const [unseen, classes] = [x.slice(2400), y.slice(2400)];
  const run = async () => ({
    accuracy: (await model.evaluate(unseen, classes)).accuracy,
    probabilities: (await model.predict(unseen)).dataSync(),
  });
  const own = await run();
  roundWeights(model, 'float16');
  const rounded = await run();
  const { mean, most } = differences(own.probabilities, rounded.probabilities);
  const shares = [own, rounded].map(({ accuracy }) => `${(100 * accuracy).toFixed(2)} %`);
  console.log(`| text-classification, accuracy | ${shares.join(' | ')} | ${short(mean)} | ${short(most)} |`);
}

async function translations() {
  const { validation, translate, translator } = await trained('seq2seq');
  const right = async () => {
    const said = await translate(validation.map(({ words }) => words));
    return validation.filter(({ iso }, i) => iso === said[i]).length;
  };
  const own = await right();
  roundWeights(translator, 'float16');
  console.log(`| seq2seq, right of ${validation.length} | ${own} | ${await right()} | | |`);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '0' },
    only: { type: 'string', default: 'states,memory,examples' },
  },
});
await ready();
console.log(`${currentBackend().description}, Node ${process.version}\n`);
const parts = values.only.split(',');
if (parts.includes('states')) await states(Number(values.seed));
if (parts.includes('memory') || parts.includes('examples')) {
  console.log('\n| model | float32 | float16 | mean difference | largest |\n|---|---:|---:|---:|---:|');
}
if (parts.includes('memory')) await memory(Number(values.seed));
if (parts.includes('examples')) {
  await classifier();
  await translations();
}
