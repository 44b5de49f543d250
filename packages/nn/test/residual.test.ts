/** Residual layers: x + layer(x), with masks, states, constants, streams and configs of the inner layer. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { add, type MaskedSequence, slice, type Tensor, tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  bidirectional,
  conv1d,
  dense,
  gru,
  input,
  type Layer,
  lstm,
  model,
  modelFromConfig,
  recurrent,
  residual,
  sequential,
  simpleRNN,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { AttentionCell } from './attention-cell.js';
import { assertSame, checkGradients, maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I] = [3, 6, 4];
const x = randomTensor('x', B, T, I);
const mask = maskOf('111100', '111111', '110110');
const recurrentLayer = (): Layer => lstm({ units: I, returnSequences: true });

describe('residual', () => {
  test('adds the input to the output, and passes mask and states on', () => {
    onBackend(float64, () => {
      const inner = gru({ units: I, returnSequences: true, returnState: true });
      const layer = residual(inner);
      const [h0] = [randomTensor('h', B, I)];
      const [y, h] = run(layer, [x, h0], { mask }) as [MaskedSequence, MaskedSequence];
      const [plain, plainH] = run(inner, [x, h0], { mask }) as [MaskedSequence, MaskedSequence];
      assert.equal(y.mask, mask);
      assert.deepEqual(h.value.dataSync(), plainH.value.dataSync());
      const want = add(x, plain.value).dataSync();
      const valid = mask.dataSync();
      y.value.dataSync().forEach((value, i) => {
        if (valid[Math.floor(i / I)] === 1) assert.equal(value, want[i]);
      });
    });
  });

  test('a NaN at a masked step reaches neither outputs nor gradients', () => {
    const valid = mask.dataSync();
    const withNaN = tensor(
      x.dataSync().map((value, i) => (valid[Math.floor(i / I)] === 0 ? Number.NaN : value)),
      x.shape,
    );
    for (const inner of [recurrentLayer(), conv1d({ filters: I, kernelSize: 3, padding: 'same' })]) {
      const layer = residual(inner);
      layer.build([x.shape]);
      const numbers = outputsAndGradients(
        () => run(layer, withNaN, { mask }).map(({ value }) => value),
        [withNaN, ...layer.parameters],
      );
      for (const { values } of [...numbers.outputs, ...numbers.gradients])
        assert.ok(Array.from(values).every(Number.isFinite));
    }
  });

  test('gradients agree with central differences', () => {
    checkGradients(() => residual(recurrentLayer()), x, { mask });
    checkGradients(() => residual(bidirectional(simpleRNN({ units: 2, returnSequences: true }))), x);
  });

  for (const { name, backend, reason } of testBackends()) {
    test(`gives the same numbers on ${name} as on the reference backend in float64`, {
      skip: !backend && reason,
    }, () => {
      const numbers = () => {
        const network = sequential([
          residual(recurrentLayer()),
          residual(dense({ units: I, activation: 'tanh' })),
        ]);
        network.build([x.shape]);
        return outputsAndGradients(
          () => run(network, x, { mask }).map(({ value }) => value),
          network.parameters,
        );
      };
      assertSame(name, onBackend(backend!, numbers), onBackend(float64, numbers), 1e-5);
    });
  }

  test('a stack is streamed, saved and restored', async () => {
    await onBackend(float64, async () => {
      const network = sequential([
        residual(recurrentLayer(), { name: 'lower' }),
        residual(conv1d({ filters: I, kernelSize: 3, padding: 'causal' })),
        residual(gru({ units: I, returnSequences: true })),
      ]);
      network.build([[-1, -1, I]]);
      const whole = run(network, x)[0]!.value;
      const equal = (what: string, got: Tensor, want: Tensor) =>
        assert.equal(mismatch(what, got.dataSync(), want.dataSync(), 1e-13), null);
      const stream = network.stream({ batch: B });
      for (let t = 0; t < 3; t++) {
        const step = tensor(slice(x, 1, t, t + 1).dataSync(), [B, I]);
        equal(`step ${t}`, stream.step(step), slice(whole, 1, t, t + 1));
      }
      const state = JSON.parse(JSON.stringify(await stream.save()));
      equal('restored', network.stream({ state }).push(slice(x, 1, 3)), slice(whole, 1, 3));
      const h = randomTensor('h', B, I);
      const started = network.stream({ batch: B, initialState: { 'lower/lstm': { h, c: h } } });
      assert.ok(mismatch('initial state', started.push(x).dataSync(), whole.dataSync(), 1e-3));
    });
  });

  test('a model with residual layers is rebuilt from its config', () => {
    const source = input({ shape: [null, I] });
    const lower = residual(lstm({ units: I, returnSequences: true, weightDrop: 0.3 }), {
      name: 'lower',
    }).apply(source);
    const network = model({ inputs: source, outputs: residual(dense({ units: I })).apply(lower) });
    const config = JSON.parse(JSON.stringify(network.config));
    const copy = modelFromConfig(config);
    copy.build([[-1, -1, I]]);
    copy.setWeights(network.getWeights());
    assert.deepEqual(run(copy, x)[0]!.value.dataSync(), run(network, x)[0]!.value.dataSync());
    assert.deepEqual(JSON.parse(JSON.stringify(copy.config)), config);
    assert.deepEqual(
      network.parameters.map(({ name }) => name),
      [
        'lower/lstm/kernel',
        'lower/lstm/recurrent_kernel',
        'lower/lstm/bias',
        'residual/dense/kernel',
        'residual/dense/bias',
      ],
    );
    assert.match(network.summary(), /lower \(Residual\)/);
  });

  test('constants of the inner cell are inputs of the layer, and can be fixed inputs of a stream', () => {
    onBackend(float64, () => {
      const [source, memory] = [
        input({ shape: [null, I], name: 'x' }),
        input({ shape: [5, I], name: 'memory' }),
      ];
      const inner = recurrent(new AttentionCell({ units: I }), { returnSequences: true });
      const outputs = residual(inner).apply(source, { constants: [memory] });
      const network = model({ inputs: [source, memory], outputs });
      network.build([
        [-1, -1, I],
        [-1, 5, I],
      ]);
      const values = randomTensor('memory', B, 5, I);
      const whole = run(network, [x, values])[0]!.value;
      const want = add(x, run(inner, [x, values])[0]!.value);
      assert.equal(mismatch('whole', whole.dataSync(), want.dataSync(), 1e-14), null);
      const stream = network.stream({ batch: B, inputs: { memory: values } });
      stream.push(slice(x, 1, 0, 2));
      const rest = stream.push(slice(x, 1, 2));
      assert.equal(mismatch('rest', rest.dataSync(), slice(whole, 1, 2).dataSync(), 1e-13), null);
    });
  });

  test('a stateful inner layer keeps its state between calls', () => {
    onBackend(float64, () => {
      const make = (stateful: boolean): Layer => residual(gru({ units: I, returnSequences: true, stateful }));
      const [carrying, whole] = [make(true), make(false)];
      run(carrying, slice(x, 1, 0, 3));
      const rest = run(carrying, slice(x, 1, 3))[0]!.value;
      whole.build([x.shape]);
      whole.setWeights(carrying.getWeights());
      const want = slice(run(whole, x)[0]!.value, 1, 3);
      assert.equal(mismatch('second call', rest.dataSync(), want.dataSync(), 1e-14), null);
      assert.ok(Object.keys(carrying.carriedStates.parts).length === 1);
      carrying.resetStates();
      assert.ok(Object.keys(carrying.carriedStates.parts).length === 0);
    });
  });

  test('errors name the layers and the remedy', () => {
    const mistakes: [() => unknown, RegExp][] = [
      [
        () => run(residual(lstm({ units: I, name: 'reader' }), { name: 'skip' }), x),
        /Layer skip: Layer reader must preserve the shape of its input \[3, 6, 4\], got the output \[3, 4\]\. Set returnSequences: true/,
      ],
      [
        () => run(residual(dense({ units: 3, name: 'wide' }), { name: 'skip' }), x),
        /Layer skip: Layer wide must preserve the shape .* got the output \[3, 6, 3\]\. Use as many units or filters as the input has features/,
      ],
      [
        () =>
          run(
            residual(conv1d({ filters: I, kernelSize: 2, padding: 'causal', strides: 2 }), { name: 'skip' }),
            x,
          ),
        /Layer skip: .* got the output \[3, 3, 4\]\. .*strides of 1/,
      ],
      [() => residual({} as never), /needs a layer, as in residual\(lstm/],
      [
        () =>
          residual(gru({ units: I, returnSequences: true, goBackwards: true, name: 'back' }), {
            name: 'skip',
          }),
        /Layer skip: Layer back has goBackwards: true, so its outputs are not in the order of its inputs\. Use bidirectional/,
      ],
      [
        () =>
          sequential([
            residual(bidirectional(gru({ units: 2, returnSequences: true }), { name: 'ends' })),
          ]).stream(),
        /Layer ends: cannot be streamed/,
      ],
    ];
    for (const [work, message] of mistakes) assert.throws(work, message);
  });
});
