/**
 * Compares CTC decoding with exhaustive search. Detects a beam that counts an alignment twice or not at all, treats repeated
 * labels wrongly, loses a prefix whose parent left the beam, or adds the score of a label more than once.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, tensor, UnrollError } from '@unroll/core';
import { type CtcBeamOptions, ctcBeamSearch, ctcDecoder, ctcGreedy } from '@unroll/nn';

/** Returns all sequences of class indices of this length. */
function sequences(classes: number, length: number): number[][] {
  if (length === 0) return [[]];
  return sequences(classes, length - 1).flatMap((rest) => Array.from({ length: classes }, (_, k) => [...rest, k])); // biome-ignore format: one line
}

const collapse = (path: readonly number[], blank: number): number[] =>
  path.filter((k, t) => k !== blank && k !== path[t - 1]);

function logSoftmax(row: readonly number[]): number[] {
  const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
  return row.map((x) => x - total);
}

const randomLogits = (T: number, C: number, seed: number): number[][] => {
  const values = new RandomStream(seed, 'logits').normal(T * C, 0, 2).map(Math.fround);
  return Array.from({ length: T }, (_, t) => [...values.slice(t * C, (t + 1) * C)]);
};

type Scores = Pick<CtcBeamOptions, 'score' | 'scoreEnd'>;

/** Returns all labellings with their scores, the best one first. */
function exhaustive(logits: number[][], blank: number, { score, scoreEnd }: Scores) {
  const logP = logits.map(logSoftmax);
  const found = new Map<string, { labels: number[]; p: number }>();
  for (const path of sequences(logits[0].length, logits.length)) {
    const labels = collapse(path, blank);
    const entry = found.get(labels.join()) ?? { labels, p: 0 };
    entry.p += Math.exp(path.reduce((sum, k, t) => sum + logP[t][k], 0));
    found.set(labels.join(), entry);
  }
  return [...found.values()]
    .map(({ labels, p }) => {
      const bonus = labels.reduce((sum, label, i) => sum + (score?.(labels.slice(0, i), label) ?? 0), 0);
      return { labels, logProbability: Math.log(p), score: Math.log(p) + bonus + (scoreEnd?.(labels) ?? 0) };
    })
    .filter(({ score: total }) => total > Number.NEGATIVE_INFINITY)
    .sort((a, b) => b.score - a.score);
}

const SCORES: Record<string, Scores> = {
  'without scores': {},
  'a language model': {
    score: (prefix, next) => Math.sin(3 * (prefix.at(-1) ?? 7) + 5 * next + prefix.length),
    scoreEnd: (labels) => Math.cos(labels.length),
  },
  'a lexicon': {
    score: (prefix, next) => (prefix.at(-1) === next || prefix.length >= 3 ? Number.NEGATIVE_INFINITY : 0.5),
    scoreEnd: (labels) => (labels.length === 1 ? Number.NEGATIVE_INFINITY : 0),
  },
};

const close = (a: number, b: number, what: string): void =>
  assert.ok(Math.abs(a - b) < 1e-10, `${what}: ${a}, ${b}`);

describe('a beam that holds all prefixes has the results of exhaustive search', () => {
  for (const [name, scores] of Object.entries(SCORES)) {
    for (const T of [1, 2, 3, 4, 5, 6]) {
      test(`${name}, ${T} steps`, () => {
        for (const blank of [0, 1, 2]) {
          const logits = randomLogits(T, 3, 10 * T + blank);
          const wanted = exhaustive(logits, blank, scores);
          const [got] = ctcBeamSearch(tensor(logits), { blank, beamWidth: 4000, nBest: 4000, ...scores });
          assert.equal(got.length, wanted.length);
          got.forEach((hypothesis, i) => {
            close(hypothesis.score, wanted[i].score, `score ${i}`);
            close(hypothesis.logProbability, wanted[i].logProbability, `probability ${i}`);
            assert.deepEqual(hypothesis.labels, wanted[i].labels);
          });
        }
      });
    }
  }
});

describe('narrow beams', () => {
  test('never contain a labelling twice, and probabilities never exceed the exact ones', () => {
    for (let seed = 0; seed < 60; seed++) {
      const logits = randomLogits(6, 3, seed);
      const exact = new Map(exhaustive(logits, 0, {}).map(({ labels, score }) => [labels.join(), score]));
      for (const beamWidth of [1, 2, 3, 5]) {
        const [got] = ctcBeamSearch(tensor(logits), { beamWidth, nBest: beamWidth });
        assert.equal(new Set(got.map(({ labels }) => labels.join())).size, got.length);
        for (const { labels, score } of got) assert.ok(score <= exact.get(labels.join())! + 1e-9);
      }
    }
  });

  test('find the most probable labelling where the best path does not', () => {
    // Graves et al. (2006), figure of prefix search: the best path is blank, blank with 0.36, but label 1 has 0.64.
    const steps = [[0.6, 0.4], [0.6, 0.4]].map((row) => row.map((p) => Math.fround(Math.log(p)))); // biome-ignore format: one line
    assert.deepEqual(ctcGreedy(steps)[0].labels, []);
    const [[best]] = ctcBeamSearch(steps, { beamWidth: 3 });
    assert.deepEqual(best.labels, [1]);
    assert.ok(Math.abs(best.score - Math.log(0.64)) < 1e-6);
  });

  test('minProbability excludes improbable labels', () => {
    const steps = [[0.5, 0.48, 0.02], [0.5, 0.02, 0.48]].map((row) => row.map(Math.log)); // biome-ignore format: one line
    const [all] = ctcBeamSearch(steps, { beamWidth: 50, nBest: 50 });
    const [some] = ctcBeamSearch(steps, { beamWidth: 50, nBest: 50, minProbability: 0.1 });
    assert.equal(all.length, 5);
    assert.deepEqual(some.map(({ labels }) => labels.join()).sort(), ['', '1', '1,2', '2']); // biome-ignore format: one line
  });

  test('a bonus per label yields more labels', () => {
    const logits = randomLogits(30, 6, 3);
    const count = (bonus: number): number =>
      ctcBeamSearch(tensor(logits), { score: () => bonus })[0][0].labels.length;
    assert.ok(count(3) > count(0) && count(0) > count(-3), `${count(3)}, ${count(0)}, ${count(-3)}`);
  });
});

describe('greedy decoding', () => {
  const path = (classes: number[]): number[][] =>
    classes.map((k) => [0, 1, 2, 3].map((c) => (c === k ? 2 : 0)));
  test('merges repetitions, removes blanks and reports the first step of each label', () => {
    const [{ labels, steps, score }] = ctcGreedy(path([0, 1, 1, 0, 1, 2, 2, 0, 3]));
    assert.deepEqual(labels, [1, 1, 2, 3]);
    assert.deepEqual(steps, [1, 4, 5, 8]);
    close(score, 9 * (2 - Math.log(Math.exp(2) + 3)), 'score');
  });
  test('supports lengths, batches and a blank other than class 0', () => {
    const scores = tensor([path([1, 2, 3]), path([3, 3, 2])]);
    assert.deepEqual(ctcGreedy(scores, { lengths: [2, 0] }).map(({ labels }) => labels), [[1, 2], []]); // biome-ignore format: one line
    assert.deepEqual(ctcGreedy(scores, { blank: 3 }).map(({ labels }) => labels), [[1, 2], [2]]); // biome-ignore format: one line
    const beams = ctcBeamSearch(scores, { lengths: [2, 0] });
    assert.deepEqual(beams.map(([{ labels }]) => labels), [[1, 2], []]); // biome-ignore format: one line
    assert.deepEqual(ctcGreedy(tensor(new Float32Array(0), [0, 3, 4])), []);
  });
});

describe('a decoder for chunks', () => {
  test('gives the same hypotheses as the whole sequence', () => {
    const logits = randomLogits(17, 5, 1);
    const options = { beamWidth: 8, nBest: 3, ...SCORES['a language model'] };
    const decoder = ctcDecoder(options);
    assert.deepEqual(decoder.best()[0].labels, []);
    for (let round = 0; round < 2; round++) {
      decoder.push(logits.slice(0, 5));
      decoder.push(logits[5]);
      assert.deepEqual(decoder.best(), ctcBeamSearch(tensor(logits.slice(0, 6)), options)[0]);
      decoder.push(logits.slice(6));
      assert.deepEqual(decoder.best(), ctcBeamSearch(tensor(logits), options)[0]);
      assert.equal(decoder.best(8).length, 8);
      decoder.reset();
    }
  });
});

test('invalid scores and options are rejected', () => {
  const scores = tensor(randomLogits(4, 3, 1));
  const fails = (message: RegExp, work: () => unknown): void =>
    assert.throws(
      work,
      (error) => error instanceof UnrollError && message.test(error.message),
      String(message),
    );
  fails(/beamWidth must be a positive integer, got 0/, () => ctcBeamSearch(scores, { beamWidth: 0 }));
  fails(/nBest must be at most beamWidth \(2\), got 3/, () =>
    ctcBeamSearch(scores, { beamWidth: 2, nBest: 3 }),
  );
  fails(/blank must be a class index from 0 to 2, got 3/, () => ctcBeamSearch(scores, { blank: 3 }));
  fails(/blank must be a class index from 0 to 2, got 5/, () => ctcGreedy(scores, { blank: 5 }));
  fails(/length of sequence 0 must be an integer from 0 to 4, got 5/, () =>
    ctcGreedy(scores, { lengths: [5] }),
  );
  fails(/lengths must have one number for each of the 1 sequences, got 2/, () => ctcGreedy(scores, { lengths: [1, 1] })); // biome-ignore format: one line
  fails(/scores must be \[B, T, C\] or \[T, C\], got \[2\]/, () => ctcGreedy([1, 2]));
  fails(/must not be NaN or Infinity, got NaN at step 1 of sequence 0/, () => ctcGreedy(tensor([[1, 2], [Number.NaN, 1]]))); // biome-ignore format: one line
  fails(/score must return a number or negative infinity, got NaN for label 1 after the prefix \[\]/, () => ctcBeamSearch(scores, { score: () => Number.NaN })); // biome-ignore format: one line
  fails(/beamWidht.*beamWidth/, () => ctcDecoder({ beamWidht: 3 } as object));
  const decoder = ctcDecoder();
  decoder.push([1, 2, 3]);
  fails(/steps must have 3 classes, as before, got 2/, () => decoder.push([1, 2]));
  fails(/push takes steps \[T, C\] or one step \[C\], got \[1, 1, 1\]/, () => decoder.push([[[1]]]));
});
