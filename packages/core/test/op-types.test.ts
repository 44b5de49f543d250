/** What the types of ops refuse: the compiler is the test, and fails where one of these lines would compile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scope, type Tensor, tensor } from '@unroll/core';
import { apply1, type NoAttributes, type Op, opTable } from '@unroll/core/internal';

type Two = readonly [a: Tensor, b: Tensor | null];

const sum: Op<NoAttributes, Two> = {
  name: 'sum',
  shapes: ([a]) => [a],
  forward({ inputs: [a, b], outputs: [y], kernels }) {
    // @ts-expect-error: the second input may be absent
    if (b === null) assert.throws(() => b.block(), TypeError);
    kernels.copy(a.block(), 0, [1], y.block(), 0, [1], [a.size]);
  },
  backward: ({ grads: [g] }) => [g, null],
};

test('an op is applied to as many inputs as it has, and they are there unless they may be absent', () => {
  const x = tensor([1, 2]);
  scope(() => {
    apply1(sum, [x, null], {});
    // @ts-expect-error: one input is missing
    assert.throws(() => apply1(opTable.add, [x], {}), TypeError);
    // @ts-expect-error: the first input may not be absent
    assert.throws(() => apply1(sum, [null, x], {}), TypeError);
  });
});

test('a missing gradient does not compile: neither that of one input, nor all', () => {
  // @ts-expect-error: two inputs, one gradient
  const one: Op<NoAttributes, Two> = { ...sum, backward: ({ grads: [g] }) => [g] };
  const { backward, ...rest } = sum;
  // @ts-expect-error: no backward
  const none: Op<NoAttributes, Two> = rest;
  assert.ok(one.backward !== backward && !('backward' in none));
});
