/**
 * LSTM variants, zoneout, minGRU and minLSTM: gradients in float64 by central differences, initial weights, the random
 * numbers of zoneout, and errors. (goldens-cells.test.ts compares the cells with reference values.) Detects gradient errors
 * that float32 would hide; zoneout at the wrong rate, with the same mask at every step, or of the wrong states; and options
 * that are ignored.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { add, mul, sum, type Tensor, tensor, valueAndGrad } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import {
  bidirectional,
  chronoInitializer,
  coupledLstm,
  generalGru,
  generalLstm,
  generalRnn,
  gruCell,
  layerNormLstm,
  lstm,
  lstmCell,
  minGru,
  minGruCell,
  minLstm,
  projectedLstm,
  projectedLstmCell,
  type Recurrent,
  recurrent,
  stackedCells,
  zoneoutCell,
} from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { maskOf, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I] = [3, 4, 2];
const units = 3;
const returnSequences = true;
const x = randomTensor('x', B, T, I);
const mask = maskOf('1011', '1111', '0110');

const layers: Record<string, () => Recurrent> = {
  coupled: () => coupledLstm({ units, returnSequences }),
  projected: () => projectedLstm({ units, projection: 2, returnSequences }),
  'layer-normalised': () => layerNormLstm({ units, returnSequences }),
  'layer-normalised, normalised state': () => layerNormLstm({ units, returnSequences, normalizeState: true }),
  minGru: () => minGru({ units, returnSequences }),
  'minGru, plain': () => minGru({ units, returnSequences, activation: 'linear', goBackwards: true }),
  minLstm: () => minLstm({ units, returnSequences }),
  'general RNN': () => generalRnn({ units, returnSequences, functions: [{ name: 'softsign' }], clip: 0.9 }),
  'general LSTM': () =>
    generalLstm({
      ...{ units, returnSequences, peephole: true, clip: 0.8 },
      functions: [
        { name: 'hardSigmoid', alpha: 0.3 },
        { name: 'scaledTanh', beta: 0.7 },
        { name: 'softplus' },
      ],
    }),
  'general LSTM, coupled': () => generalLstm({ units, returnSequences, coupled: true }),
  'general GRU': () => generalGru({ units, returnSequences, clip: 0.8 }),
  'general GRU, reset before': () => generalGru({ units, returnSequences, resetAfter: false }),
  zoneout: () => recurrent(zoneoutCell(lstmCell({ units }), { h: 0.3, c: 0.5 }), { returnSequences }),
};

describe('gradients in float64 equal central differences', () => {
  for (const [name, make] of Object.entries(layers)) {
    for (const training of [false, true]) {
      test(`${name}${training ? ', training' : ''}`, () => onBackend(float64, () => check(make(), training)));
    }
  }

  /** Compares the gradients of a weighted sum of the outputs with central differences in random directions. */
  function check(layer: Recurrent, training: boolean): void {
    layer.build([[B, T, I]]);
    const states = Object.entries(layer.cell.stateSizes).map(([name, size]) => randomTensor(name, B, size));
    const inputs = [x, ...states];
    const directions = [...inputs, ...layer.parameters].map(({ shape }, i) =>
      randomTensor(`direction ${i}`, ...shape),
    );
    const start = layer.parameters.map((parameter) => [...parameter.dataSync()]);
    const loss = (values: readonly Tensor[]): Tensor => {
      const [y] = run(layer, values, { mask, training });
      return sum(mul(y!.value, randomTensor('weights', ...y!.value.shape)));
    };
    const { grads } = valueAndGrad(() => loss(inputs), [...inputs, ...layer.parameters]);
    const gradients = grads.map((grad) => [...grad.dataSync()]);
    directions.forEach((direction, k) => {
      const d = direction.dataSync();
      const wanted = gradients[k]!.reduce((total, g, i) => total + g * d[i]!, 0);
      const lossAt = (h: number): number => {
        layer.parameters.forEach((parameter, p) => {
          parameter.assign(start[p]!.map((w, i) => w + (k - inputs.length === p ? h * d[i]! : 0)));
        });
        return loss(inputs.map((value, i) => (i === k ? add(value, mul(direction, h)) : value))).item();
      };
      const h = 1e-4; // step of the central difference of fourth order
      const got = (8 * (lossAt(h) - lossAt(-h)) - (lossAt(2 * h) - lossAt(-2 * h))) / (12 * h);
      assert.ok(
        Math.abs(got - wanted) < 1e-8 * Math.max(1, Math.abs(wanted)),
        `variable ${k}: got ${got}, expected ${wanted}`,
      );
    });
  }
});

describe('fused ops of a step', () => {
  /** Returns a backend that counts the calls of `kernel`, and one without it. */
  function variants(kernel: 'lstmGates' | 'layerNorm') {
    const backend = backendSync('native') ?? backendSync('wasm');
    let count = 0;
    const kernels = Object.create(backend.kernels, {
      [kernel]: {
        value: (call: never) => {
          count++;
          backend.kernels[kernel](call);
        },
      },
    });
    const counting = Object.create(backend, { kernels: { value: kernels } });
    const without = Object.create(backend, { supports: { value: (name: string) => name !== kernel } });
    return { counting, without, calls: () => count };
  }

  /** Returns outputs and gradients of a layer. */
  function results(make: () => Recurrent): number[] {
    const layer = make();
    layer.build([[B, T, I]]);
    const { value, grads } = valueAndGrad(() => {
      const [y] = run(layer, x, { mask });
      return sum(mul(y!.value, randomTensor('weights', ...y!.value.shape)));
    }, layer.parameters);
    return [value, ...grads].flatMap((tensor) => [...tensor.dataSync()]);
  }

  for (const [name, kernel] of [
    ['projected', 'lstmGates'],
    ['layer-normalised', 'lstmGates'],
    ['layer-normalised, normalised state', 'layerNorm'],
  ] as const) {
    test(`${name}: the kernel ${kernel} is called, with the same results as without it`, () => {
      const { counting, without, calls } = variants(kernel);
      const fused = onBackend(counting, () => results(layers[name]!));
      assert.ok(calls() >= T, `${calls()} calls`);
      const plain = onBackend(without, () => results(layers[name]!));
      fused.forEach((value, i) => {
        assert.ok(
          Math.abs(value - plain[i]!) <= 2e-5 * Math.max(1, Math.abs(value)),
          `${i}: ${value}, ${plain[i]}`,
        );
      });
    });
  }
});

describe('zoneout', () => {
  const zoneoutLayer = (rates: { h?: number; c?: number }) =>
    recurrent(zoneoutCell(lstmCell({ units: 100 }), rates), { returnSequences, returnState: true });

  test('lets a unit keep its value with the probability set for its state, independently at every step', () => {
    onBackend(float64, () => {
      const layer = zoneoutLayer({ h: 0.25 });
      layer.build([[B, T, I]]);
      const y = run(layer, x, { training: true })[0]!.value.dataSync();
      const h = (b: number, t: number, u: number): number => (t < 0 ? 0 : y[(b * T + t) * 100 + u]!);
      const kept: boolean[][] = Array.from({ length: T }, (_, t) =>
        Array.from({ length: B * 100 }, (_, i) => {
          const [b, u] = [Math.floor(i / 100), i % 100];
          return h(b, t, u) === h(b, t - 1, u);
        }),
      );
      for (const step of kept) {
        const fraction = step.filter(Boolean).length / step.length;
        assert.ok(Math.abs(fraction - 0.25) < 0.06, `${fraction}`);
      }
      assert.notDeepEqual(kept[1], kept[2]);
      const other = run(layer, x, { training: true, seed: 1 })[0]!.value.dataSync();
      assert.notDeepEqual(other, y);
      assert.deepEqual(run(layer, x, { training: true })[0]!.value.dataSync(), y);
    });
  });

  test('with rates of 0 equals the inner cell, also in training', () => {
    onBackend(backendSync('reference'), () => {
      const cell = zoneoutCell(lstmCell({ units }), { h: 0 });
      const [layer, plain] = [recurrent(cell), lstm({ units })];
      layer.build([x.shape]);
      plain.build([x.shape]);
      plain.setWeights(layer.getWeights());
      cell.step = () => assert.fail('the layer must run as one op');
      for (const training of [false, true]) {
        const [got, want] = [layer, plain].map((candidate) =>
          run(candidate, x, { training })[0]!.value.dataSync(),
        );
        assert.deepEqual(got, want);
      }
    });
  });

  test('can wrap the cells of a stack, or a whole stack', () => {
    onBackend(float64, () => {
      const zoneoutOfGru = (h: number) => zoneoutCell(gruCell({ units, recurrentDropout: 0.5 }), { h });
      const zoneoutOfStack = zoneoutCell(
        stackedCells([lstmCell({ units: 2, dropout: 0.5 }), gruCell({ units })]),
        {
          '0.c': 0.5,
          '1.h': 0.5,
        },
      );
      for (const cell of [stackedCells([zoneoutOfGru(0.5), zoneoutOfGru(0.1)]), zoneoutOfStack]) {
        const layer = bidirectional(recurrent(cell, { returnSequences }));
        const first = run(layer, x, { training: true })[0]!.value;
        assert.deepEqual(first.shape, [B, T, 2 * units]);
        assert.notDeepEqual(
          first.dataSync(),
          run(layer, x, { training: true, seed: 1 })[0]!.value.dataSync(),
        );
        assert.notDeepEqual(first.dataSync(), run(layer, x)[0]!.value.dataSync());
      }
    });
  });

  test('in a batch that shrinks, zoneout applies to the remaining rows, and padding keeps the state', () => {
    onBackend(float64, () => {
      const cell = zoneoutCell(lstmCell({ units: 40, dropout: 0.1 }), { h: 0.5 });
      const layer = recurrent(cell, { returnSequences });
      Object.assign(layer, { countParams: () => 1e9 }); // so that the batch is worth splitting
      layer.build([[B, T, I]]);
      const ragged = maskOf('1000', '1111', '1100');
      const y = run(layer, x, { mask: ragged, training: true })[0]!.value.dataSync();
      const changed = (b: number, t: number): number => {
        const offset = (b * T + t) * 40;
        return y.slice(offset, offset + 40).filter((value, u) => value !== y[offset - 40 + u]).length;
      };
      for (const t of [1, 2, 3]) assert.ok(changed(1, t) > 10 && changed(1, t) < 30, `${changed(1, t)}`);
      assert.deepEqual([changed(0, 1), changed(0, 3), changed(2, 2)], [0, 0, 0]);
    });
  });

  test('rejects unknown states, invalid rates, arguments that are not cells, and cloning a cell without clone()', () => {
    const cell = () => lstmCell({ units });
    assert.throws(() => zoneoutCell(cell(), { h: 0.1, s: 0.1 } as never), {
      code: 'value',
      message: 'zoneoutCell: LSTMCell has no state "s". Its states: h, c.',
    });
    assert.throws(() => zoneoutCell(cell(), { c: 1 }), {
      code: 'value',
      message: 'zoneoutCell: the rate of c must be in [0, 1), got 1.',
    });
    assert.throws(() => zoneoutCell(lstm({ units }) as never, { h: 0.1 }), {
      code: 'value',
      message:
        /^zoneoutCell takes a cell, as in zoneoutCell\(lstmCell\(\{ units: 8 \}\), \{ h: 0\.05 \}\), got /,
    });
    assert.throws(() => zoneoutCell(cell(), 0.1 as never), {
      code: 'value',
      message: 'zoneoutCell takes the rates of the states, as in { h: 0.05, c: 0.5 }, got 0.1.',
    });
    const bare = { ...cell(), className: 'Bare', stateSizes: { h: 2 }, step: () => assert.fail('unused') };
    assert.throws(() => zoneoutCell({ ...bare, clone: undefined } as never, { h: 0.1 }).clone(), {
      code: 'value',
      message: 'zoneoutCell: cannot be cloned, because Bare has no method clone(). Implement it.',
    });
  });
});

describe('initial weights', () => {
  const bias = (layer: Recurrent): number[] => {
    layer.build([[B, T, I]]);
    return Array.from(layer.getWeights()[2]!.values);
  };

  test('the bias of the forget gate is 1, or 0 with unitForgetBias: false', () => {
    assert.deepEqual(bias(coupledLstm({ units: 2 })), [1, 1, 0, 0, 0, 0]);
    assert.deepEqual(bias(coupledLstm({ units: 2, unitForgetBias: false })), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(bias(projectedLstm({ units: 2, projection: 1 })), [0, 0, 1, 1, 0, 0, 0, 0]);
    assert.deepEqual(bias(layerNormLstm({ units: 2 })), [0, 0, 1, 1, 0, 0, 0, 0]);
  });

  test('chronoInitializer sets only the bias of the forget gate in the coupled LSTM', () => {
    const biasInitializer = chronoInitializer({ maxSteps: 20 });
    const values = bias(coupledLstm({ units: 4, biasInitializer }));
    assert.ok(values.slice(0, 4).every((value) => value > 0 && value < Math.log(19)));
    assert.ok(values.slice(4).every((value) => value === 0));
  });
});

describe('errors', () => {
  test('minGRU has no recurrent product and rejects recurrent options', () => {
    for (const options of [{ recurrentDropout: 0.5 }, { recurrentInitializer: 'zeros' }]) {
      const [name] = Object.keys(options);
      assert.throws(() => minGru({ units, ...options } as never), {
        code: 'value',
        message: new RegExp(`^minGru: there is no option "${name}"\\.`),
      });
    }
    const layer = recurrent(minGruCell({ units }), { recurrentDropout: 0.5 });
    assert.throws(() => run(layer, x, { training: true }), {
      code: 'value',
      message:
        'MinGRUCell has no recurrent product, so recurrentDropout has no meaning. Use dropout, or zoneoutCell.',
    });
  });

  test('a missing projection is rejected', () => {
    assert.throws(() => projectedLstmCell({ units: 4 } as never), {
      code: 'value',
      message: 'ProjectedLSTMCell: projection must be a positive integer, got undefined.',
    });
  });

  test('an unknown activation of minGru is rejected', () => {
    assert.throws(() => minGru({ units, activation: 'log' as never }), {
      code: 'value',
      message: /^MinGRUCell: there is no activation "log"\. Choose one of /,
    });
  });
});

test('minLstm stays finite where both gates underflow', () => {
  onBackend(backendSync('reference'), () => {
    const layer = minLstm({ units: 1 });
    layer.build([[1, 2, 1]]);
    layer.setWeights([
      { shape: [1, 3], values: [-200, -200, 1] },
      { shape: [3], values: [0, 0, 0] },
    ]);
    assert.equal(run(layer, tensor([[[1], [1]]]))[0]!.value.item(), 1.125);
  });
});
