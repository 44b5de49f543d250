/** Compares the equal error rate with scikit-learn and scipy (tools/goldens/verification.py), and tests cosine similarities. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cosineSimilarity, equalErrorRate } from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';

interface Case {
  name: string;
  /** The similarity of each pair. */
  scores: number[];
  /** Whether the two members of each pair are of the same class. */
  same: boolean[];
  rate: number;
}
const { cases } = readGoldens('audio/verification.json') as { cases: Case[] };

describe('equalErrorRate gives the rate of scikit-learn and scipy', () => {
  for (const { name, scores, same, rate } of cases)
    test(name, () => {
      const found = equalErrorRate(scores, same);
      assert.ok(Math.abs(found.rate - rate) < 1e-9, `${found.rate}, expected ${rate}`);
      const falseRejections = scores.filter((score, i) => same[i] && score < found.threshold).length;
      const falseAcceptances = scores.filter((score, i) => !same[i] && score >= found.threshold).length;
      const positives = same.filter(Boolean).length;
      const negatives = same.length - positives;
      assert.ok(falseRejections / positives <= rate + 1e-9 && falseAcceptances / negatives >= rate - 1e-9);
    });
});

test('equalErrorRate is 0 for perfect scores and 1 for inverted ones, and rejects invalid arguments', () => {
  assert.deepEqual(equalErrorRate([0.9, 0.8, 0.2], [true, true, false]), { rate: 0, threshold: 0.8 });
  assert.equal(equalErrorRate([0.1, 0.9], [true, false]).rate, 1);
  assert.throws(() => equalErrorRate([1, 2], [true, true]), /pairs of different classes, got 2 and 0/);
  assert.throws(() => equalErrorRate([1], [true, false]), /same length, got 1 and 2/);
  assert.throws(() => equalErrorRate([1, Number.NaN], [true, false]), /scores must be finite, got NaN/);
});

test('cosineSimilarity is from -1 to 1, and 0 for a zero vector', () => {
  assert.equal(cosineSimilarity([1, 0], [2, 0]), 1);
  assert.equal(cosineSimilarity([1, 0], [0, 3]), 0);
  assert.equal(cosineSimilarity([1, 2], [-1, -2]), -1);
  assert.equal(cosineSimilarity([0, 0], [1, 1]), 0);
  assert.throws(() => cosineSimilarity([1], [1, 2]), /same length, got 1 and 2/);
});
