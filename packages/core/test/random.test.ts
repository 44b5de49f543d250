/**
 * Random streams. Detects a changed generator, streams that depend on each other or on the backend, a stream that cannot be
 * resumed, and wrong distributions. The pinned numbers ensure that a seed gives the same initial weights, shuffles and
 * masks in every version.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, UnrollError } from '@unroll/core';
import { exactLog, randomWord, threefry2x32 } from '@unroll/core/internal';
import { bitMismatch, onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';

/** Fixed at the first release. */
const PINNED = {
  words: [43056785, 534565129, 895547591],
  path: [2324278474, 4061776441],
  permutation: [4, 3, 5, 7, 0, 1, 2, 6],
  normal: [1.1776924649233436, -0.7953228058814414, -1.6417867862899833],
};

const first = (stream: RandomStream, count = 4): number[] => Array.from(stream.uniform(count));

describe('the generator', () => {
  // Known answers from the file kat_vectors of Random123: threefry2x32, 20 rounds.
  const ANSWERS = [
    { counter: [0, 0], key: [0, 0], words: [0x6b200159, 0x99ba4efe] },
    { counter: [0xffffffff, 0xffffffff], key: [0xffffffff, 0xffffffff], words: [0x1cb996fc, 0xbb002be7] },
    { counter: [0x243f6a88, 0x85a308d3], key: [0x13198a2e, 0x03707344], words: [0xc4923a9c, 0x483df7a0] },
  ] as const;
  for (const { counter, key, words } of ANSWERS) {
    test(`threefry of ${counter[0].toString(16)} gives the published words`, () => {
      assert.deepEqual(threefry2x32(key, counter), words);
    });
  }

  test('a block has two words, and the counter may exceed 32 bits', () => {
    const key = [7, 9] as const;
    assert.deepEqual([randomWord(key, 0, 2), randomWord(key, 0, 3)], threefry2x32(key, [1, 0]));
    assert.equal(randomWord(key, 2 ** 32 - 1, 2), threefry2x32(key, [0, 1])[0]);
  });
});

describe('streams', () => {
  test('return fixed numbers in every version', () => {
    assert.deepEqual(Array.from(new RandomStream(0).words(3)), PINNED.words);
    assert.deepEqual(Array.from(new RandomStream(1, 'weights', 'lstm', 0).words(2)), PINNED.path);
    assert.deepEqual(Array.from(new RandomStream(2 ** 53 - 1).permutation(8)), PINNED.permutation);
    assert.deepEqual(Array.from(new RandomStream(3).normal(3)), PINNED.normal);
  });

  test('continue from a recorded state and from a copy of it', () => {
    const stream = new RandomStream(5, 'a');
    stream.words(3); // a block and a half: the rest of the second block is not used
    const state = structuredClone(stream.state);
    assert.equal(state.counter, 2);
    const rest = first(stream);
    const other = new RandomStream(99);
    other.state = state;
    assert.deepEqual(first(other), rest);
    assert.notDeepEqual(stream.state, state, 'the recorded state is a copy');
  });

  test('differ for different seeds, paths and children, and repeat for the same ones', () => {
    const streams = [
      new RandomStream(0),
      new RandomStream(1),
      new RandomStream(2 ** 32),
      new RandomStream(2 ** 32 + 1),
      new RandomStream(0, 'a'),
      new RandomStream(0, 'b'),
      new RandomStream(0, 'ab', 'c'),
      new RandomStream(0, 'a', 'bc'),
      new RandomStream(0, 1, 12),
      new RandomStream(0, 11, 2),
      new RandomStream(0).child('d'),
    ].map((stream) => first(stream).join());
    assert.equal(new Set(streams).size, streams.length);
    assert.deepEqual(first(new RandomStream(0, 'a', 'b')), first(new RandomStream(0, 'a').child('b')));
  });

  test('are not changed by creating children', () => {
    const [stream, twin] = [new RandomStream(4), new RandomStream(4)];
    first(stream.child('x'));
    assert.deepEqual(first(stream), first(twin));
  });

  test('accept integer seeds from 0 to 2^53 - 1', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.throws(
        () => new RandomStream(seed),
        new UnrollError('value', `seed must be an integer from 0 to 2^53 - 1, got ${seed}.`, { seed }),
      );
    }
  });
});

describe('distributions', () => {
  const moments = (values: ArrayLike<number>): { mean: number; variance: number } => {
    const list = Array.from(values);
    const mean = list.reduce((a, b) => a + b) / list.length;
    return { mean, variance: list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length };
  };
  const COUNT = 20_000;

  test('uniform', () => {
    const values = new RandomStream(1).uniform(COUNT, -2, 4);
    assert.ok(values.every((x) => x >= -2 && x < 4));
    const { mean, variance } = moments(values);
    assert.ok(Math.abs(mean - 1) < 0.05 && Math.abs(variance - 3) < 0.08, `${mean} ${variance}`);
  });

  test('normal', () => {
    const values = new RandomStream(2).normal(COUNT, 5, 2);
    const { mean, variance } = moments(values);
    assert.ok(Math.abs(mean - 5) < 0.06 && Math.abs(variance - 4) < 0.16, `${mean} ${variance}`);
    const beyond = values.filter((x) => Math.abs(x - 5) > 4).length / COUNT; // two standard deviations
    assert.ok(Math.abs(beyond - 0.0455) < 0.006, `${beyond}`);
    assert.equal(new RandomStream(2).normal(3).length, 3);
  });

  test('permutations are valid and equally likely', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 6000; seed++) {
      const order = new RandomStream(seed).permutation(3).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    assert.deepEqual([...counts.keys()].sort(), ['012', '021', '102', '120', '201', '210']);
    for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 130, `${count}`);
    assert.deepEqual(Array.from(new RandomStream(0).permutation(0)), []);
    assert.deepEqual(Array.from(new RandomStream(0).permutation(1)), [0]);
    assert.deepEqual(
      Array.from(new RandomStream(0).permutation(1000)).sort((a, b) => a - b),
      Array.from({ length: 1000 }, (_, i) => i),
    );
  });

  test('the custom logarithm agrees with Math.log', () => {
    for (let x = 1e-15; x < 1e6; x *= 1.37) {
      const right = Math.log(x);
      assert.ok(Math.abs(exactLog(x) - right) <= 4e-16 * Math.max(1, Math.abs(right)), `log ${x}`);
    }
    assert.equal(exactLog(1), 0);
  });
});

describe('tensors of random numbers', () => {
  for (const { name, backend, reason } of testBackends()) {
    test(`are the same on ${name}`, { skip: reason || false }, () => {
      onBackend(backend!, () => {
        const [stream, twin] = [new RandomStream(6, 'x'), new RandomStream(6, 'x')];
        const values = stream.uniformTensor([3, 5]).dataSync();
        assert.equal(bitMismatch('uniform', values, twin.uniform(15)), null);
        assert.deepEqual(stream.state, twin.state, 'both have consumed the same number of words');
        const mask = stream.dropoutMask([40, 50], 0.25).dataSync();
        const words = twin.words(2000);
        const wanted = Array.from(words, (word) => (word >>> 8 < 0.75 * 2 ** 24 ? Math.fround(1 / 0.75) : 0));
        assert.equal(bitMismatch('mask', mask, wanted), null);
        const kept = mask.filter((x) => x !== 0).length;
        assert.ok(Math.abs(kept - 1500) < 80, `${kept} of 2000 kept`);
      });
    });
  }

  test('a rate of 0 drops nothing; rates outside [0, 1) are rejected', () => {
    const stream = new RandomStream(0);
    assert.deepEqual(stream.dropoutMask([3], 0).toArray(), [1, 1, 1]);
    for (const rate of [1, -0.1, Number.NaN]) {
      assert.throws(
        () => stream.dropoutMask([3], rate),
        new UnrollError('value', `rate must be in [0, 1), got ${rate}.`, { rate }),
      );
    }
  });
});
