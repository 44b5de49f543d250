/**
 * Layers in training: dropout and its seeds, moving statistics, regularisers in the loss, constraints after each update,
 * frozen layers, and states carried from call to call.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type ForwardContext,
  mean,
  mul,
  predict,
  RandomStream,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@unroll/core';
import { backendSync, inferenceContext } from '@unroll/core/internal';
import {
  activation,
  batchNormalization,
  bidirectional,
  dense,
  dropout,
  embedding,
  gru,
  gruCell,
  type Layer,
  l1,
  l2,
  lstm,
  lstmCell,
  maxNorm,
  nonNeg,
  recurrent,
  sequential,
  simpleRNN,
  stackedCells,
  timeDistributed,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { fit, losses, sgd } from '@unroll/train';
import { outputsAndGradients, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const zeroFraction = (tensor: Tensor): number => {
  const values = tensor.dataSync();
  return values.filter((value) => value === 0).length / values.length;
};

test('penalties of layers are computed only if they are needed', async () => {
  const model = sequential([dense({ units: 1, kernelRegularizer: 'l2', activityRegularizer: 'l1' })]);
  model.build([[-1, 2]]);
  model.parameters[0]!.regularizer = () => assert.fail('computed');
  const x = tensor([[1, 2]]);
  await predict(model, x);
  assert.throws(
    () =>
      model.forward(
        [{ value: x, mask: null }],
        inferenceContext(() => {}),
      ),
    /computed/,
  );
});

describe('dropout', () => {
  const x = tensor(new Array(4000).fill(1), [40, 10, 10]);

  test('drops the given fraction in training and scales up the rest; does nothing at inference', () => {
    const layer = dropout({ rate: 0.3 });
    const y = run(layer, x, { training: true })[0]!.value;
    assert.ok(Math.abs(zeroFraction(y) - 0.3) < 0.03);
    assert.ok(y.dataSync().every((value) => value === 0 || Math.abs(value - 1 / 0.7) < 1e-6));
    assert.deepEqual(run(layer, x)[0]!.value, x);
  });

  test('noiseShape shares the mask along axes of size 1', () => {
    const y = run(dropout({ rate: 0.5, noiseShape: [null, 1, null] }), x, { training: true })[0]!.value;
    const rows = y.toArray() as number[][][];
    for (const row of rows) for (const step of row) assert.deepEqual(step, row[0]);
    assert.ok(Math.abs(zeroFraction(y) - 0.5) < 0.1);
  });

  test('draws its mask from the random stream of the training step, or from a separate stream if the layer has a seed', () => {
    const first = (layer: Layer, seed: number): number[] => [
      ...run(layer, x, { training: true, seed })[0]!.value.dataSync(),
    ];
    const plain = dropout({ rate: 0.5 });
    assert.deepEqual(first(plain, 1), first(plain, 1));
    assert.notDeepEqual(first(plain, 1), first(plain, 2));
    // A layer with a seed has a separate random stream, which does not depend on earlier draws.
    const seeded = sequential([dropout({ rate: 0.5 }), dropout({ rate: 0.5, seed: 3, name: 'own' })]);
    const alone = run(seeded.getLayer('own'), x, { training: true, seed: 1 })[0]!.value.dataSync();
    const afterBoth = run(seeded, x, { training: true, seed: 1 })[0]!.value.dataSync();
    alone.forEach((value, i) => void assert.ok(value !== 0 || afterBoth[i] === 0));
    // Two layers with the same seed have different masks in a step.
    const twice = sequential([dropout({ rate: 0.5, seed: 3 }), dropout({ rate: 0.5, seed: 3 })]);
    assert.ok(zeroFraction(run(twice, x, { training: true })[0]!.value) > 0.7);
  });

  for (const [name, make] of Object.entries({
    simpleRNN: (o: object) => simpleRNN({ units: 4, ...o }),
    lstm: (o: object) => lstm({ units: 4, ...o }),
    gru: (o: object) => gru({ units: 4, ...o }),
  })) {
    test(`in ${name}, all steps share one mask of the inputs and one mask of the state in the recurrent products`, () => {
      onBackend(float64, () => {
        const data = randomTensor('x', 3, 5, 2);
        const layer = make({ dropout: 0.5, recurrentDropout: 0.5, seed: 5, returnSequences: true });
        const got = run(layer, data, { training: true, seed: 9 })[0]!.value;
        // The layer draws these masks, too: first for the inputs, then for the state.
        const random = new RandomStream(9, 'run').child('seed', 5);
        const inputMask = random.dropoutMask([3, 2], 0.5);
        const recurrentDropoutMask = random.dropoutMask([3, 4], 0.5);
        const dropped = mul(data, tensor(inputMask.dataSync(), [3, 1, 2]));
        const layout = {
          returnSequences: true,
          reverse: false,
          timeOrder: false,
          zeroOutputForMask: false,
        };
        const rest = { mask: null, recurrentDropoutMask, constants: {}, prepared: {} };
        const want = layer.run(dropped, null, { ...layout, ...rest }).y;
        assert.deepEqual(got.dataSync(), want.dataSync());
        assert.notDeepEqual(got.dataSync(), run(layer, data)[0]!.value.dataSync());
      });
    });
  }

  test('each cell of a stack has its own mask', () => {
    onBackend(float64, () => {
      const cells = stackedCells([
        lstmCell({ units: 6, dropout: 0.5 }),
        gruCell({ units: 5, recurrentDropout: 0.5 }),
      ]);
      const layer = recurrent(cells, { returnSequences: true });
      const data = randomTensor('x', 2, 4, 3);
      const fused = run(layer, data, { training: true, seed: 1 })[0]!.value;
      layer.stepwise = true;
      const stepped = run(layer, data, { training: true, seed: 1 })[0]!.value;
      assert.equal(mismatch('stepped', stepped.dataSync(), fused.dataSync(), 1e-14), null);
      assert.notDeepEqual(fused.dataSync(), run(layer, data)[0]!.value.dataSync());
    });
  });
});

describe('regularisers', () => {
  test('of weights are added once per step, also in nested models', () => {
    onBackend(float64, () => {
      const outer = dense({
        units: 2,
        kernelRegularizer: l2(0.5),
        biasRegularizer: l1(2),
        biasInitializer: 'ones',
      });
      const inner = sequential([gru({ units: 2, recurrentRegularizer: l2(3), returnSequences: true })]);
      const network = sequential([outer, inner, activation('tanh')]);
      const terms: number[] = [];
      const context: ForwardContext = {
        ...inferenceContext(),
        addLoss: (term) => void terms.push(term.item()),
      };
      network.forward([{ value: randomTensor('x', 2, 3, 2), mask: null }], context);
      const [W, b, , U] = network.parameters;
      const want = [0.5 * sum(square(W!)).item(), 2 * sum(b!).item(), 3 * sum(square(U!)).item()];
      assert.equal(terms.length, 3);
      terms.forEach((term, i) => void assert.ok(Math.abs(term - want[i]!) < 1e-12));
    });
  });

  test('of frozen weights are not added', () => {
    const network = sequential([dense({ units: 2, kernelRegularizer: 'l2', trainable: false })]);
    let terms = 0;
    network.forward([{ value: randomTensor('x', 2, 3), mask: null }], {
      ...inferenceContext(),
      addLoss: () => void terms++,
    });
    assert.equal(terms, 0);
  });

  test('shrink the weights if there is no other gradient', async () => {
    const network = sequential([dense({ units: 1, useBias: false, kernelRegularizer: l2(0.1) })]);
    network.build([[-1, 2]]);
    const [before] = network.getWeights();
    // Inputs are 0, so the only gradient is the gradient of the regulariser, 2 · 0.1 · w.
    const data = { x: tensor([[0, 0]]), y: tensor([[0]]) };
    await fit(network, { ...data, loss: losses.mse(), optimizer: sgd({ learningRate: 0.5 }), epochs: 1 });
    const [after] = network.getWeights();
    after!.values.forEach((value, i) => void assert.ok(Math.abs(value - 0.9 * before!.values[i]!) < 1e-6));
  });
});

describe('constraints', () => {
  test('hold for their weights after every update', async () => {
    const network = sequential([
      dense({ units: 3, kernelConstraint: maxNorm({ maxValue: 0.1 }), name: 'bound' }),
      dense({ units: 1, kernelConstraint: nonNeg(), kernelInitializer: 'glorotUniform', name: 'free' }),
    ]);
    const data = { x: randomTensor('x', 16, 4), y: randomTensor('y', 16, 1) };
    await fit(network, {
      ...data,
      loss: losses.mse(),
      optimizer: sgd({ learningRate: 1 }),
      epochs: 2,
      batchSize: 4,
    });
    const [bound, bias, free] = network.parameters;
    const norms = [0, 1, 2].map((unit) =>
      Math.hypot(...(bound!.toArray() as number[][]).map((row) => row[unit]!)),
    );
    for (const norm of norms) assert.ok(norm <= 0.1 + 1e-6);
    assert.ok(free!.dataSync().every((value) => value >= 0));
    assert.ok(Math.hypot(...bias!.dataSync()) > 0);
  });
});

describe('frozen layers', () => {
  test('keep their weights and their statistics', async () => {
    const network = sequential([
      embedding({ inputDim: 5, outputDim: 3, trainable: false }),
      batchNormalization({ trainable: false }),
      gru({ units: 2, name: 'reader' }),
      dense({ units: 1 }),
    ]);
    network.build([[-1, 4]]);
    network.getLayer('reader').trainable = false;
    const before = network.getWeights();
    const data = {
      x: tensor([
        [1, 2, 3, 4],
        [4, 3, 2, 1],
      ]),
      y: tensor([[1], [2]]),
    };
    await fit(network, { ...data, loss: losses.mse(), optimizer: sgd({ learningRate: 0.1 }), epochs: 2 });
    const changed = network
      .getWeights()
      .flatMap(({ name, values }, i) =>
        values.every((value, k) => value === before[i]!.values[k]) ? [] : [name],
      );
    assert.deepEqual(changed, ['dense/kernel', 'dense/bias']);
    assert.match(network.summary(), /trainable 3, not trainable/);
  });

  test('freezing a wrapper freezes its inner layers, also before it is built', () => {
    const layers = [
      bidirectional(lstm({ units: 2 }), { trainable: false }),
      timeDistributed(dense({ units: 1 }), { trainable: false }),
      sequential([lstm({ units: 1 })], { trainable: false }),
    ];
    for (const layer of layers) {
      run(layer, randomTensor('x', 2, 3, 2));
      assert.ok(layer.parameters.length > 0 && layer.parameters.every(({ trainable }) => !trainable));
      layer.trainable = true;
      assert.ok(layer.parameters.every(({ trainable }) => trainable));
    }
  });

  test('statistics stay untrainable when a layer is made trainable again', () => {
    const layer = batchNormalization();
    run(layer, randomTensor('x', 4, 2));
    layer.trainable = false;
    layer.trainable = true;
    assert.deepEqual(
      layer.parameters.map(({ trainable }) => trainable),
      [true, true, false, false],
    );
  });
});

test('moving statistics converge to the statistics of the data', async () => {
  const network = sequential([batchNormalization({ momentum: 0.5 }), dense({ units: 1 })]);
  const x = tensor(
    randomTensor('x', 64, 2)
      .dataSync()
      .map((value, i) => (i % 2 ? 3 * value + 5 : value)),
    [64, 2],
  );
  const data = { x, y: randomTensor('y', 64, 1) };
  await fit(network, {
    ...data,
    loss: losses.mse(),
    optimizer: sgd({ learningRate: 0.01 }),
    epochs: 30,
    batchSize: 64,
  });
  const [, , movingMean, movingVariance] = network.getWeights().map(({ values }) => [...values]);
  const center = [...mean(x, 0).dataSync()];
  const spread = [...mean(square(sub(x, mean(x, 0, true))), 0).dataSync()];
  center.forEach((value, i) => void assert.ok(Math.abs(value - movingMean![i]!) < 1e-3));
  spread.forEach((value, i) => void assert.ok(Math.abs(value - movingVariance![i]!) < 1e-2));
});

describe('stateful layers', () => {
  const x = randomTensor('x', 2, 6, 3);
  const halves = (values: Tensor): Tensor[] => {
    const rows = values.toArray() as number[][][];
    return [rows.map((row) => row.slice(0, 3)), rows.map((row) => row.slice(3))].map((part) => tensor(part));
  };

  test('two calls on the halves of a sequence equal one call on the whole, also in nested models', () => {
    onBackend(float64, () => {
      const make = (stateful: boolean) =>
        sequential([
          lstm({ units: 3, returnSequences: true, stateful }),
          sequential([gru({ units: 2, stateful })]),
        ]);
      const carried = make(true);
      const whole = run(make(false), x)[0]!.value.dataSync();
      const [first, second] = halves(x);
      for (let round = 0; round < 2; round++) {
        run(carried, first!);
        const got = run(carried, second!)[0]!.value.dataSync();
        assert.equal(mismatch('second call', got, whole, 1e-14), null);
        carried.resetStates();
      }
    });
  });

  test('their states can be saved and restored, as in a checkpoint', () => {
    onBackend(float64, () => {
      const network = sequential([lstm({ units: 3, stateful: true }), dense({ units: 1 })]);
      const [first, second] = halves(x);
      run(network, first!);
      const saved = network.carriedStates;
      const want = run(network, second!)[0]!.value.dataSync();
      network.resetStates();
      network.carriedStates = saved;
      assert.deepEqual(run(network, second!)[0]!.value.dataSync(), want);
    });
  });

  test('gradients do not propagate across calls', () => {
    onBackend(float64, () => {
      const layer = simpleRNN({ units: 2, stateful: true, returnState: true, returnSequences: true });
      const plain = simpleRNN({ units: 2, returnState: true, returnSequences: true });
      const [first, second] = halves(x);
      const state = run(layer, first!)[1]!.value;
      run(plain, first!);
      plain.setWeights(layer.getWeights());
      const carried = outputsAndGradients(
        () => run(layer, second!).map(({ value }) => value),
        layer.parameters,
      );
      const withState = outputsAndGradients(
        () => run(plain, [second!, state]).map(({ value }) => value),
        plain.parameters,
      );
      assert.deepEqual(carried, withState);
    });
  });
});

test('a NaN at a masked step does not reach the statistics of batch normalisation', async () => {
  const mask = tensor([[1, 1, 0]]);
  const trained = async (masked: number) => {
    const layer = batchNormalization({ momentum: 0.5 });
    const after: (() => void | Promise<void>)[] = [];
    const context = {
      ...inferenceContext(),
      training: true,
      afterStep: (work: () => void | Promise<void>) => void after.push(work),
    };
    const sequences = layer.invoke([{ value: tensor([[[1], [3], [masked]]]), mask }], context);
    for (const work of after) await work();
    const moving = layer.getWeights().slice(2);
    return {
      y: [...sequences[0]!.value.dataSync()].slice(0, 2),
      moving: moving.map(({ values }) => [...values]),
    };
  };
  const clean = await trained(4);
  assert.deepEqual(await trained(Number.NaN), clean);
  assert.ok(Math.abs(clean.moving[0]![0]! - 1) < 1e-6); // half of the mean, which is 2
});
