/** Tests the suggestion in "Did you mean ...?": names within a small edit distance are suggested, others are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '@unroll/core/internal';

const names = ['month', 'passengers', 'price_eur'];

test('accepts differences in case and punctuation, a missing letter, swapped letters and prefixes', () => {
  assert.equal(nearest('Month', names), 'month');
  assert.equal(nearest('price eur', names), 'price_eur');
  assert.equal(nearest('passenger', names), 'passengers');
  assert.equal(nearest('mnoth', names), 'month');
  assert.equal(nearest('pass', names), 'passengers');
});

test('rejects words that are not similar', () => {
  assert.equal(nearest('temperature', names), undefined);
  assert.equal(nearest('xyz', names), undefined);
});
