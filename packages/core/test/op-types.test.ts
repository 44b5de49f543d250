/**
 * Type errors in definitions and calls of ops. The test is the compiler: it fails if a line marked with @ts-expect-error
 * compiles.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scope, type Tensor, tensor } from '@unroll/core';
import { apply1, type NoAttributes, type Op, opTable } from '@unroll/core/internal';

type Two = readonly [a: Tensor, b: Tensor | null];

const sum: Op<NoAttributes, Two> = {
  name: 'sum',
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
    apply1(sum, [x, null], {});
    // @ts-expect-error: one input is missing
    assert.throws(() => apply1(opTable.add, [x], {}), TypeError);
    // @ts-expect-error: the first input must not be null
    assert.throws(() => apply1(sum, [null, x], {}), TypeError);
  });
});

test('an op with a missing gradient, or without a backward pass, does not compile', () => {
  // @ts-expect-error: two inputs, one gradient
  const one: Op<NoAttributes, Two> = { ...sum, backward: ({ grads: [g] }) => [g] };
  const { backward, ...rest } = sum;
  // @ts-expect-error: no backward
  const none: Op<NoAttributes, Two> = rest;
  assert.ok(one.backward !== backward && !('backward' in none));
});
