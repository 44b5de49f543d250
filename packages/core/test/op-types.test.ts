/**
 * Tests that wrong definitions and calls of ops are type errors. The compiler is the test: it reports an error if a line after
 * @ts-expect-error compiles.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scope, type Tensor, tensor } from '@unroll/core';
import { apply1, type NoAttributes, type Op, opTable } from '@unroll/core/internal';

type TwoInputs = readonly [a: Tensor, b: Tensor | null];

const copyFirst: Op<NoAttributes, TwoInputs> = {
  name: 'copyFirst',
  shapes: ([a]) => [a],
  forward({ inputs: [a, b], outputs: [y], kernels }) {
    // @ts-expect-error: the second input may be null
    if (b === null) assert.throws(() => b.block(), TypeError);
    kernels.copy({ x: a.block(), y: y.block() });
  },
  backward: ({ grads: [g] }) => [g, null],
};

test('an op takes all of its inputs; only optional ones may be null', () => {
  const x = tensor([1, 2]);
  scope(() => {
    apply1(copyFirst, [x, null], {});
    // @ts-expect-error: one input is missing
    assert.throws(() => apply1(opTable.add, [x], {}), TypeError);
    // @ts-expect-error: the first input must not be null
    assert.throws(() => apply1(copyFirst, [null, x], {}), TypeError);
  });
});

test('an op with a missing gradient, or without a backward pass, does not compile', () => {
  // @ts-expect-error: two inputs, one gradient
  const oneGradient: Op<NoAttributes, TwoInputs> = { ...copyFirst, backward: ({ grads: [g] }) => [g] };
  const { backward, ...withoutBackward } = copyFirst;
  // @ts-expect-error: no backward
  const noBackward: Op<NoAttributes, TwoInputs> = withoutBackward;
  assert.ok(oneGradient.backward !== backward && !('backward' in noBackward));
});
