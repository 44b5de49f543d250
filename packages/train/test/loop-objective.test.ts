/** Tests of the training objective: losses, weights, gradient accumulation and several outputs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, type Model, matmul, mul, Parameter, type Tensor, tensor } from '@unroll/core';
import { dense, embedding, gru, input, l2, lstm, model, type Network, sequential } from '@unroll/nn';
import { evaluate, type FitOptions, fit, type Gradients, type StepEvent, train } from '@unroll/train';
import { fails } from './fails.js';
import { distance, forecaster, rows, waves, weightsOf } from './small-model.js';

const { x, y } = waves();
const common = { loss: 'mse', optimizer: 'sgd', shuffle: false } as const;

test('evaluate rejects the reduction `none`, and class weights for targets that are not classes', async () => {
  await assert.rejects(
    () => evaluate(forecaster(), { x, y }, { loss: { name: 'mse', reduction: 'none' } }),
    fails('value', /training and evaluation need a reduction to one number, got reduction "none"/),
  );
  await assert.rejects(
    () => evaluate(forecaster(), { x, y }, { loss: 'mse', classWeights: { 0: 2 } }),
    fails('value', /classWeights: the target of row 0 must be a class index, got /),
  );
});

/** Returns the weights of a network after training. */
async function weightsAfter(network: Network, options: Partial<FitOptions>): Promise<number[]> {
  await fit(network, { ...common, x, y, ...options } as FitOptions);
  return weightsOf(network);
}

describe('accumulation', () => {
  const cases: Record<string, Partial<FitOptions>> = {
    plain: {},
    'sample weights': { sampleWeights: Array.from({ length: 40 }, (_, i) => (i % 5) / 2) },
    clipping: { clip: { globalNorm: 0.05 } },
    'weighted mean': {
      loss: { name: 'mse', reduction: 'meanWithSampleWeight' },
      sampleWeights: Array.from({ length: 40 }, (_, i) => 0.5 + (i % 3)),
    },
    sums: { loss: { name: 'mse', reduction: 'sum' }, optimizer: { name: 'sgd', learningRate: 1e-3 } },
  };
  for (const [name, options] of Object.entries(cases)) {
    test(`accumulating 4 batches of 4 equals one batch of 16, including the incomplete last group of an epoch: ${name}`, async () => {
      const oneBatch = await weightsAfter(forecaster(), { ...options, batchSize: 16, epochs: 3 });
      const accumulated = await weightsAfter(forecaster(), {
        ...options,
        batchSize: 4,
        accumulate: 4,
        epochs: 3,
      });
      assert.ok(distance(oneBatch, accumulated) < 2e-6, `${distance(oneBatch, accumulated)}`);
      const incompleteGroup = await weightsAfter(forecaster(), {
        ...options,
        batchSize: 8,
        accumulate: 3,
        epochs: 3,
      });
      const batchOf24 = await weightsAfter(forecaster(), { ...options, batchSize: 24, epochs: 3 });
      assert.ok(distance(incompleteGroup, batchOf24) < 2e-6, `${distance(incompleteGroup, batchOf24)}`);
    });
  }

  test('batches are weighted by their numbers of valid steps', async () => {
    const words = tensor([
      [1, 2, 3, 0],
      [4, 0, 0, 0],
      [2, 2, 0, 0],
      [3, 1, 4, 1],
    ]);
    const tags = tensor([
      [0, 1, 1, 0],
      [1, 0, 0, 0],
      [0, 0, 0, 0],
      [1, 0, 1, 0],
    ]);
    const tagger = (): Network =>
      sequential(
        [
          embedding({ inputDim: 5, outputDim: 3, maskZero: true }),
          gru({ units: 3, returnSequences: true }),
          dense({ units: 2, kernelRegularizer: l2(0.1) }),
        ],
        { seed: 2 },
      );
    const loss = { name: 'sparseCategoricalCrossentropy', fromLogits: true } as const;
    const oneBatch = await weightsAfter(tagger(), { x: words, y: tags, loss, batchSize: 4 });
    const accumulated = await weightsAfter(tagger(), {
      x: words,
      y: tags,
      loss,
      batchSize: 1,
      accumulate: 4,
    });
    assert.ok(distance(oneBatch, accumulated) < 1e-6, `${distance(oneBatch, accumulated)}`);
  });

  test('events report which steps updated the weights', async () => {
    const steps: StepEvent[] = [];
    for await (const event of train(forecaster(), { ...common, x, y, batchSize: 8, accumulate: 2 })) {
      if (event.type === 'step') steps.push(event);
    }
    assert.deepEqual(
      steps.map(({ updated, updates }) => [updated, updates]),
      [
        [false, 0],
        [true, 1],
        [false, 1],
        [true, 2],
        [true, 3],
      ],
    );
  });
});

describe('sample weights and class weights', () => {
  test('a sample weight of 2 equals a duplicated example', async () => {
    const twice = { x: concat([x, rows(x, 0, 1)], 0), y: concat([y, rows(y, 0, 1)], 0) };
    const weights = Array.from({ length: 40 }, (_, i) => (i === 0 ? 2 : 1));
    const sum = { name: 'mse', reduction: 'sum' } as const;
    const optimizer = { name: 'sgd', learningRate: 1e-3 } as const;
    const doubled = await weightsAfter(forecaster(), { ...twice, loss: sum, optimizer, batchSize: 64 });
    const weighted = await weightsAfter(forecaster(), {
      sampleWeights: weights,
      loss: sum,
      optimizer,
      batchSize: 64,
    });
    assert.ok(distance(doubled, weighted) < 1e-6, `${distance(doubled, weighted)}`);
  });

  const words = tensor([
    [1, 2, 3],
    [4, 1, 2],
    [2, 2, 1],
    [3, 1, 4],
  ]);
  const classifier = (sequences = false): Network =>
    sequential([
      embedding({ inputDim: 5, outputDim: 3 }),
      lstm({ units: 3, returnSequences: sequences }),
      dense({ units: 2, activation: 'softmax' }),
    ]);
  const loss = 'sparseCategoricalCrossentropy';

  test('class weights are sample weights by class', async () => {
    const labels = tensor([0, 1, 1, 0]);
    const byClass = await weightsAfter(classifier(), { x: words, y: labels, loss, classWeights: { 1: 3 } });
    const bySample = await weightsAfter(classifier(), {
      x: words,
      y: labels,
      loss,
      sampleWeights: [1, 3, 3, 1],
    });
    assert.ok(distance(byClass, bySample) < 1e-7);
    assert.ok(distance(byClass, await weightsAfter(classifier(), { x: words, y: labels, loss })) > 1e-4);
  });

  test('class weights apply to evaluate() but not to the validation loss', async () => {
    const labels = tensor([0, 1, 1, 0]);
    const data = { x: words, y: labels };
    const network = classifier();
    const classWeights = { 1: 3 };
    const options = { ...data, loss, classWeights, optimizer: 'sgd', validationData: data } as const;
    const { validationLoss } = await fit(network, options);
    const { loss: plain } = await evaluate(network, data, { loss });
    const { loss: weighted } = await evaluate(network, data, { loss, classWeights });
    const sampleWeights = [1, 3, 3, 1];
    assert.deepEqual(validationLoss, [plain]);
    assert.equal(weighted, (await evaluate(network, { ...data, sampleWeights }, { loss })).loss);
    assert.notEqual(weighted, plain);
  });

  test('sample weights of 0 for single steps exclude these steps', async () => {
    const tags = tensor([
      [0, 1, 1],
      [1, 0, 0],
      [0, 0, 1],
      [1, 1, 0],
    ]);
    const otherTags = tensor([
      [0, 1, 0],
      [1, 0, 1],
      [0, 0, 0],
      [1, 1, 1],
    ]); // differs in the last step only
    const sampleWeights = Array.from({ length: 4 }, () => [1, 1, 0]);
    const a = await weightsAfter(classifier(true), { x: words, y: tags, loss, sampleWeights });
    const b = await weightsAfter(classifier(true), { x: words, y: otherTags, loss, sampleWeights });
    assert.deepEqual(a, b);
  });

  test('metrics ignore weights, weighted metrics use them', async () => {
    const labels = tensor([0, 1, 1, 0]);
    const network = classifier();
    const metrics = await evaluate(
      network,
      { x: words, y: labels, sampleWeights: [1, 0, 0, 1] },
      { loss, metrics: ['accuracy'], weightedMetrics: ['accuracy'] },
    );
    const unweighted = await evaluate(network, { x: words, y: labels }, { loss, metrics: ['accuracy'] });
    assert.equal(metrics.accuracy, unweighted.accuracy);
    const examplesOfWeightOne = tensor([
      [1, 2, 3],
      [3, 1, 4],
    ]);
    const ofWeightOne = await evaluate(
      network,
      { x: examplesOfWeightOne, y: tensor([0, 0]) },
      { loss, metrics: ['accuracy'] },
    );
    assert.equal(metrics.accuracy2, ofWeightOne.accuracy); // the second accuracy is the weighted one
  });
});

test('a parameter that a batch does not use has gradient 0', async () => {
  const [used, sometimes] = ['used', 'sometimes'].map((name) => new Parameter(name, [1, 1], [1]));
  let calls = 0;
  const model: Model = {
    ...{ name: 'model', built: true, parameters: [used!, sometimes!], config: {} },
    build: () => {},
    forward: ([sequence]) => {
      const y = matmul(sequence!.value, used!);
      return [{ value: calls++ === 0 ? mul(y, sometimes!) : y, mask: null }];
    },
  };
  const seen: number[][] = [];
  const data = { x: tensor([[1], [1], [1]]), y: tensor([[0], [0], [0]]) };
  const beforeUpdate = async (gradients: Gradients): Promise<void> =>
    void seen.push([...(await gradients.read())]);
  await fit(model, { ...common, ...data, batchSize: 1, beforeUpdate });
  assert.notEqual(seen[0]![1], 0);
  assert.deepEqual(
    seen.slice(1).map(([, second]) => second),
    [0, 0],
  );
});

test('metrics respect the mask of the model', async () => {
  const tagger = sequential([
    embedding({ inputDim: 4, outputDim: 2, maskZero: true }),
    gru({ units: 2, returnSequences: true }),
    dense({ units: 2, activation: 'softmax' }),
  ]);
  const options = { loss: 'sparseCategoricalCrossentropy', metrics: ['accuracy'] } as const;
  const words = tensor([
    [1, 2, 0, 0],
    [3, 0, 0, 0],
  ]);
  const evaluations = [
    [0, 1],
    [1, 0],
  ].map(([a, b]) =>
    evaluate(
      tagger,
      {
        x: words,
        y: tensor([
          [0, 1, a!, a!],
          [1, b!, b!, b!],
        ]),
      },
      options,
    ),
  );
  const [left, right] = await Promise.all(evaluations);
  assert.deepEqual(left, right);
});

describe('several outputs', () => {
  const twoHeads = (): ReturnType<typeof model> => {
    const source = input({ shape: [6, 1], name: 'source' });
    const h = lstm({ units: 4 }).apply(source);
    const value = dense({ units: 1, name: 'value' }).apply(h);
    const sign = dense({ units: 1, activation: 'sigmoid', name: 'sign' }).apply(h);
    return model({ inputs: source, outputs: [value, sign], seed: 5 });
  };
  const signs: Tensor = tensor(
    Float32Array.from(y.dataSync(), (value) => (value > 0 ? 1 : 0)),
    [40, 1],
  );
  const losses = { value: 'mse', sign: 'binaryCrossentropy' } as const;

  test('losses and metrics are assigned by name, and weighted', async () => {
    const network = twoHeads();
    const history = await fit(network, {
      ...{ x, y: [y, signs], loss: losses, lossWeights: { sign: 0.5 }, optimizer: 'adam', epochs: 2 },
      metrics: { sign: ['binaryAccuracy'] },
    });
    const { loss, metrics } = history;
    assert.deepEqual(Object.keys(metrics), ['valueLoss', 'signLoss', 'signBinaryAccuracy']);
    loss.forEach((total, i) => {
      assert.ok(Math.abs(total - (metrics.valueLoss![i]! + 0.5 * metrics.signLoss![i]!)) < 1e-6);
    });
  });

  test('the weight of a loss scales its gradient', async () => {
    const data = { x, y: [y, signs], loss: losses };
    const doubledLossWeights = twoHeads();
    await fit(doubledLossWeights, {
      ...data,
      lossWeights: { value: 2, sign: 2 },
      optimizer: { name: 'sgd', learningRate: 0.01 },
    });
    const doubledRate = twoHeads();
    await fit(doubledRate, { ...data, optimizer: { name: 'sgd', learningRate: 0.02 } });
    assert.ok(distance(weightsOf(doubledLossWeights), weightsOf(doubledRate)) < 1e-6);
  });

  test('each output has its own sample weights, in its loss and its weighted metrics', async () => {
    const network = twoHeads();
    const ones = tensor(new Float32Array(40).fill(1));
    const some = tensor(Float32Array.from({ length: 40 }, (_, i) => (i < 10 ? 1 : 0)));
    const options = { loss: losses, weightedMetrics: { value: ['mae'], sign: ['mae'] } } as const;
    const withWeights = await evaluate(network, { x, y: [y, signs], sampleWeights: [ones, some] }, options);
    const withoutWeights = await evaluate(network, { x, y: [y, signs] }, options);
    const firstExamples = { x: rows(x, 0, 10), y: [rows(y, 0, 10), rows(signs, 0, 10)] };
    const firstTen = await evaluate(network, firstExamples, options);
    assert.equal(withWeights.valueMae, withoutWeights.valueMae);
    assert.ok(Math.abs(withWeights.signMae! - firstTen.signMae!) < 1e-6);
    assert.ok(
      Math.abs(withWeights.signLoss! - firstTen.signLoss! / 4) < 1e-6,
      'the loss is divided by the batch size, not by the sum of the weights',
    );
  });

  test('losses can be given as a list in output order or by name; an output without a loss is not trained', async () => {
    const named = twoHeads();
    const listed = twoHeads();
    await fit(named, { x, y: [y, signs], loss: losses, optimizer: 'sgd' });
    await fit(listed, { x, y: [y, signs], loss: ['mse', 'binaryCrossentropy'], optimizer: 'sgd' });
    assert.deepEqual(weightsOf(named), weightsOf(listed));
    const trainedOnValue = twoHeads();
    trainedOnValue.build(trainedOnValue.inputShapes);
    const before = trainedOnValue.getLayer('sign').getWeights();
    await fit(trainedOnValue, { x, y, loss: { value: 'mse' }, optimizer: 'sgd' });
    assert.deepEqual(trainedOnValue.getLayer('sign').getWeights(), before);
    assert.notDeepEqual(weightsOf(trainedOnValue), weightsOf(twoHeads()));
  });

  test('errors name the outputs', async () => {
    const wrong = (options: Partial<FitOptions>): Promise<unknown> =>
      fit(twoHeads(), { ...common, x, y: [y, signs], ...options } as FitOptions);
    await assert.rejects(
      wrong({ loss: { values: 'mse' } }),
      fails('value', /no output "values".*value, sign/s),
    );
    await assert.rejects(
      wrong({ loss: ['mse'] }),
      fails('value', /loss must have 2 entries, one for each output, got 1/s),
    );
    await assert.rejects(
      wrong({ loss: losses, y }),
      fails('value', /y must have one tensor for each of the 2 outputs with a loss .*, got 1/),
    );
    await assert.rejects(wrong({ loss: {} }), fails('value', /No output has a loss/));
    await assert.rejects(wrong({ loss: losses, classWeights: { 1: 2 } }), fails('value', /one output/));
  });
});
