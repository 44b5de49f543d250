/**
 * Compares the gradients of the loss `crf`, for every weight and the input of the `crf` layer, with central differences in float64.
 * Detects a weight that gets no gradient from the loss, and constraints that change the gradient of allowed transitions.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Parameter, RandomStream, type Tensor, tensor, valueAndGrad } from '@unroll/core';
import { backendSync, inferenceContext } from '@unroll/core/internal';
import { type CrfOptions, crf } from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { losses } from '@unroll/train';

const [B, T, I, K] = [3, 5, 4, 3];
const STEP = 1e-5;
const tags = tensor([
  [0, 1, 2, 2, 0],
  [1, 2, 0, 0, 0],
  [0, 0, 1, 2, 0],
]);
const mask = tensor([
  [1, 1, 1, 1, 1],
  [1, 1, 0, 0, 0],
  [1, 0, 1, 1, 0],
]);
const sampleWeights = tensor([1, 2, 0.5]);
const constraints = {
  transitions: [
    [true, true, false],
    [true, true, true],
    [true, true, true],
  ],
  start: [true, true, false],
  end: [true, false, true],
};

const cases: Record<string, Partial<CrfOptions>> = {
  'no constraints': {},
  constraints: { constraints },
  'no bias': { useBias: false, constraints },
};

describe('gradients of the crf layer and its loss equal central differences', () => {
  for (const [name, options] of Object.entries(cases)) {
    test(name, () => {
      onBackend(backendSync('reference:float64'), () => {
        const layer = crf({ tags: K, transitionInitializer: 'glorotUniform', ...options });
        layer.build([[-1, T, I]]);
        const values = Float64Array.from(new RandomStream(2).normal(B * T * I));
        const lossOf = (x: Tensor): Tensor => {
          const [y] = layer.invoke([{ value: x, mask }], inferenceContext());
          return losses.crf().compute(y.value, tags, y.mask, sampleWeights);
        };
        const x = tensor(values, [B, T, I]);
        const { grads } = valueAndGrad(() => lossOf(x), [x, ...layer.parameters]);
        const compare = (
          name: string,
          gradient: ArrayLike<number>,
          lossAfterStep: (i: number, step: number) => Tensor,
        ) => {
          for (let i = 0; i < gradient.length; i++) {
            const difference = (lossAfterStep(i, STEP).item() - lossAfterStep(i, -STEP).item()) / (2 * STEP);
            assert.ok(
              Math.abs(gradient[i] - difference) < 1e-8,
              `${name} ${i}: ${gradient[i]}, ${difference}`,
            );
          }
        };
        const withStep = (from: ArrayLike<number>, i: number, step: number): Float64Array => {
          const result = Float64Array.from(from);
          result[i] += step;
          return result;
        };
        compare('input', grads[0].dataSync(), (i, step) =>
          lossOf(tensor(withStep(values, i, step), [B, T, I])),
        );
        layer.parameters.forEach((parameter: Parameter, p) => {
          const before = parameter.dataSync().slice();
          const gradient = grads[p + 1].dataSync();
          assert.ok(
            gradient.some((value) => value !== 0),
            parameter.name,
          );
          compare(parameter.name, gradient, (i, step) => {
            parameter.assign(withStep(before, i, step));
            const loss = lossOf(x);
            parameter.assign(before);
            return loss;
          });
        });
      });
    });
  }
});
