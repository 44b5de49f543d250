/** All forms of training data: the same examples must give the same trained weights in any form. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tensor } from '@unroll/core';
import {
  type Batches,
  type Examples,
  evaluate,
  type FitOptions,
  fit,
  type TrainOptions,
  train,
} from '@unroll/train';
import { fails } from './fails.js';
import { forecaster, rows, waves, weightsOf } from './small-model.js';

const { x, y } = waves();
const common = { loss: 'mse', optimizer: 'adam', epochs: 3 } as const;

/** Batches of 16, 16 and 8. */
const threeBatches = (): Examples[] =>
  [0, 16, 32].map((from) => ({
    x: rows(x, from, Math.min(from + 16, 40)),
    y: rows(y, from, Math.min(from + 16, 40)),
  }));

async function trainedWeights(data: Partial<FitOptions>): Promise<number[]> {
  const model = forecaster();
  await fit(model, { ...common, shuffle: false, ...data } as FitOptions);
  return weightsOf(model);
}

describe('forms of data', () => {
  const forms: Record<string, () => Partial<FitOptions>> = {
    'nested arrays': () => ({ x: x.toArray(), y: y.toArray(), batchSize: 16 }),
    'targets without the last axis of size 1': () => ({ x, y: tensor(y.dataSync()), batchSize: 16 }),
    'an array of batches': () => ({ batches: threeBatches() }),
    'a generator function': () => ({
      batches: function* () {
        yield* threeBatches();
      },
    }),
    'an async generator function': () => ({
      batches: async function* () {
        for (const batch of threeBatches()) yield await Promise.resolve(batch);
      },
    }),
    'an endless generator with stepsPerEpoch': () => ({ batches: endless(), stepsPerEpoch: 3 }),
    'inputs and targets in lists of one tensor': () => ({ x: [x], y: [y], batchSize: 16 }),
  };
  function* endless(): Generator<Examples> {
    for (;;) yield* threeBatches();
  }
  for (const [name, data] of Object.entries(forms)) {
    test(`${name}: the trained weights are the same as with tensors`, async () => {
      const expected = await trainedWeights({ x, y, batchSize: 16 });
      assert.deepEqual(await trainedWeights(data()), expected);
    });
  }
});

test('shuffling is reproducible, and depends on the seed', async () => {
  const run = (seed: number) => trainedWeights({ x, y, batchSize: 16, shuffle: true, seed });
  const first = await run(1);
  assert.deepEqual(await run(1), first);
  assert.notDeepEqual(await run(2), first);
  assert.notDeepEqual(await trainedWeights({ x, y, batchSize: 16 }), first);
});

test('validationSplit reserves the last examples for validation, before shuffling', async () => {
  const splitByOption = forecaster();
  const splitByHand = forecaster();
  const a = await fit(splitByOption, { ...common, x, y, validationSplit: 0.25 });
  const validationData = { x: rows(x, 30, 40), y: rows(y, 30, 40) };
  const b = await fit(splitByHand, { ...common, x: rows(x, 0, 30), y: rows(y, 0, 30), validationData });
  assert.deepEqual(weightsOf(splitByOption), weightsOf(splitByHand));
  assert.deepEqual(a.validationLoss, b.validationLoss);
  assert.equal(a.validationLoss.length, 3);
});

test('the results of evaluate do not depend on the batch size', async () => {
  const model = forecaster();
  model.build([[-1, 6, 1]]);
  const results = [];
  for (const batchSize of [3, 7, 40]) {
    results.push(await evaluate(model, { x, y }, { loss: 'mse', metrics: ['mae'], batchSize }));
  }
  for (const { loss, mae } of results) {
    assert.ok(Math.abs(loss! - results[0]!.loss!) < 1e-6 && Math.abs(mae! - results[0]!.mae!) < 1e-6);
  }
});

describe('invalid data and options are rejected', () => {
  const consume = async (data: Partial<TrainOptions>): Promise<void> => {
    for await (const _ of train(forecaster(), { ...common, ...data } as TrainOptions));
  };
  const cases: [string, () => Partial<TrainOptions>, Parameters<typeof fails>][] = [
    ['fewer targets', () => ({ x, y: rows(y, 0, 39) }), ['shape', /x has 40 examples .* but y has 39/]],
    [
      'no examples',
      () => ({ x: tensor([], [0, 6, 1]), y: tensor([], [0, 1]) }),
      ['value', /There are no examples/],
    ],
    [
      'fewer sample weights than examples',
      () => ({ x, y, sampleWeights: [1, 2] }),
      ['shape', /sampleWeights has 2 examples/],
    ],
    [
      'a mask with fewer steps than the input',
      () => ({ x, y, mask: tensor(new Float32Array(200), [40, 5]) }),
      ['shape', /mask \[40, 5\] must have as many steps as an input/],
    ],
    [
      'sample weights for more outputs than the model has',
      () => ({ x, y, sampleWeights: [null, null, null] }),
      ['value', /sampleWeights must have one entry for each of the 1 outputs with a loss .* got 3 entries/],
    ],
    [
      'masks for more inputs than the model has',
      () => ({ x, y, mask: [null, null] }),
      ['shape', /mask must have one entry per input \(1\), got 2\./],
    ],
    [
      'a split without training examples',
      () => ({ x, y, validationSplit: 0.999 }),
      ['value', /validationSplit must be above 0.*got/],
    ],
    [
      'a split of 1',
      () => ({ x, y, validationSplit: 1 }),
      ['value', /validationSplit must be above 0, below 1.*got 1\.$/],
    ],
    [
      'a split and validation data',
      () => ({ x, y, validationSplit: 0.5, validationData: { x, y } }),
      ['value', /not both/],
    ],
    [
      'a split of an iterable',
      () => ({ batches: threeBatches(), validationSplit: 0.5 }),
      ['value', /validationSplit requires x and y, but batches were given/],
    ],
    [
      'a generator that was already used',
      () => ({ batches: once() }),
      ['value', /There are no batches in epoch 2.*a function that returns a new one/s],
    ],
    [
      'too few batches',
      () => ({ batches: threeBatches(), stepsPerEpoch: 4 }),
      ['value', /ended after 3 of 4 batches/],
    ],
    [
      'an empty iterable',
      () => ({ batches: [] as Examples[] }),
      ['value', /There are no batches in epoch 1/],
    ],
    ['epochs of 0', () => ({ x, y, epochs: 0 }), ['value', /epochs must be a positive integer, got 0/]],
    [
      'two targets for one output',
      () => ({ x, y: [y, y] }),
      ['value', /y must have one tensor for each of the 1 outputs with a loss .*, got 2/s],
    ],
  ];
  function* once(): Generator<Examples> {
    yield* threeBatches();
  }
  for (const [name, data, expected] of cases) {
    test(name, () => assert.rejects(async () => consume(data()), fails(...expected)));
  }
});

test('closes an iterable that training does not read to its end', async () => {
  let closed = 0;
  const batches: Batches = () => ({
    *[Symbol.iterator](): Generator<Examples> {
      try {
        for (;;) yield* threeBatches();
      } finally {
        closed++;
      }
    },
  });
  for await (const event of train(forecaster(), { ...common, batches })) if (event.type === 'step') break;
  assert.equal(closed, 1);
});

test('masked steps at the end have the same effect as shorter sequences', async () => {
  const valid: number[][] = Array.from({ length: 40 }, () => [1, 1, 1, 1, 0, 0]);
  const short = Float32Array.from(
    { length: 40 * 4 },
    (_, i) => x.dataSync()[Math.floor(i / 4) * 6 + (i % 4)]!,
  );
  const masked = await trainedWeights({ x, y, mask: valid, batchSize: 40 });
  const cropped = await trainedWeights({ x: tensor(short, [40, 4, 1]), y, batchSize: 40 });
  const maxDifference = masked.reduce(
    (largest, value, i) => Math.max(largest, Math.abs(value - cropped[i]!)),
    0,
  );
  assert.ok(maxDifference < 1e-6, `${maxDifference}`);
});
