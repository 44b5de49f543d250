/**
 * Inspects an LSTM before and after it learns to repeat its input five steps later: how far it looks back, what its gates do,
 * and how much of the gradient reaches earlier steps. The images are written to the folder given as argument.
 *
 *     node insight.js [folder]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dense, lstm, RandomStream, sequential, tensor } from 'unrolljs';
import {
  ablate,
  gateFigure,
  gradientFlow,
  lagCurves,
  lagFigure,
  memoryLength,
  recorder,
  saturation,
  trace,
  unrolledFigure,
} from 'unrolljs/insight';

const [DELAY, STEPS, EXAMPLES] = [5, 30, 256];
const random = new RandomStream(7);
const numbers = random.uniform(EXAMPLES * STEPS, -1, 1);
const x = tensor(Float32Array.from(numbers), [EXAMPLES, STEPS, 1]);
const delayed = numbers.map((_, i) => (i % STEPS < DELAY ? 0 : numbers[i - DELAY]));
const y = tensor(Float32Array.from(delayed), [EXAMPLES, STEPS, 1]);
const sample = tensor(Float32Array.from(numbers.subarray(0, 16 * STEPS)), [16, STEPS, 1]);

const model = sequential([lstm({ units: 24, returnSequences: true }), dense({ units: 1 })], { seed: 3 });
model.compile({ loss: 'mse', optimizer: { name: 'adam', learningRate: 0.01 } });

async function report(title: string): Promise<void> {
  const { median } = await memoryLength(model, sample);
  const [{ states, forgetProduct }] = (await gradientFlow(model, sample)).layers;
  const [{ gates, dead, halfLife }] = await saturation(model, sample);
  const lifetimes = Array.from(halfLife ?? []).sort((a, b) => a - b);
  console.log(title);
  console.log(`  looks back ${median} steps (median of ${sample.shape[0]} sequences)`);
  console.log(`  d output / d c at lag 5, relative to lag 0: ${states.c.relative.mean[5].toFixed(3)}`);
  console.log(`  product of the forget gates over 5 steps: ${forgetProduct?.mean[5].toFixed(3)}`);
  console.log(`  forget gates above 0.95: ${(100 * gates.f.high).toFixed(1)} %, dead units: ${dead.length}`);
  console.log(
    `  half-life of a unit: ${lifetimes[0].toFixed(1)} to ${lifetimes[lifetimes.length - 1].toFixed(1)} steps`,
  );
}

await report('before training');
const records = recorder({ x: sample, every: 100 });
const history = await model.fit(x, y, { epochs: 60, batchSize: 32, verbose: 0, callbacks: [records] });
console.log(
  `\nloss ${history.loss[0].toFixed(3)} in the first epoch, ${history.loss[59].toFixed(4)} in the last one\n`,
);
await report('after training');

console.log('\nloss of the trained model with one gate forced to a constant value');
const lossOf = async (network: Parameters<typeof trace>[0]): Promise<number> => {
  const { outputs } = await trace(network, x);
  const target = await y.data();
  const squares = Array.from(outputs[0].values, (value, i) => (value - target[i]) ** 2);
  return squares.reduce((sum, square) => sum + square, 0) / squares.length;
};
for (const [gate, value] of [
  ['f', 0],
  ['f', 1],
  ['o', 1],
  ['i', 1],
] as const)
  console.log(
    `  ${gate} = ${value}: ${(await lossOf(ablate(model, { layer: 'lstm', gate, value }))).toFixed(3)}`,
  );

const last = records.records[records.records.length - 1];
console.log(`\nat update ${last.updates}`);
for (const { layer, gradientNorm, updateRatio } of last.layers)
  console.log(
    `  ${layer}: gradient norm ${gradientNorm.toFixed(4)}, update / weights ${updateRatio.toExponential(1)}`,
  );

const folder = process.argv[2];
if (folder) {
  mkdirSync(folder, { recursive: true });
  const traced = await trace(model, sample, { inputs: true });
  const images = {
    gates: gateFigure(traced.layers[0]),
    unrolled: unrolledFigure(traced),
    gradient: lagFigure(lagCurves(await gradientFlow(model, sample))),
  };
  for (const [name, svg] of Object.entries(images)) writeFileSync(join(folder, `${name}.svg`), svg);
}
