/**
 * `tensorOperation`: values compared with JavaScript's functions on every backend, gradients in float64 by central
 * differences, shapes, streams and errors. Detects a wrong function, an axis that is off by one, a missing gradient, and a
 * stream that applies an operation to chunks although the operation needs the whole sequence.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { add, mul, type Shape, sum, type Tensor, tensor, valueAndGrad } from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { sequential, type TensorOperationOptions, tensorOperation } from '@unroll/nn';
import { onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import { randomTensor, run } from './helpers.js';

const float64 = backendSync('reference:float64');
type Operation = TensorOperationOptions['operation'];

const erf = (x: number): number => {
  // The series of Abramowitz and Stegun 7.1.5, exact for small x.
  let [term, total] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
};
const truth = (x: number): number => (x === 0 ? 0 : 1);
const clamp = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);
const softplus = (x: number): number => Math.log1p(Math.exp(x));
const roundToEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** The function and the options of each operation with one operand. Gradient tests shift the inputs away from kinks. */
const unary: Partial<Record<Operation, [(x: number) => number, Partial<TensorOperationOptions>?]>> = {
  abs: [Math.abs],
  ceil: [Math.ceil],
  celu: [(x) => (x > 0 ? x : 2 * (Math.exp(x / 2) - 1)), { alpha: 2 }],
  clip: [(x) => clamp(x, -0.45, 0.65), { low: -0.45, high: 0.65 }],
  elu: [(x) => (x > 0 ? x : 0.7 * (Math.exp(x) - 1)), { alpha: 0.7 }],
  erf: [erf],
  exp: [Math.exp],
  floor: [Math.floor],
  geluTanh: [(x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
  hardSigmoid: [(x) => clamp(0.3 * x + 0.4, 0, 1), { alpha: 0.3, beta: 0.4 }],
  hardSwish: [(x) => x * clamp(x / 6 + 0.5, 0, 1)],
  leakyRelu: [(x) => (x > 0 ? x : 0.2 * x), { alpha: 0.2 }],
  linear: [(x) => 2 * x - 1, { alpha: 2, beta: -1 }],
  mish: [(x) => x * Math.tanh(softplus(x))],
  negative: [(x) => -x],
  not: [(x) => 1 - truth(x)],
  relu: [(x) => Math.max(x, 0)],
  round: [roundToEven],
  scaledTanh: [(x) => 1.5 * Math.tanh(0.5 * x), { alpha: 1.5, beta: 0.5 }],
  selu: [(x) => 1.1 * (x > 0 ? x : 1.5 * (Math.exp(x) - 1)), { alpha: 1.5, beta: 1.1 }],
  shrink: [(x) => (Math.abs(x) > 0.6 ? x - 0.2 * Math.sign(x) : 0), { alpha: 0.6, beta: 0.2 }],
  sigmoid: [(x) => 1 / (1 + Math.exp(-x))],
  sign: [Math.sign],
  softplus: [softplus],
  softsign: [(x) => x / (1 + Math.abs(x))],
  square: [(x) => x * x],
  tanh: [Math.tanh],
  thresholdedRelu: [(x) => (x > 0.3 ? x : 0), { alpha: 0.3 }],
  truncate: [Math.trunc],
};
/** Operations on positive numbers. */
const positive: Partial<Record<Operation, (x: number) => number>> = {
  log: Math.log,
  reciprocal: (x) => 1 / x,
  sqrt: Math.sqrt,
};

const flag = (x: boolean): number => (x ? 1 : 0);
const binary: Partial<Record<Operation, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  and: (x, y) => truth(x) * truth(y),
  divide: (x, y) => x / y,
  equal: (x, y) => flag(x === y),
  greater: (x, y) => flag(x > y),
  greaterEqual: (x, y) => flag(x >= y),
  less: (x, y) => flag(x < y),
  lessEqual: (x, y) => flag(x <= y),
  maximum: Math.max,
  minimum: Math.min,
  modulo: (x, y) => x - y * Math.floor(x / y),
  multiply: (x, y) => x * y,
  or: (x, y) => Math.max(truth(x), truth(y)),
  prelu: (x, slope) => (x > 0 ? x : slope * x),
  subtract: (x, y) => x - y,
  xor: (x, y) => Math.abs(truth(x) - truth(y)),
};

const values = [-2.3, -1.1, -0.7, -0.5, -0.2, 0, 0.1, 0.35, 0.8, 1.5, 2.2, 2.5];
const secondOperands = [1.2, -1.1, 2.1, 0.6, -0.2, 1, 0.4, 0.35, -0.9, 2, -1.7, 0.3];
const tensorOf = (list: readonly number[]): Tensor => tensor([...list], [2, 3, 2]);

/** Applies an operation. */
const apply = (options: TensorOperationOptions, inputs: readonly Tensor[]): Tensor =>
  run(tensorOperation(options), inputs)[0]!.value;

const close = (got: ArrayLike<number>, wanted: readonly number[], tolerance: number, what: string): void =>
  wanted.forEach((value, i) => {
    assert.ok(
      Math.abs(got[i]! - value) <= tolerance * Math.max(1, Math.abs(value)),
      `${what} ${i}: ${got[i]}, not ${value}`,
    );
  });

for (const { name, backend, reason } of [
  ...testBackends(),
  { name: 'float64', backend: float64, reason: '' },
]) {
  test(`values agree with JavaScript on ${name}`, { skip: backend ? false : reason }, () =>
    onBackend(backend!, () => {
      const tolerance = name === 'float64' ? 1e-12 : 3e-6;
      for (const [operation, [compute, options]] of Object.entries(unary) as [
        Operation,
        [(x: number) => number, object?],
      ][]) {
        const input = values.map(Math.fround);
        close(
          apply({ operation, ...options }, [tensorOf(input)]).dataSync(),
          input.map(compute),
          tolerance,
          operation,
        );
      }
      for (const [operation, compute] of Object.entries(positive) as [Operation, (x: number) => number][]) {
        const input = values.map((value) => Math.fround(Math.abs(value) + 0.3));
        close(apply({ operation }, [tensorOf(input)]).dataSync(), input.map(compute), tolerance, operation);
      }
      for (const [operation, compute] of Object.entries(binary) as [
        Operation,
        (x: number, y: number) => number,
      ][]) {
        const [a, b] = [values.map(Math.fround), secondOperands.map(Math.fround)];
        const wanted = a.map((value, i) => compute(value, b[i]!));
        close(apply({ operation }, [tensorOf(a), tensorOf(b)]).dataSync(), wanted, tolerance, operation);
      }
      const power = apply({ operation: 'power', operands: [null, 2.5] }, [tensorOf(values.map(Math.abs))]);
      close(
        power.dataSync(),
        values.map((value) => Math.abs(value) ** 2.5),
        tolerance,
        'power',
      );
    }),
  );
}

/** Other operations: options, shapes of the inputs, shape of the output, and its values for the inputs 0, 1, 2, ... */
const otherOperations: [TensorOperationOptions, Shape[], Shape, number[]][] = [
  [{ operation: 'identity' }, [[1, 2]], [1, 2], [0, 1]],
  [{ operation: 'reshape', shape: [{ axis: 1 }, 2, -1] }, [[1, 2, 2]], [1, 2, 2, 1], [0, 1, 2, 3]],
  [{ operation: 'broadcast', shape: [2, { axis: 2 }] }, [[1, 1, 2]], [1, 2, 2], [0, 1, 0, 1]],
  [{ operation: 'permute', order: [0, 2, 1] }, [[1, 2, 3]], [1, 3, 2], [0, 3, 1, 4, 2, 5]],
  [{ operation: 'slice', axis: 1, start: -2 }, [[1, 4]], [1, 2], [2, 3]],
  [{ operation: 'slice', axis: 1, start: 1, end: 9 }, [[1, 4]], [1, 3], [1, 2, 3]],
  [{ operation: 'slice', axis: 1, end: -1 }, [[1, 3]], [1, 2], [0, 1]],
  [{ operation: 'take', axis: 1, indices: -1 }, [[1, 3, 2]], [1, 2], [4, 5]],
  [{ operation: 'take', axis: 1, indices: [2, 0] }, [[1, 3, 2]], [1, 2, 2], [4, 5, 0, 1]],
  [{ operation: 'reverse', axis: 1 }, [[1, 3]], [1, 3], [2, 1, 0]],
  [{ operation: 'pad', axis: 1, before: 1, after: 2, alpha: 7 }, [[1, 2]], [1, 5], [7, 0, 1, 7, 7]],
  [{ operation: 'pad', axis: 1, before: 1 }, [[1, 2]], [1, 3], [0, 0, 1]],
  [
    { operation: 'matmul' },
    [
      [1, 2, 2],
      [1, 2, 1],
    ],
    [1, 2, 1],
    [1, 3],
  ],
  [{ operation: 'constant', operands: [3], shape: [2] }, [[2, 1]], [2, 2], [3, 3, 3, 3]],
  [{ operation: 'cumulativeSum', axis: 1 }, [[1, 3]], [1, 3], [0, 1, 3]],
  [{ operation: 'cumulativeSum', axis: 2, fromEnd: true }, [[1, 2, 3]], [1, 2, 3], [3, 3, 2, 12, 9, 5]],
  [{ operation: 'cumulativeSum', axis: 1, exclusive: true }, [[1, 3, 2]], [1, 3, 2], [0, 0, 0, 1, 2, 4]],
  [
    { operation: 'cumulativeSum', axis: 2, exclusive: true, fromEnd: true },
    [[1, 2, 3]],
    [1, 2, 3],
    [3, 2, 0, 9, 5, 0],
  ],
  [{ operation: 'cumulativeSum', axis: 1, exclusive: true }, [[2, 1]], [2, 1], [0, 0]],
  [{ operation: 'indices', axis: 2 }, [[2, 1, 3]], [2, 3], [0, 1, 2, 0, 1, 2]],
  [{ operation: 'lengthMask' }, [[3, 2, 1], [3]], [3, 2], [0, 0, 1, 0, 1, 1]],
  [
    { operation: 'where', operands: [null, 5, null] },
    [
      [1, 3],
      [1, 3],
    ],
    [1, 3],
    [0, 5, 5],
  ],
  [{ operation: 'sum', axes: [1] }, [[1, 2, 2]], [1, 2], [2, 4]],
  [{ operation: 'mean', axes: [1, 2], keepDims: true }, [[1, 2, 2]], [1, 1, 1], [1.5]],
  [{ operation: 'max', axes: [2] }, [[1, 2, 2]], [1, 2], [1, 3]],
  [{ operation: 'min', axes: [2] }, [[1, 2, 2]], [1, 2], [0, 2]],
  [{ operation: 'norm1', axes: [1] }, [[1, 3]], [1], [3]],
  [{ operation: 'norm2', axes: [1] }, [[1, 3]], [1], [Math.sqrt(5)]],
  [{ operation: 'sumSquare', axes: [1] }, [[1, 3]], [1], [5]],
  [{ operation: 'logSumExp', axes: [1] }, [[1, 2]], [1], [Math.log(1 + Math.E)]],
];

test('the other operations return the expected values, and know their shapes', () => {
  onBackend(float64, () => {
    for (const [options, shapes, shape, wanted] of otherOperations) {
      const inputs = shapes.map((inputShape) => {
        const count = inputShape.reduce((total, extent) => total * extent, 1);
        return tensor(
          Array.from({ length: count }, (_, i) => i),
          inputShape,
        );
      });
      const what = JSON.stringify(options);
      const y = apply(options, inputs);
      assert.deepEqual(y.shape, shape, what);
      close(y.dataSync(), wanted, 1e-12, what);
      const openShapes = shapes.map((inputShape) => [-1, ...inputShape.slice(1)]);
      assert.deepEqual(tensorOperation(options).outputShapes(openShapes), [[-1, ...shape.slice(1)]], what);
    }
  });
});

describe('gradients in float64 equal central differences', () => {
  const differentiable = Object.keys({ ...unary, ...positive, ...binary }).filter(
    (name) => !['modulo', 'or', 'and', 'xor', 'not', 'equal'].includes(name),
  ) as Operation[];
  for (const operation of differentiable) {
    test(operation, () =>
      onBackend(float64, () => {
        const isPositive = operation in positive;
        const count = operation in binary ? 2 : 1;
        const shift = (list: readonly number[]): number[] =>
          list.map((v) => (isPositive ? Math.abs(v) + 0.4 : v + 0.03));
        const second = shift(secondOperands).map((value) => value + 0.05);
        const inputs = [tensorOf(shift(values)), tensorOf(second)].slice(0, count);
        checkGradients({ operation, ...unary[operation]?.[1] }, inputs);
      }),
    );
  }
  for (const [options, shapes] of otherOperations) {
    if (options.operation === 'lengthMask' || options.operation === 'indices') continue;
    test(JSON.stringify(options), () =>
      onBackend(float64, () =>
        checkGradients(
          options,
          shapes.map((shape, i) => randomTensor(`input ${i}`, ...shape)),
        ),
      ),
    );
  }
  test('multiply, with a weight as an operand', () =>
    onBackend(float64, () =>
      checkGradients({ operation: 'multiply', operands: [[1, 2], null] }, [tensorOf(values)]),
    ));
});

/**
 * Compares the gradients of a weighted sum of the output with central differences: for inputs in one random direction, for
 * weights one by one.
 */
function checkGradients(options: TensorOperationOptions, inputs: readonly Tensor[]): void {
  const layer = tensorOperation(options);
  layer.build(inputs.map(({ shape }) => shape));
  for (const parameter of layer.parameters)
    parameter.assign(randomTensor('weight', ...parameter.shape).dataSync());
  const loss = (list: readonly Tensor[]): Tensor => {
    const y = run(layer, list)[0]!.value;
    return sum(mul(y, randomTensor('weights', ...y.shape)));
  };
  const all = [...inputs, ...layer.parameters];
  const { grads } = valueAndGrad(() => loss(inputs), all);
  inputs.forEach((input, k) => {
    const direction = randomTensor('direction', ...input.shape);
    const d = direction.dataSync();
    const gradient = Array.from(grads[k]!.dataSync()).reduce((total, g, i) => total + g * d[i]!, 0);
    const lossAt = (h: number): number =>
      loss(inputs.map((value, i) => (i === k ? add(value, mul(direction, h)) : value))).item();
    const h = 1e-5;
    const difference = (lossAt(h) - lossAt(-h)) / (2 * h);
    assert.ok(
      Math.abs(difference - gradient) < 1e-6 * Math.max(1, Math.abs(gradient)),
      `input ${k}: gradient ${gradient}, central difference ${difference}`,
    );
  });
  for (const [p, parameter] of layer.parameters.entries()) {
    const start = [...parameter.dataSync()];
    grads[inputs.length + p]!.dataSync().forEach((gradient, i) => {
      const lossAt = (h: number): number => {
        parameter.assign(start.map((value, n) => (n === i ? value + h : value)));
        return loss(inputs).item();
      };
      const difference = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5;
      assert.ok(
        Math.abs(difference - gradient) < 1e-6,
        `weight ${i}: gradient ${gradient}, central difference ${difference}`,
      );
    });
  }
}

describe('streams', () => {
  const wholeSequenceOperations: TensorOperationOptions[] = [
    { operation: 'reverse', axis: 1 },
    { operation: 'cumulativeSum', axis: 1 },
    { operation: 'slice', axis: 1, start: 1 },
    { operation: 'take', axis: 1, indices: -1 },
    { operation: 'pad', axis: 1, before: 1 },
    { operation: 'mean', axes: [1] },
    { operation: 'reshape', shape: [-1] },
    { operation: 'permute', order: [0, 2, 1] },
    { operation: 'add', operands: [null, [3, 2]] },
  ];
  for (const options of wholeSequenceOperations) {
    test(`${JSON.stringify(options)} needs the whole sequence`, () => {
      const network = sequential([tensorOperation({ ...options, name: 'op' })]);
      network.build([[-1, 3, 2]]);
      assert.throws(() => network.stream(), { code: 'state', message: /^Layer op: cannot be streamed: it/ });
    });
  }
});

describe('errors', () => {
  test('of unknown operations, a wrong number of inputs, and inputs that do not match', () => {
    assert.throws(() => tensorOperation({ operation: 'cosh' as 'exp' }), {
      code: 'value',
      message: /^Layer TensorOperation: there is no operation "cosh"\. Choose one of abs, add, /,
    });
    const layer = tensorOperation({ operation: 'add', name: 'sum' });
    assert.throws(() => layer.outputShapes([[1, 2]]), {
      message: 'Layer sum: the number of inputs of add must be 2, got 1.',
    });
    assert.throws(
      () =>
        layer.outputShapes([
          [1, 2],
          [1, 3],
        ]),
      {
        message: 'Layer sum: expected a shape that broadcasts with [1, 2], got [1, 3].',
      },
    );
  });
});
