// Measures the effects of rounding weights to float16. Prints the tables of docs/float16.md, except the forecasts
// (for these, run `npm run quality -- --weights float16`).
//
//   node tools/float16.mjs [--seed 0] [--only states,memory,examples]
//
//   states    the final states of LSTM and GRU layers with initial and with trained weights
//   memory    an LSTM that must remember numbers for 200 steps
//   examples  two programs of the folder examples, whose models are evaluated before and after rounding
import { parseArgs } from 'node:util';
import { currentBackend, predict, RandomStream, ready, tensor } from '@unroll/core';
import { chronoInitializer, dense, gru, lstm, roundWeights, sequential } from '@unroll/nn';
import { fit, train } from '@unroll/train';

const CELLS = { lstm, gru };
const UNITS = [128, 512];
const STEPS = [50, 200, 1000];
const SEQUENCES = 16;
/** Number of updates in the training of a layer, on sequences of 50 steps. */
const UPDATES = 300;
const FEATURES = 4;

/**
 * Returns noisy waves [count, steps + 1, FEATURES]. Each feature is the sum of two sines with random frequencies and has
 * a standard deviation of about 1.
 */
function noisyWaves(random, count, steps) {
  const values = new Float32Array(count * (steps + 1) * FEATURES);
  const noise = random.normal(values.length, 0, 0.1);
  for (let n = 0; n < count; n++) {
    for (let f = 0; f < FEATURES; f++) {
      const [fast, slow, phase] = random.uniform(3);
      for (let t = 0; t <= steps; t++) {
        const i = (n * (steps + 1) + t) * FEATURES + f;
        values[i] = Math.sin((0.2 + fast) * t) + Math.sin((0.01 + 0.1 * slow) * t + 6 * phase) + noise[i];
      }
    }
  }
  return values;
}

/** Returns noisy waves as training data: the inputs x are the first `steps` steps, the targets y the step after them. */
function waveExamples(random, count, steps) {
  const values = noisyWaves(random, count, steps);
  const width = (steps + 1) * FEATURES;
  const part = (from, to) => {
    const rows = Array.from({ length: count }, (_, n) => values.subarray(n * width + from, n * width + to));
    return Float32Array.from(rows.flatMap((row) => [...row]));
  };
  const split = steps * FEATURES;
  return {
    x: tensor(part(0, split), [count, steps, FEATURES]),
    y: tensor(part(split, width), [count, FEATURES]),
  };
}

/** Returns the mean and the largest of the absolute differences between two arrays. */
const differences = (original, rounded) => {
  const sizes = Array.from(original, (value, i) => Math.abs(value - rounded[i]));
  return { mean: sizes.reduce((sum, size) => sum + size, 0) / sizes.length, largest: Math.max(...sizes) };
};
const format = (value) => value.toExponential(1);

/** Prints a table row: the differences between final states with original and with rounded weights, for each length. */
async function printStates(name, layer, random) {
  const model = sequential([layer]);
  const inputs = STEPS.map((steps) => waveExamples(random, SEQUENCES, steps).x);
  const run = async () => {
    const outputs = [];
    for (const x of inputs) outputs.push((await predict(model, x)).dataSync());
    return outputs;
  };
  const original = await run();
  const weights = model.getWeights();
  roundWeights(model, 'float16');
  const rounded = await run();
  model.setWeights(weights);
  const size = original[0].reduce((sum, value) => sum + Math.abs(value), 0) / original[0].length;
  const cells = original.map((states, i) => {
    const { mean, largest } = differences(states, rounded[i]);
    return `${format(mean)}, ${format(largest)}`;
  });
  console.log(`| ${[name, size.toFixed(2), ...cells].join(' | ')} |`);
}

/** Prints the table of final states: for each layer, with initial and with trained weights. */
async function measureStates(seed) {
  const lengths = STEPS.map((steps) => `T = ${steps}: mean, largest`);
  console.log(
    `| layer | mean of \\|h\\| | ${lengths.join(' | ')} |\n|---|---:|${'---:|'.repeat(STEPS.length)}`,
  );
  for (const [cell, make] of Object.entries(CELLS)) {
    for (const units of UNITS) {
      const random = new RandomStream(seed, cell, units);
      const layer = make({ units });
      const model = sequential([layer, dense({ units: FEATURES })], { seed });
      model.build([[-1, -1, FEATURES]]);
      await printStates(`${cell} ${units}, initial`, layer, random);
      const { x, y } = waveExamples(random, 32 * UPDATES, 50);
      const history = await fit(model, {
        ...{ x, y, loss: 'mse', seed, epochs: 1, batchSize: 32, clip: { globalNorm: 1 } },
        optimizer: { name: 'adam', learningRate: 1e-3 },
      });
      console.error(`${cell} ${units}: training loss ${history.loss[0].toFixed(3)}`);
      await printStates(`${cell} ${units}, trained`, layer, random);
    }
  }
}

/** Number of steps in the adding problem. */
const ADDING_STEPS = 200;

/**
 * Returns examples of the adding problem (Hochreiter & Schmidhuber 1997). x [count, ADDING_STEPS, 2] has random numbers in
 * [0, 1) and marks: one number in each half of a sequence is marked. y [count, 1] is the sum of the two marked numbers.
 */
function addingExamples(random, count) {
  const numbers = random.uniform(count * ADDING_STEPS);
  const steps = random.uniform(2 * count).map((u, i) => Math.floor(((u + (i % 2)) * ADDING_STEPS) / 2));
  const x = Float32Array.from({ length: 2 * numbers.length }, (_, i) => (i % 2 ? 0 : numbers[i / 2]));
  const y = Float32Array.from({ length: count }, (_, n) => {
    const marked = [steps[2 * n], steps[2 * n + 1]].map((step) => n * ADDING_STEPS + step);
    for (const index of marked) x[2 * index + 1] = 1;
    return numbers[marked[0]] + numbers[marked[1]];
  });
  return { x: tensor(x, [count, ADDING_STEPS, 2]), y: tensor(y, [count, 1]) };
}

/** Trains an LSTM on the adding problem, and prints its errors before and after rounding. */
async function measureMemory(seed) {
  const random = new RandomStream(seed, 'adding');
  const biasInitializer = chronoInitializer({ maxSteps: ADDING_STEPS });
  const model = sequential([lstm({ units: 128, biasInitializer }), dense({ units: 1 })], { seed });
  const batches = function* () {
    for (let step = 0; step < 1000; step++) yield addingExamples(random, 50);
  };
  const optimizer = { name: 'adam', learningRate: 2e-3 };
  const options = { loss: 'mse', optimizer, clip: { globalNorm: 1 }, epochs: 3, seed };
  for await (const event of train(model, { ...options, batches })) {
    if (event.type === 'epoch')
      console.error(`adding: loss ${event.loss.toFixed(4)}, epoch ${event.epoch} of 3`);
  }
  const validation = addingExamples(random, 1000);
  const targets = validation.y.dataSync();
  const rmse = (outputs) =>
    Math.sqrt(outputs.reduce((sum, value, i) => sum + (value - targets[i]) ** 2, 0) / targets.length).toFixed(
      5,
    );
  const original = (await predict(model, validation.x)).dataSync();
  roundWeights(model, 'float16');
  const rounded = (await predict(model, validation.x)).dataSync();
  const { mean, largest } = differences(original, rounded);
  console.log(
    `| adding, RMSE (the sums are between 0 and 2) | ${rmse(original)} | ${rmse(rounded)} | ${format(mean)} | ` +
      `${format(largest)} |`,
  );
}

/** Runs an example, with its output on stderr, and returns its exports, such as the trained model. */
async function runExample(example) {
  const { log } = console;
  console.log = console.error;
  const exports = await import(`../examples/dist/${example}.js`);
  console.log = log;
  return exports;
}

/** Prints the accuracy of the text-classification example before and after rounding. */
async function measureClassification() {
  const { model, x, y } = await runExample('text-classification');
  const [unseen, classes] = [x.slice(2400), y.slice(2400)];
  const run = async () => ({
    accuracy: (await model.evaluate(unseen, classes)).accuracy,
    probabilities: (await model.predict(unseen)).dataSync(),
  });
  const original = await run();
  roundWeights(model, 'float16');
  const rounded = await run();
  const { mean, largest } = differences(original.probabilities, rounded.probabilities);
  const accuracies = [original, rounded].map(({ accuracy }) => `${(100 * accuracy).toFixed(2)} %`);
  console.log(
    `| text-classification, accuracy on ${unseen.length} reviews | ${accuracies.join(' | ')} | ${format(mean)} | ` +
      `${format(largest)} |`,
  );
}

/** Prints the number of dates that the seq2seq example converts correctly, before and after rounding. */
async function measureTranslation() {
  const { validation, translate, translator } = await runExample('seq2seq');
  const countCorrect = async () => {
    const outputs = await translate(validation.map(({ words }) => words));
    return validation.filter(({ iso }, i) => iso === outputs[i]).length;
  };
  const original = await countCorrect();
  roundWeights(translator, 'float16');
  const rounded = await countCorrect();
  console.log(`| seq2seq, correct out of ${validation.length} dates | ${original} | ${rounded} | | |`);
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
if (parts.includes('states')) await measureStates(Number(values.seed));
if (parts.includes('memory') || parts.includes('examples')) {
  console.log(
    '\n| model | float32 | float16 | mean difference | largest difference |\n|---|---:|---:|---:|---:|',
  );
}
if (parts.includes('memory')) await measureMemory(Number(values.seed));
if (parts.includes('examples')) {
  await measureClassification();
  await measureTranslation();
}
