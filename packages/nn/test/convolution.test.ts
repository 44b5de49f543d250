/**
 * Convolution and pooling over time: masks (a padded sequence gives the results of the sequence alone), streams, gradients
 * by central differences, and errors. (goldens-convolution.test.ts compares the layers with Keras.) Detects a window that
 * reads padding, a mask of the outputs that is one step off, and a stream that restarts its strides in every chunk.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, type MaskedSequence, slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  averagePooling1d,
  conv1d,
  dense,
  globalAveragePooling1d,
  globalMaxPooling1d,
  type Layer,
  lstm,
  maxPooling1d,
  type Network,
  sequential,
  timeDistributed,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { checkGradients, maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I] = [4, 10, 4];
const lengths = [10, 7, 4, 9];
const rightPadded = maskOf(...lengths.map((length) => '1'.repeat(length).padEnd(T, '0')));
const x = randomTensor('x', B, T, I);
/** x with NaN at masked steps. */
const withNaN = (mask: Tensor): Tensor => {
  const values = x.dataSync().slice();
  const valid = mask.dataSync();
  return tensor(
    values.map((value, i) => (valid[Math.floor(i / I)] === 0 ? Number.NaN : value)),
    x.shape,
  );
};
const row = (tensor: Tensor, b: number, steps: number): Tensor =>
  slice(slice(tensor, 0, b, b + 1), 1, 0, steps);

const convolutions: Record<string, () => Layer> = {};
const pools: Record<string, () => Layer> = {};
for (const padding of ['valid', 'same', 'causal'] as const) {
  for (const strides of [1, 2, 3]) {
    for (const dilationRate of [1, 2]) {
      convolutions[`conv1d ${padding}, strides ${strides}, dilation ${dilationRate}`] = () =>
        conv1d({ filters: 2, kernelSize: 2, padding, strides, dilationRate, biasInitializer: 'ones' });
    }
    for (const poolSize of [2, 3]) {
      const options = { padding, strides, poolSize };
      pools[`maxPooling1d ${padding}, strides ${strides}, size ${poolSize}`] = () => maxPooling1d(options);
      pools[`averagePooling1d ${padding}, strides ${strides}, size ${poolSize}`] = () =>
        averagePooling1d(options);
    }
  }
}
const windowLayers = { ...convolutions, ...pools };

describe('a padded sequence gives the outputs of the sequence alone', () => {
  for (const [name, make] of Object.entries(windowLayers)) {
    test(name, () => {
      onBackend(float64, () => {
        const layer = make();
        const [{ value, mask }] = run(layer, withNaN(rightPadded), { mask: rightPadded }) as [MaskedSequence];
        lengths.forEach((length, b) => {
          const alone = run(layer, row(x, b, length))[0]!.value;
          const count = alone.shape[1]!;
          const isValid = [...slice(mask!, 0, b, b + 1).dataSync()];
          assert.deepEqual(
            isValid,
            Array.from({ length: value.shape[1]! }, (_, n) => (n < count ? 1 : 0)),
          );
          const got = row(value, b, count).dataSync();
          assert.equal(mismatch(`row ${b}`, got, alone.dataSync(), 1e-14), null);
        });
        assert.ok(value.dataSync().every(Number.isFinite));
      });
    });
  }
});

describe('masked steps', () => {
  for (const { name, backend, reason } of testBackends()) {
    test(`NaN at masked steps stays out of outputs and gradients on ${name}`, {
      skip: !backend && reason,
    }, () => {
      onBackend(backend!, () => {
        const mask = maskOf('1111111111', '1101111000', '0011111111', '0000000000');
        const layers = [
          ...[conv1d({ filters: 2, kernelSize: 3, padding: 'same' }), maxPooling1d(), averagePooling1d()],
          ...[globalMaxPooling1d(), globalAveragePooling1d()],
        ];
        for (const layer of layers) {
          const input = withNaN(mask);
          layer.build([x.shape]);
          const { outputs, gradients } = outputsAndGradients(
            () => run(layer, input, { mask }).map(({ value }) => value),
            [input, ...layer.parameters],
          );
          for (const { values } of [...outputs, ...gradients])
            assert.ok(Array.from(values).every(Number.isFinite), layer.className);
          const gradient = Array.from(gradients[0]!.values);
          assert.ok(gradient.every((value, i) => value === 0 || mask.dataSync()[Math.floor(i / I)] === 1));
        }
      });
    });
  }

  test('the mask of the outputs is correct for input masks with gaps', () => {
    const mask = maskOf('1101100111');
    const masksOf = (layer: Layer): string =>
      run(layer, row(x, 0, T), { mask })[0]!
        .mask!.dataSync()
        .join('');
    const convolution = (options: object): Layer => conv1d({ filters: 1, kernelSize: 3, ...options });
    assert.equal(masksOf(convolution({ padding: 'causal' })), '1101100111');
    assert.equal(masksOf(convolution({ padding: 'same' })), '1101100111');
    assert.equal(masksOf(convolution({ padding: 'valid' })), '00000001');
    assert.equal(masksOf(convolution({ padding: 'causal', strides: 2 })), '10101');
    assert.equal(masksOf(convolution({ padding: 'causal', strides: 3 })), '1101');
    assert.equal(masksOf(maxPooling1d()), '10001');
  });
});

describe('pooling of masked steps', () => {
  const sequence = tensor([[[1], [-5], [-2], [-9]]]);
  const valuesOf = (layer: Layer, mask: Tensor): number[] => [
    ...run(layer, sequence, { mask })[0]!.value.dataSync(),
  ];

  test('counts valid steps only, and gives 0 if there are none', () => {
    const mask = maskOf('0110');
    assert.deepEqual(valuesOf(globalMaxPooling1d(), mask), [-2]);
    assert.deepEqual(valuesOf(globalAveragePooling1d(), mask), [-3.5]);
    assert.deepEqual(valuesOf(maxPooling1d(), mask), [-5, -2]);
    assert.deepEqual(valuesOf(averagePooling1d({ poolSize: 4, padding: 'same' }), mask), [-3.5]);
    for (const layer of [globalMaxPooling1d(), globalAveragePooling1d()])
      assert.deepEqual(valuesOf(layer, maskOf('0000')), [0]);
    assert.deepEqual(valuesOf(maxPooling1d(), maskOf('1100')), [1, 0]);
    assert.deepEqual(valuesOf(averagePooling1d(), maskOf('0011')), [0, -5.5]);
  });

  test('keepDims keeps the time axis; the output of global pooling has no mask', () => {
    for (const layer of [
      globalMaxPooling1d({ keepDims: true }),
      globalAveragePooling1d({ keepDims: true }),
    ]) {
      const [{ value, mask }] = run(layer, sequence, { mask: maskOf('0110') }) as [MaskedSequence];
      assert.deepEqual(value.shape, [1, 1, 1]);
      assert.equal(mask, null);
    }
  });
});

describe('gradients by central differences in float64', () => {
  const maskWithGaps = maskOf('1111111111', '1101111000', '0011111111', '0000000000');
  const shortX = slice(x, 1, 0, 7);
  const shortMask = tensor(slice(maskWithGaps, 1, 0, 7).dataSync(), [B, 7]);
  const layers: Record<string, () => Layer> = {
    conv1d: () =>
      conv1d({ filters: 4, kernelSize: 3, groups: 2, strides: 2, padding: 'same', activation: 'tanh' }),
    'conv1d, dilated': () => conv1d({ filters: 2, kernelSize: 2, dilationRate: 3, padding: 'causal' }),
    'conv1d of one step': () => conv1d({ filters: 2, kernelSize: 1, useBias: false }),
    'conv1d, glu': () => conv1d({ filters: 4, kernelSize: 2, activation: 'glu' }),
    maxPooling1d: () => maxPooling1d({ poolSize: 3, strides: 2, padding: 'same' }),
    averagePooling1d: () => averagePooling1d({ poolSize: 3, strides: 2, padding: 'causal' }),
    globalMaxPooling1d: () => globalMaxPooling1d(),
    globalAveragePooling1d: () => globalAveragePooling1d(),
  };
  for (const [name, make] of Object.entries(layers)) {
    test(name, () => checkGradients(make, shortX));
    test(`${name}, with a mask`, () => checkGradients(make, shortX, { mask: shortMask }));
  }
});

const causalLayers: Record<string, () => Layer> = {
  ...Object.fromEntries(Object.entries(windowLayers).filter(([name]) => name.includes('causal'))),
  'conv1d of one step': () => conv1d({ filters: 2, kernelSize: 1, strides: 2 }),
};
describe('streams', () => {
  const check = (network: Network, chunks: readonly number[], mask: Tensor | null): void => {
    const whole = run(network, mask ? withNaN(mask) : x, { mask })[0]!.value;
    const stream = network.stream({ batch: B });
    let start = 0;
    const outputs = chunks.map((steps) => {
      const part = (whole: Tensor): Tensor =>
        tensor(slice(whole, 1, start, start + steps).dataSync(), [B, steps, ...whole.shape.slice(2)]);
      const output = stream.push(part(mask ? withNaN(mask) : x), mask && part(mask));
      start += steps;
      return output;
    });
    const streamed = concat(outputs, 1);
    assert.deepEqual(streamed.shape, whole.shape);
    assert.equal(mismatch('outputs', streamed.dataSync(), whole.dataSync(), 1e-13), null);
  };
  for (const [name, make] of Object.entries(causalLayers)) {
    test(`${name}: a stream has the outputs of the whole sequence`, () => {
      onBackend(float64, () => {
        const network = sequential([make()]);
        network.build([[-1, -1, I]]);
        for (const mask of [
          null,
          rightPadded,
          maskOf('1101111010', '0001111111', '1111111111', '0000000000'),
        ]) {
          for (const chunks of [[10], [3, 3, 4], [4, 6], [7, 3]]) check(network, chunks, mask);
          if (name.includes('strides 1')) check(network, new Array(10).fill(1), mask);
        }
      });
    });
  }

  test('a model with a recurrent layer, streamed step by step, has the outputs of the whole sequence', () => {
    onBackend(float64, () => {
      const network = sequential([
        conv1d({ filters: 3, kernelSize: 3, padding: 'causal', activation: 'relu' }),
        maxPooling1d({ poolSize: 2, strides: 1, padding: 'causal' }),
        lstm({ units: 3, returnSequences: true }),
        dense({ units: 1 }),
      ]);
      network.build([[-1, -1, I]]);
      const whole = run(network, x)[0]!.value;
      const stream = network.stream({ batch: B });
      for (let t = 0; t < T; t++) {
        const y = stream.step(tensor(slice(x, 1, t, t + 1).dataSync(), [B, I]));
        assert.equal(mismatch(`step ${t}`, y.dataSync(), slice(whole, 1, t, t + 1).dataSync(), 1e-13), null);
      }
    });
  });

  test('a stream that is restored, forked or reduced to some rows keeps the inputs that later windows read', async () => {
    await onBackend(float64, async () => {
      const network = sequential([
        conv1d({ filters: 2, kernelSize: 3, padding: 'causal', strides: 2 }),
        averagePooling1d({ poolSize: 2, strides: 1, padding: 'causal' }),
      ]);
      network.build([[-1, -1, I]]);
      const stream = network.stream({ batch: B });
      stream.push(slice(x, 1, 0, 5));
      const saved = JSON.parse(JSON.stringify(await stream.save()));
      const rest = slice(x, 1, 5);
      const selected = stream.select([2, 0]);
      const want = stream.fork().push(rest);
      assert.deepEqual(network.stream({ state: saved }).push(rest).dataSync(), want.dataSync());
      const rows = concat([slice(rest, 0, 2, 3), slice(rest, 0, 0, 1)], 0);
      const wantRows = concat([slice(want, 0, 2, 3), slice(want, 0, 0, 1)], 0);
      assert.deepEqual(selected.push(rows).dataSync(), wantRows.dataSync());
      const whole = run(network, x)[0]!.value;
      assert.equal(mismatch('rest', want.dataSync(), slice(whole, 1, 3).dataSync(), 1e-13), null);
    });
  });

  test('a chunk that completes no output is rejected, and does not change the stream', () => {
    const network = sequential([
      conv1d({ filters: 1, kernelSize: 2, strides: 3, padding: 'causal', name: 'front' }),
    ]);
    network.build([[-1, -1, I]]);
    const stream = network.stream({ batch: B });
    stream.push(slice(x, 1, 0, 1));
    assert.throws(
      () => stream.push(slice(x, 1, 1, 3)),
      /Layer front: computes one output per 3 steps, and this chunk of 2 completes none\. Push chunks of 3 steps, or a multiple/,
    );
    const y = stream.push(slice(x, 1, 1, 4));
    assert.equal(
      mismatch('after the error', y.dataSync(), slice(run(network, x)[0]!.value, 1, 1, 2).dataSync(), 1e-6),
      null,
    );
  });

  test('a layer that is not causal is rejected with its name', () => {
    const refused: [Layer, RegExp][] = [
      [
        conv1d({ filters: 1, kernelSize: 2, name: 'front' }),
        /Layer front: cannot be streamed: it reads later steps with padding "valid" \(padding "causal" can be streamed\)/,
      ],
      [
        maxPooling1d({ padding: 'same', name: 'pool' }),
        /Layer pool: cannot be streamed: it reads later steps/,
      ],
      [averagePooling1d({ name: 'pool' }), /Layer pool: cannot be streamed: it reads later steps/],
      [globalMaxPooling1d({ name: 'top' }), /Layer top: cannot be streamed: it pools over all steps/],
      [globalAveragePooling1d({ name: 'top' }), /Layer top: cannot be streamed: it pools over all steps/],
    ];
    for (const [layer, message] of refused) assert.throws(() => sequential([layer]).stream(), message);
  });
});

test('a time-distributed convolution reads each inner sequence of a sequence of sequences', () => {
  onBackend(float64, () => {
    const inner = conv1d({ filters: 2, kernelSize: 3, padding: 'same' });
    const layer = sequential([timeDistributed(inner), timeDistributed(globalMaxPooling1d())]);
    const nested = randomTensor('nested', 2, 3, 5, I);
    const got = run(layer, nested)[0]!.value;
    assert.deepEqual(got.shape, [2, 3, 2]);
    const flat = run(inner, tensor(nested.dataSync(), [6, 5, I]))[0]!.value;
    assert.deepEqual(got.dataSync(), run(globalMaxPooling1d(), flat)[0]!.value.dataSync());
  });
});

describe('errors', () => {
  const mistakes: Record<string, [() => unknown, RegExp]> = {
    'vectors instead of sequences': [
      () => run(conv1d({ filters: 1, kernelSize: 2, name: 'front' }), randomTensor('v', 2, 3)),
      /Layer front: expected a sequence \[batch, time, features\], got \[2, 3\]/,
    ],
    'a sequence shorter than the window': [
      () =>
        run(
          conv1d({ filters: 1, kernelSize: 3, dilationRate: 2, name: 'front' }),
          randomTensor('s', 2, 4, 3),
        ),
      /Layer front: expected sequences of at least 5 time steps, got \[2, 4, 3\]/,
    ],
    'more features than the layer was built for': [
      () => {
        const layer = conv1d({ filters: 1, kernelSize: 2, name: 'front' });
        run(layer, x);
        run(layer, randomTensor('wide', 2, 4, 7));
      },
      /Layer front: expected \[batch, time, 4\], got \[2, 4, 7\]/,
    ],
    'a number of features that is not a multiple of groups': [
      () => run(conv1d({ filters: 6, kernelSize: 2, groups: 3, name: 'front' }), x),
      /Layer front: expected a number of features that is a multiple of groups \(3\), got \[4, 10, 4\]/,
    ],
    'a number of filters that is not a multiple of groups': [
      () => conv1d({ filters: 5, kernelSize: 2, groups: 2, name: 'front' }),
      /Layer front: filters must be a multiple of groups \(2\), got 5/,
    ],
    'an unknown padding': [
      () => maxPooling1d({ padding: 'full' as never, name: 'pool' }),
      /maxPooling1d: padding must be "valid", "same" or "causal", got "full"/,
    ],
    'a layout option of Keras': [
      () => conv1d({ filters: 1, kernelSize: 2, dataFormat: 'channels_first' } as never),
      /there is no option "dataFormat"\. .*tensors are always \[batch, time, features\]/,
    ],
    'no steps': [
      () => run(globalMaxPooling1d({ name: 'top' }), tensor([]).withShape([2, 0, 3])),
      /Layer top: expected sequences of at least one time step, got \[2, 0, 3\]/,
    ],
  };
  for (const [name, [work, message]] of Object.entries(mistakes))
    test(name, () => assert.throws(work, message));
});

test('default names are those of Keras', () => {
  const layers = [conv1d({ filters: 1, kernelSize: 1 }), maxPooling1d(), globalMaxPooling1d()];
  sequential(layers);
  assert.deepEqual(
    layers.map(({ name }) => name),
    ['conv1d', 'max_pooling1d', 'global_max_pooling1d'],
  );
});
