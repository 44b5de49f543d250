/**
 * Padding and bucketing: the mask is 1 for the steps of a sequence; every sequence is in exactly one batch, together with
 * sequences of similar length; errors name what is wrong.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { bucketByLength, padSequences, summarizeLengths } from '@unroll/data';

describe('padSequences', () => {
  test('pads numbers on the right, with a mask', () => {
    const { values, mask, lengths } = padSequences([[3, 4, 5], [6], []]);
    assert.deepEqual(values.toArray(), [[3, 4, 5], [6, 0, 0], [0, 0, 0]]); // biome-ignore format: a table
    assert.deepEqual(mask.toArray(), [[1, 1, 1], [1, 0, 0], [0, 0, 0]]); // biome-ignore format: a table
    assert.deepEqual([...lengths], [3, 1, 0]);
  });

  test('pads rows of features on the left, with a value', () => {
    const { values, mask } = padSequences([[[1, 2]], [[3, 4], [5, 6]]], { side: 'left', value: -1 }); // biome-ignore format: a table
    assert.deepEqual(values.toArray(), [[[-1, -1], [1, 2]], [[3, 4], [5, 6]]]); // biome-ignore format: a table
    assert.deepEqual(mask.toArray(), [[0, 1], [1, 1]]); // biome-ignore format: a table
  });

  test('truncates long sequences, at the end or at the start', () => {
    const long = [[1, 2, 3, 4], [5]];
    assert.deepEqual(padSequences(long, { steps: 2 }).values.toArray(), [[1, 2], [5, 0]]); // biome-ignore format: a table
    assert.deepEqual(padSequences(long, { steps: 2, truncate: 'start' }).values.toArray(), [[3, 4], [5, 0]]); // biome-ignore format: a table
    assert.deepEqual(padSequences([Float32Array.of(1, 2)], { steps: 3 }).values.toArray(), [[1, 2, 0]]);
  });

  test('rejects rows of different widths, empty lists and steps: 0', () => {
    assert.throws(() => padSequences([[[1, 2]], [[3, 4], [5]]]), /Step 1 of sequence 1 must be a row of 2 features, .* got a row of 1/); // biome-ignore format: one line
    assert.throws(() => padSequences([]), /at least one sequence/);
    assert.throws(() => padSequences([[1]], { steps: 0 }), /steps must be a positive integer, got 0/);
  });
});

describe('bucketByLength', () => {
  const lengths = [...new RandomStream(1).uniform(1000, 1, 100)].map(Math.floor);
  /** Returns the share of padded steps. */
  const paddingOf = (batches: readonly Uint32Array[]): number => {
    let [steps, padded] = [0, 0];
    for (const batch of batches) {
      const longest = Math.max(...Array.from(batch, (row) => lengths[row]!));
      for (const row of batch) {
        steps += longest;
        padded += longest - lengths[row]!;
      }
    }
    return padded / steps;
  };

  test('returns every sequence once, in batches from short to long', () => {
    const batches = bucketByLength(lengths, { batchSize: 16 });
    assert.deepEqual([...batches.flatMap((batch) => [...batch])].sort((a, b) => a - b), lengths.map((_, row) => row)); // biome-ignore format: one line
    const firsts = batches.map((batch) => lengths[batch[0]!]!);
    assert.deepEqual(
      firsts,
      firsts.toSorted((a, b) => a - b),
    );
    assert.ok(paddingOf(batches) < 0.03);
  });

  test('shuffles within pools: in an order that depends on the seed, with little padding', () => {
    const draw = (seed: number) =>
      bucketByLength(lengths, { batchSize: 16, pool: 20, random: new RandomStream(seed) });
    const batches = draw(1);
    assert.deepEqual(batches, draw(1));
    assert.notDeepEqual(batches, draw(2));
    assert.equal(new Set(batches.flatMap((batch) => [...batch])).size, lengths.length);
    assert.ok(paddingOf(batches) < 0.1);
    assert.ok(
      paddingOf(bucketByLength(lengths, { batchSize: 16, pool: 1, random: new RandomStream(1) })) > 0.4,
    );
  });

  test('an empty list has no batches, and a batchSize of 0 is rejected', () => {
    assert.deepEqual(bucketByLength([]), []);
    assert.throws(() => bucketByLength([1], { batchSize: 0 }), /batchSize must be a positive integer, got 0/);
  });
});

test('summarizeLengths returns the range, the mean, percentiles and the share of padding', () => {
  const summary = summarizeLengths([1, 2, 3, 4]);
  assert.deepEqual(summary, {
    ...{ count: 4, shortest: 1, longest: 4, mean: 2.5, padding: 0.375 },
    percentiles: { 50: 2, 90: 4, 95: 4, 99: 4 },
  });
  assert.throws(() => summarizeLengths([]), /at least one length, got none/);
});
