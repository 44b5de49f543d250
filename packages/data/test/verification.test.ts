/** The equal error rate against scikit-learn and scipy (tools/goldens/verification.py), and cosines. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cosineSimilarity, equalErrorRate } from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';

interface Case {
  name: string;
  scores: number[];
  same: boolean[];
  rate: number;
}
const { cases } = readGoldens('audio/verification.json') as { cases: Case[] };

describe('the equal error rate of scikit-learn', () => {
  for (const { name, scores, same, rate } of cases)
    test(name, () => {
      const found = equalErrorRate(scores, same);
      assert.ok(Math.abs(found.rate - rate) < 1e-9, `${found.rate}, expected ${rate}`);
      const refused = scores.filter((score, i) => same[i] && score < found.threshold).length;
      const accepted = scores.filter((score, i) => !same[i] && score >= found.threshold).length;
      const [positives, negatives] = [true, false].map((kind) => same.filter((each) => each === kind).length);
      assert.ok(refused / positives <= rate + 1e-9 && accepted / negatives >= rate - 1e-9);
    });
});

test('perfect scores have rate 0, inverted ones 1; errors name what is wrong', () => {
  assert.deepEqual(equalErrorRate([0.9, 0.8, 0.2], [true, true, false]), { rate: 0, threshold: 0.8 });
  assert.equal(equalErrorRate([0.1, 0.9], [true, false]).rate, 1);
  assert.throws(() => equalErrorRate([1, 2], [true, true]), /pairs of different classes, got 2 and 0/);
  assert.throws(() => equalErrorRate([1], [true, false]), /same length, got 1 and 2/);
  assert.throws(() => equalErrorRate([1, Number.NaN], [true, false]), /scores must be finite, got NaN/);
});

test('the cosine is from -1 to 1, and 0 for a zero vector', () => {
  assert.equal(cosineSimilarity([1, 0], [2, 0]), 1);
  assert.equal(cosineSimilarity([1, 0], [0, 3]), 0);
  assert.equal(cosineSimilarity([1, 2], [-1, -2]), -1);
  assert.equal(cosineSimilarity([0, 0], [1, 1]), 0);
  assert.throws(() => cosineSimilarity([1], [1, 2]), /same length, got 1 and 2/);
});
