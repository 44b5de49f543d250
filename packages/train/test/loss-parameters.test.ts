/**
 * Parameters of losses: they are trained, clipped, averaged, regularised and constrained like those of the model, resumed
 * with bit-identical results, restored by early stopping and the learning-rate finder, and named in errors if they are not
 * finite.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mul, RandomStream, sqrt, square, type Tensor, tensor, zeros } from '@unroll/core';
import { dense, lstm, masking, type Network, sequential } from '@unroll/nn';
import {
  decodeCheckpoint,
  earlyStopping,
  encodeCheckpoint,
  evaluate,
  findLearningRate,
  fit,
  type Loss,
  losses,
  type RunSnapshot,
  type TrainOptions,
  train,
} from '@unroll/train';
import { emptyHistory } from '@unroll/train/internal';
import { type BagOptions, bagOfLabels } from './bag-loss.js';
import { fails } from './fails.js';
import { weightsOf } from './small-model.js';

const [N, T, I, K] = [24, 5, 2, 3];

/**
 * Returns sequences of 2 to 5 steps, padded with zeros, and their labels. Each sequence has one to three equal labels: 1 if its
 * first value is positive, otherwise b % K for sequence b.
 */
function examples(): { x: Tensor; y: Tensor } {
  const numbers = new RandomStream(5).normal(N * T * I);
  const x = Float32Array.from(numbers, (value, i) =>
    Math.floor(i / I) % T < 2 + (Math.floor(i / I / T) % 4) ? value : 0,
  );
  const y = Float32Array.from({ length: N * 4 }, (_, i) => {
    const b = Math.floor(i / 4);
    return i % 4 <= b % 3 ? (numbers[b * T * I] > 0 ? 1 : b % K) : -1;
  });
  return { x: tensor(x, [N, T, I]), y: tensor(y, [N, 4]) };
}

const { x, y } = examples();
const network = (): Network =>
  sequential([masking(), lstm({ units: 4, returnSequences: true }), dense({ units: K })], { seed: 3 });
const sharpnessOf = (loss: Loss): number => loss.parameters![0].item();

const optionsFor = (loss: Loss): TrainOptions => ({
  ...{ x, y, loss, batchSize: 8, accumulate: 2, epochs: 4, seed: 2 },
  ...{
    optimizer: { name: 'adam', learningRate: 0.05 },
    clip: { globalNorm: 0.5 },
    average: { momentum: 0.9 },
  },
});

async function trainWith(
  options: BagOptions,
  resume?: RunSnapshot,
): Promise<{ loss: Loss; model: Network; losses: number[] }> {
  const [model, loss, losses] = [network(), bagOfLabels(options), [] as number[]];
  for await (const event of train(model, { ...optionsFor(loss), ...(resume && { resume }) })) {
    if (event.type === 'epoch') losses.push(event.loss);
  }
  return { loss, model, losses };
}

describe('the parameters of a loss', () => {
  test('are built with the model and trained with it', async () => {
    const { loss, losses } = await trainWith({});
    assert.deepEqual(
      loss.parameters!.map(({ name, shape }) => [name, shape]),
      [['loss/output/sharpness', []]],
    );
    assert.ok(losses.at(-1)! < losses[0], `${losses}`);
    assert.ok(Math.abs(sharpnessOf(loss) - 1) > 0.05, `${sharpnessOf(loss)}`);
    const { loss: frozen } = await trainWith({ parameterOptions: { trainable: false } });
    assert.equal(sharpnessOf(frozen), 1);
  });

  test('resume with bitwise equal results from any event, also from an encoded checkpoint', async () => {
    const uninterrupted = await trainWith({});
    for (const stop of [1, 2, 3, 5, 8]) {
      const run = train(network(), optionsFor(bagOfLabels()));
      let [seen, saved]: [number, RunSnapshot | null] = [0, null];
      for await (const _ of run) {
        if (++seen < stop) continue;
        saved = await run.snapshot();
        break;
      }
      const bytes = encodeCheckpoint({ run: saved!, callbacks: {}, history: emptyHistory() });
      const resumed = await trainWith({}, decodeCheckpoint(bytes).run);
      assert.deepEqual(weightsOf(resumed.model), weightsOf(uninterrupted.model), `from event ${stop}`);
      assert.equal(sharpnessOf(resumed.loss), sharpnessOf(uninterrupted.loss));
    }
    const run = train(network(), optionsFor(bagOfLabels()));
    await run.next();
    const saved = (await run.snapshot())!;
    const { 'weights/loss/output/sharpness': _gone, ...tensors } = saved.tensors;
    await assert.rejects(
      trainWith({}, { ...saved, tensors }),
      fails('state', /loss\/output\/sharpness, of shape \[\] in this model, is missing from the checkpoint/),
    );
  });

  test('support regularisers and constraints, in training and in evaluate', async () => {
    const [model, plain] = [network(), bagOfLabels()];
    const regularized = bagOfLabels({ parameterOptions: { regularizer: (s) => mul(square(s), 10) } });
    const first = await evaluate(model, { x, y }, { loss: plain });
    const second = await evaluate(model, { x, y }, { loss: regularized });
    assert.ok(Math.abs(second.loss! - first.loss! - 10) < 1e-5, `${second.loss} and ${first.loss}`);
    const { loss } = await trainWith({ parameterOptions: { regularizer: (s) => mul(square(s), 10) } });
    assert.ok(sharpnessOf(loss) < 0.9);
    const { loss: constrained } = await trainWith({ parameterOptions: { constraint: (s) => mul(s, 0) } });
    assert.ok(Math.abs(sharpnessOf(constrained)) < 0.2); // the average of 1 and zeros
  });

  test('are restored by early stopping and by the learning-rate finder', async () => {
    const [model, loss] = [network(), bagOfLabels()];
    await findLearningRate(model, { x, y, loss, optimizer: 'sgd', steps: 5, from: 0.1, to: 1 });
    assert.equal(sharpnessOf(loss), 1);
    let best = Number.NaN;
    await fit(model, {
      ...{ x, y, loss, optimizer: { name: 'sgd', learningRate: 0.1 }, epochs: 3 },
      callbacks: [
        earlyStopping({ monitor: 'loss', mode: 'max', patience: 1, restoreBestWeights: true }),
        { name: 'readSharpness', onEvent: (event) => { if (event.type === 'epoch' && event.epoch === 1) best = sharpnessOf(loss); } }, // biome-ignore format: one line
      ],
    });
    assert.equal(sharpnessOf(loss), best);
    assert.notEqual(best, 1);
  });

  test('are named if they are not finite', async () => {
    const loss = bagOfLabels({ start: Number.NaN });
    const run = train(network(), optionsFor(loss));
    await assert.rejects(
      run.next(),
      fails(
        'nan',
        /The weights loss\/output\/sharpness of the loss of the output "output" became non-finite/,
      ),
    );
  });

  test('are named if their gradient is not finite', async () => {
    const parameterOptions = { regularizer: (s: Tensor) => sqrt(mul(s, 0)) }; // 0, with the gradient 0 · ∞
    const run = train(network(), optionsFor(bagOfLabels({ parameterOptions })));
    await assert.rejects(
      run.next(),
      fails(
        'nan',
        /The gradient of the weights loss\/output\/sharpness of the loss of the output "output" is not finite/,
      ),
    );
  });

  test('must have initial values that match their shape', async () => {
    const loss = losses.sequence({
      name: 'short',
      build: (_shape, make) => ({ w: make('w', [2, 2], () => [1, 2, 3]) }),
      losses: ({ lengths }) => zeros([lengths.length]),
    });
    await assert.rejects(
      evaluate(network(), { x, y }, { loss }),
      fails('shape', /The initializer of loss\/output\/w must return 4 values for \[2, 2\], got 3\./),
    );
  });

  test('need a model with outputShapes(), and cannot be combined with class weights', async () => {
    const model = network();
    const withoutShapes = {
      name: 'withoutShapes',
      built: true,
      parameters: model.parameters,
      config: {},
      build: () => {},
      forward: model.forward.bind(model),
    };
    await assert.rejects(
      evaluate(withoutShapes, { x, y }, { loss: bagOfLabels() }),
      fails(
        'state',
        /withoutShapes must have outputShapes\(\) to build the parameters of the loss bagOfLabels/,
      ),
    );
    await assert.rejects(
      evaluate(model, { x, y }, { loss: bagOfLabels(), classWeights: [1, 2] }),
      fails('value', /classWeights cannot be used with bagOfLabels, a loss of whole sequences/),
    );
  });
});
