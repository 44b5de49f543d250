/**
 * Compares the backward pass of every op with central differences in float64. Detects a gradient with a wrong factor,
 * sign, element, shape or index, a missing gradient, and a gradient that depends on which others are requested.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mul, sub, sum } from '@unroll/core';
import { opTable } from '@unroll/core/internal';
import { checkGradients, normal, opNames, opWithSamples, type SampleFor, samples } from '@unroll/testkit';

/** Ops that have no gradient, because they are piecewise constant. */
const WITHOUT_GRADIENT = ['sign', 'floor', 'isFinite', 'eq', 'gt', 'ge'];

describe('gradients of every op in float64', () => {
  for (const name of opNames) {
    test(name, () => {
      const { op, samples: all } = opWithSamples(name);
      const reports = all.map((sample) => checkGradients(name, op, sample));
      const problems = reports.flatMap((report) => report.problems);
      assert.deepEqual(problems.slice(0, 8), []);
      const checked = reports.reduce((total, report) => total + report.checked, 0);
      assert.equal(checked > 0, !WITHOUT_GRADIENT.includes(name), `${checked} derivatives were checked`);
    });
  }

  test('names of samples are unique, and so are their random streams', () => {
    for (const name of opNames) {
      const names = opWithSamples(name).samples.map((sample) => sample.name);
      assert.equal(new Set(names).size, names.length, name);
    }
  });
});

describe('the gradient check of testkit', () => {
  const sample: SampleFor<'tanh'> = {
    name: 'a row',
    inputs: [normal([7])],
    attrs: {},
    gradients: [true],
  };
  const tanh = (backward: (typeof opTable.tanh)['backward']): typeof opTable.tanh => ({
    ...opTable.tanh,
    backward,
  });

  test('reports a wrong formula and accepts the right one', () => {
    assert.deepEqual(checkGradients('tanh', opTable.tanh, sample).problems, []);
    // 1 - y instead of 1 - y²
    const wrong = tanh(({ outputs, grads }) => [mul(grads[0], sub(1, outputs[0]))]);
    const { problems, worst } = checkGradients('tanh', wrong, sample);
    assert.ok(problems.length >= 7);
    assert.match(problems[0]!, /^tanh a row: along a direction of all inputs: backward returned /);
    assert.ok(worst!.ratio > 1e4);
  });

  test('reports one wrong element with its index', () => {
    const wrong = tanh((call) => {
      const right = opTable.tanh.backward(call)[0]!;
      const nudge = [0, 0, 0, 0.001, 0, 0, 0];
      return [sub(right, nudge)];
    });
    const { problems } = checkGradients('tanh', wrong, sample);
    assert.equal(problems.length, 2);
    assert.match(problems[1]!, /input 0, element 3/);
  });

  test('reports a missing gradient', () => {
    const wrong = tanh(() => [null]);
    assert.match(checkGradients('tanh', wrong, sample).problems[0]!, /input 0: backward returns no gradient/);
  });

  test('rejects a gradient of another shape', () => {
    const wrong = tanh((call) => [sum(opTable.tanh.backward(call)[0]!, 0, true)]);
    assert.throws(
      () => checkGradients('tanh', wrong, sample),
      /tanh: the gradient of input 0 must have the input's shape \[7\], .* got \[1\]/,
    );
  });

  test('reports a gradient that depends on which others are requested', () => {
    const wrong: typeof opTable.matmul = {
      ...opTable.matmul,
      backward: (call) => {
        const [a, b, bias] = opTable.matmul.backward(call);
        return [call.needs[1] || !a ? a : mul(a, 2), b, bias];
      },
    };
    const { problems } = checkGradients(
      'matmul',
      wrong,
      samples.matmul.find(({ name }) => name === '[3, 5] times [5, 4]')!,
    );
    assert.deepEqual(problems, [
      'matmul [3, 5] times [5, 4]: input 0: its gradient changes if other gradients are not requested',
    ]);
  });

  test('reports a wrong gradient of one initial state of a fused cell', () => {
    const wrong: typeof opTable.lstm = {
      ...opTable.lstm,
      backward: (call) => {
        const [x, W, U, b, h0, c0, mask, rmask] = opTable.lstm.backward(call);
        return [x, W, U, b, h0, c0 && mul(c0, 0.99), mask, rmask];
      },
    };
    const withStates = samples.lstm.find(({ gradients }) => gradients[5] === true)!;
    assert.match(checkGradients('lstm', wrong, withStates).problems.join('\n'), /input 5, element/);
  });

  test('reports a gradient that ignores the second output', () => {
    const wrong: typeof opTable.lstm = {
      ...opTable.lstm,
      backward: (call) => opTable.lstm.backward({ ...call, grads: [call.grads[0], null, call.grads[2]] }),
    };
    assert.ok(checkGradients('lstm', wrong, samples.lstm[0]!).problems.length > 0);
  });
});
