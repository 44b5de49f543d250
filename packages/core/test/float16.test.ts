/**
 * Tests float16 conversion on every finite float16 value, every midpoint between neighbours, and doubles close to each
 * midpoint. tools/verify/safetensors_files.py compares the rounding with NumPy. Detects rounding towards zero, away from zero
 * or to odd, lost subnormals, a lost carry, and double rounding through float32.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream, UnrollError } from '@unroll/core';
import { fromFloat16Bits, toFloat16Bits } from '@unroll/core/internal';

/** All finite float16 values from 0 up, in the order of their bits: steps of 2^-24, which double at each power of two from 2^-13 on. */
const FLOAT16_VALUES: readonly number[] = (() => {
  const found = [0];
  let step = 2 ** -24;
  for (let power = 2 ** -13; found.length < 0x7c00; power *= 2, step *= 2) {
    while (found.at(-1)! < power && found.length < 0x7c00) found.push(found.at(-1)! + step);
  }
  return found;
})();
const bits = (values: ArrayLike<number>): Uint16Array => toFloat16Bits(values, 'w');

test('decodes bits', () => {
  assert.equal(FLOAT16_VALUES.at(-1), 65504);
  const read = (sign: number): number[] => FLOAT16_VALUES.map((_, i) => fromFloat16Bits(sign | i));
  assert.deepEqual(read(0), FLOAT16_VALUES);
  assert.deepEqual(
    read(0x8000),
    FLOAT16_VALUES.map((value) => -value),
  );
  assert.deepEqual([0x7c00, 0xfc00, 0x7e00].map(fromFloat16Bits), [
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ]);
});

test('every float16 survives a round trip', () => {
  const bitPatterns = Uint16Array.from(FLOAT16_VALUES, (_, i) => i);
  assert.deepEqual(bits(FLOAT16_VALUES), bitPatterns);
  assert.deepEqual(
    bits(FLOAT16_VALUES.map((value) => -value)),
    bitPatterns.map((pattern) => pattern | 0x8000),
  );
});

test('rounds ties to even, and other values to the nearest', () => {
  for (const sign of [1, -1]) {
    const midpoints = FLOAT16_VALUES.slice(1).map((above, i) => (sign * (FLOAT16_VALUES[i]! + above)) / 2);
    const signBit = sign < 0 ? 0x8000 : 0;
    const expected = (rule: (i: number) => number): Uint16Array =>
      Uint16Array.from(midpoints, (_, i) => signBit | rule(i));
    assert.deepEqual(
      bits(midpoints),
      expected((i) => i + (i % 2)),
    );
    assert.deepEqual(
      bits(midpoints.map((value) => value * (1 - 2 ** -50))),
      expected((i) => i),
      'slightly below the midpoint',
    );
    assert.deepEqual(
      bits(midpoints.map((value) => value * (1 + 2 ** -50))),
      expected((i) => i + 1),
    );
  }
});

const { f16round } = Math as { f16round?: (value: number) => number };
test('agrees with Math.f16round', { skip: f16round ? false : 'this Node has no Math.f16round' }, () => {
  const random = new RandomStream(7, 'float16');
  const values = random.uniform(1e5, -1, 1).map((value, i) => value * 2 ** ((i % 42) - 26));
  assert.deepEqual(Array.from(bits(values), fromFloat16Bits), Array.from(values, f16round!));
});

test('rejects values outside the range of float16', () => {
  for (const value of [65504.001, -65505, 1e30, Number.POSITIVE_INFINITY, Number.NaN]) {
    assert.throws(
      () => toFloat16Bits([1, 65504, value], 'lstm/kernel'),
      (error: unknown) => {
        assert.ok(error instanceof UnrollError && error.code === 'value');
        assert.deepEqual(error.data, { name: 'lstm/kernel', position: 2, value });
        assert.match(
          error.message,
          /^Weight lstm\/kernel must be within ±65504 for float16, got .* at index 2\. .* in float32\.$/,
        );
        return true;
      },
    );
  }
});
