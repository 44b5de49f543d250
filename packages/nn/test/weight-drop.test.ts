/**
 * Weight drop (DropConnect on the recurrent weights) in every built-in cell with a recurrent matrix: both the fused kernels and
 * the step-by-step run use one mask per batch. Detects a cell that ignores the option, a mask that is redrawn at every step,
 * and a mask that is lost when a batch is split by length.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mul, type Parameter, RandomStream, slice, type Tensor } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import * as nn from '@unroll/nn';
import {
  bidirectional,
  type CellOptions,
  gru,
  gruCell,
  type Layer,
  lstm,
  lstmCell,
  MatrixCell,
  type Recurrent,
  recurrent,
  simpleRNN,
  stackedCells,
} from '@unroll/nn';
import { mismatch, onBackend } from '@unroll/testkit';
import { assertSame, checkGradients, maskOf, outputsAndGradients, randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
const [B, T, I] = [3, 6, 4];
const x = randomTensor('x', B, T, I);
const mask = maskOf('111100', '111111', '110110');
const firstOutput = (layer: Layer, input: Tensor, options?: Parameters<typeof run>[2]): Tensor =>
  run(layer, input, options)[0]!.value;

/** The class of a built-in matrix cell. Only the projected LSTM reads the option `projection`. */
type MatrixCellClass = new (options: CellOptions & { projection: number }) => MatrixCell;
const cells = (Object.values(nn) as unknown[]).filter(
  (value): value is MatrixCellClass => typeof value === 'function' && value.prototype instanceof MatrixCell,
);
const weightDropLayers: Record<string, (weightDrop: number) => Recurrent> = {
  ...Object.fromEntries(
    cells.map((Cell) => [
      Cell.name,
      (weightDrop) => recurrent(new Cell({ units: 3, projection: 3, weightDrop }), { returnSequences: true }),
    ]),
  ),
  'GRU, reset before': (weightDrop) =>
    gru({ units: 3, weightDrop, resetAfter: false, returnSequences: true }),
  'LSTM, last output': (weightDrop) => lstm({ units: 3, weightDrop, recurrentDropout: 0.2 }),
  'LSTM, activation without a fused kernel': (weightDrop) =>
    lstm({ units: 3, weightDrop, activation: 'elu', goBackwards: true }),
};
const recurrentKernel = (layer: Layer): Parameter =>
  layer.parameters.find(({ name }) => name.endsWith('recurrent_kernel'))!;

describe('weight drop', () => {
  assert.ok(cells.length >= 4);
  for (const [name, make] of Object.entries(weightDropLayers)) {
    test(`${name}: all steps of a batch use the same dropped recurrent kernel`, () => {
      onBackend(float64, () => {
        const [layer, plain] = [make(0.5), make(0)];
        for (const candidate of [layer, plain]) candidate.build([x.shape]);
        plain.setWeights(layer.getWeights());
        const hasRecurrentDropout = name === 'LSTM, last output';
        const random = new RandomStream(0, 'run');
        if (hasRecurrentDropout) random.dropoutMask([B, 3], 0.2);
        const U = recurrentKernel(plain);
        U.assign(mul(U, random.dropoutMask(U.shape, 0.5)).dataSync());
        const outputOf = (candidate: Layer, training: boolean) =>
          firstOutput(candidate, x, { mask, training }).dataSync();
        const got = outputOf(layer, true);
        assert.equal(mismatch(name, got, outputOf(plain, hasRecurrentDropout), 1e-14), null);
        assert.ok(mismatch(name, outputOf(layer, false), got, 1e-6) !== null);
      });
    });

    test(`${name}: the results of the fused kernels and of the step-by-step run agree`, () => {
      const layer = make(0.5);
      layer.build([x.shape]);
      const numbers = (stepwise: boolean) => {
        layer.stepwise = stepwise;
        const work = () => [firstOutput(layer, x, { mask, training: true })];
        return outputsAndGradients(work, [x, ...layer.parameters]);
      };
      assertSame(name, numbers(false), numbers(true), 1e-5);
    });

    test(`${name}: gradients agree with central differences`, () =>
      checkGradients(() => make(0.5), slice(x, 1, 0, 3), { training: true }));
  }

  test('draws one mask for each inner cell and direction', () => {
    onBackend(float64, () => {
      const layers = [
        recurrent(
          stackedCells([lstmCell({ units: 6, weightDrop: 0.5 }), gruCell({ units: 8, weightDrop: 0.5 })]),
        ),
        bidirectional(simpleRNN({ units: 9, weightDrop: 0.5 })),
      ];
      for (const layer of layers) {
        layer.build([x.shape]);
        const kernels = layer.parameters.filter(({ name }) => name.endsWith('recurrent_kernel'));
        assert.equal(kernels.length, 2);
        const { gradients } = outputsAndGradients(() => [firstOutput(layer, x, { training: true })], kernels);
        // A dropped weight has no gradient; about half of them are dropped.
        const zeros = gradients.map(({ values }) => Array.from(values).filter((value) => value === 0).length);
        zeros.forEach((count, n) => {
          const size = kernels[n]!.size;
          assert.ok(count > 0.2 * size && count < 0.8 * size, `${layer.className}: ${count} of ${size}`);
        });
      }
    });
  });

  test('survives the splitting of a batch by length', () => {
    const lengths = Array.from({ length: 40 }, (_, row) => (row % 8 === 0 ? 60 : 4));
    const wide = randomTensor('wide', 40, 60, 8);
    const rightPadded = nn.lengthMask(lengths, 60);
    for (const make of [
      () => lstm({ units: 32, weightDrop: 0.5, returnSequences: true }),
      () => recurrent(stackedCells([lstmCell({ units: 32, weightDrop: 0.5 })]), { returnSequences: true }),
    ]) {
      const layer = make();
      layer.build([wide.shape]);
      const whole = firstOutput(layer, wide, { mask: rightPadded, training: true });
      lengths.slice(0, 9).forEach((length, b) => {
        const alone = firstOutput(layer, slice(slice(wide, 0, b, b + 1), 1, 0, length), { training: true });
        const got = slice(slice(whole, 0, b, b + 1), 1, 0, length);
        assert.equal(mismatch(`row ${b}`, got.dataSync(), alone.dataSync(), 1e-5), null);
      });
    }
  });

  test('a misspelt option is rejected, and the error suggests the right name', () => {
    assert.throws(
      () => lstm({ units: 2, wdrop: 0.5 } as never),
      /there is no option "wdrop"\. Did you mean "weightDrop"\?/,
    );
  });

  test('a rate outside [0, 1) is rejected', () => {
    assert.throws(
      () => lstm({ units: 2, weightDrop: 1, name: 'reader' }),
      /lstm: weightDrop must be in \[0, 1\), got 1/,
    );
    assert.throws(
      () => new nn.GruCell({ units: 2, weightDrop: -1 }),
      /GRUCell: weightDrop must be in \[0, 1\), got -1/,
    );
  });
});
