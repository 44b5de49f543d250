/**
 * A user's custom cell in place of a built-in one: in a layer over sequences, with masks, states and dropout, in a model,
 * and in training. Detects a feature that does not work with a custom cell.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keep, predict, RandomStream, sigmoid, type Tensor, tanh, tensor } from '@unroll/core';
import { inferenceContext } from '@unroll/core/internal';
import {
  type CellState,
  dense,
  lstm,
  type RecurrentOptions,
  recurrent,
  type Sequential,
  sequential,
} from '@unroll/nn';
import { mismatch, onBackend, throwProblems } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { CustomLstm } from './custom-cells.js';

const [B, T, I, H] = [4, 6, 3, 5];
const x = new RandomStream(1).normal(B * T * I);
const customCell = (): CustomLstm => new CustomLstm({ units: H, phi: tanh, sigma: sigmoid, useBias: true });

/** Returns a model with the built-in cell and the same model with the custom cell, with equal weights. */
function pair(options: RecurrentOptions): [Sequential, Sequential] {
  const builtIn = sequential([lstm({ units: H, ...options }), dense({ units: 2 })], { seed: 1 });
  const custom = sequential([recurrent(customCell(), options), dense({ units: 2 })], { seed: 2 });
  for (const model of [builtIn, custom]) model.build([[-1, -1, I]]);
  custom.setWeights(builtIn.getWeights());
  return [builtIn, custom];
}

const OPTIONS: Record<string, RecurrentOptions> = {
  'the last output': {},
  'every output': { returnSequences: true },
  backwards: { returnSequences: true, goBackwards: true },
  'zeros at masked steps': { returnSequences: true, zeroOutputForMask: true },
  'dropout of inputs and state': { dropout: 0.4, recurrentDropout: 0.4, seed: 7 },
};

for (const { name, backend, reason } of testBackends()) {
  describe(`a user's LSTM on ${name}`, { skip: reason || false }, () => {
    for (const [title, options] of Object.entries(OPTIONS)) {
      test(`has the results of the built-in one: ${title}`, () => {
        onBackend(backend!, () => {
          const input = tensor(x, [B, T, I]);
          const maskValues = Array.from({ length: B * T }, (_, i) => (i % T === Math.floor(i / T) ? 0 : 1));
          const masks = [null, tensor(maskValues, [B, T])];
          for (const mask of masks) {
            const outputs = pair(options).map((model) => {
              // In training, so that dropout is applied; both draw the same masks.
              const context = { ...inferenceContext(), training: true, random: new RandomStream(3) };
              return model.forward([{ value: input, mask }], context)[0]!.value;
            }) as [Tensor, Tensor];
            assert.deepEqual(outputs[1].shape, outputs[0].shape);
            throwProblems([
              mismatch(mask ? 'masked' : 'plain', outputs[1].dataSync(), outputs[0].dataSync(), 1e-5),
            ]);
          }
        });
      });
    }
  });
}

test('a tensor that a cell stores in a step cannot be read later, unless the cell called keep()', async () => {
  const storedStates: CellState[] = [];
  const kept: Tensor[] = [];
  class StoringCell extends CustomLstm {
    override step(...call: Parameters<CustomLstm['step']>): ReturnType<CustomLstm['step']> {
      const result = super.step(...call);
      storedStates.push(result.state);
      kept.push(keep(result.state.h!));
      return result;
    }
  }
  const layer = recurrent(new StoringCell({ units: H, phi: tanh, sigma: sigmoid, useBias: true }), {
    returnSequences: true,
  });
  const model = sequential([layer]);
  const y = await predict(model, tensor(x, [B, T, I]));
  await predict(model, tensor(x, [B, T, I])); // reuses the memory of the freed tensors
  assert.throws(() => storedStates[0]!.c!.dataSync(), /was freed when its scope\(\) or training step ended/);
  const rows = kept.slice(0, T).map((h) => h.toArray());
  assert.deepEqual(
    y.toArray(),
    Array.from({ length: B }, (_, b) => rows.map((row) => (row as number[][])[b])),
  );
});

test('a plain object with a name, sizes, config, build() and step() works as a cell', async () => {
  const counter = {
    ...{ className: 'Counter', units: 1, stateSizes: { n: 1 }, config: {} },
    build: () => {},
    step: (_x: Tensor, { n }: CellState) => {
      const next = tensor(
        n!.dataSync().map((value) => value + 1),
        n!.shape,
      );
      return { y: next, state: { n: next } };
    },
  };
  const y = await predict(sequential([recurrent(counter, { returnSequences: true })]), tensor(x, [B, T, I]));
  // biome-ignore format: one line
  assert.deepEqual(y.toArray(), Array.from({ length: B }, () => [[1], [2], [3], [4], [5], [6]]));
});
