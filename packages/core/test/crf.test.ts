/**
 * Compares conditional random fields with brute force over all sequences of tags: the loss and its gradient on each
 * backend, and the decoders. Detects a partition function that counts a path twice or not at all, start and end scores at the
 * wrong step, transitions read in the wrong direction, a decoder that misses or misorders paths, masked steps that change the
 * loss, and probabilities that leak into forbidden transitions.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  crfLogLoss,
  logPartition,
  nBestPaths,
  RandomStream,
  type TagScores,
  tagProbabilities,
  tensor,
  UnrollError,
  valueAndGrad,
  viterbi,
  zeros,
} from '@unroll/core';
import { backendSync } from '@unroll/core/internal';
import { onBackend } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';

const never = Number.NEGATIVE_INFINITY;

interface RandomCase {
  T: number;
  K: number;
  scores: TagScores;
  tags: number[];
}

/**
 * Returns random scores, exact in float32, and random tags.
 * @param forbidden the probability that a transition, a start or an end is forbidden; those that `tags` uses are always allowed
 */
function draw(T: number, K: number, forbidden: number): RandomCase {
  const random = new RandomStream(7, 'crf', `${T} ${K} ${forbidden}`);
  const numbers = (count: number): number[] => [...random.normal(count, 0, 2)].map(Math.fround);
  const tags = [...random.uniform(T, 0, K)].map(Math.floor);
  const forbidSome = (x: number): number => (random.uniform(1)[0] < forbidden ? never : x);
  const transitions = numbers(K * K).map(forbidSome);
  const [start, end] = [numbers(K).map(forbidSome), numbers(K).map(forbidSome)];
  const allow = (list: number[], i: number): void => void (list[i] === never && (list[i] = 0.5));
  tags.slice(1).forEach((tag, t) => {
    allow(transitions, tags[t] * K + tag);
  });
  allow(start, tags[0]);
  allow(end, tags[T - 1]);
  return { T, K, scores: { emissions: numbers(T * K), transitions, start, end }, tags };
}

/** Returns all possible sequences of tags with their scores, the best first. */
function allPaths({ T, K, scores }: RandomCase): { tags: number[]; score: number }[] {
  const { emissions, transitions, start, end } = scores;
  const paths = Array.from({ length: K ** T }, (_, code) => {
    const tags = Array.from({ length: T }, (_, t) => Math.floor(code / K ** t) % K);
    let score = start[tags[0]] + end[tags[T - 1]];
    tags.forEach((tag, t) => {
      score += emissions[t * K + tag] + (t > 0 ? transitions[tags[t - 1] * K + tag] : 0);
    });
    return { tags, score };
  });
  return paths.filter(({ score }) => score > never).sort((a, b) => b.score - a.score);
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const logZOf = (paths: readonly { score: number }[]): number =>
  paths[0].score + Math.log(sum(paths.map(({ score }) => Math.exp(score - paths[0].score))));

function near(got: ArrayLike<number>, want: ArrayLike<number>, allowed: number, what: string): void {
  assert.equal(got.length, want.length, what);
  for (let i = 0; i < want.length; i++)
    assert.ok(Math.abs(got[i] - want[i]) <= allowed, `${what} ${i}: ${got[i]}, expected ${want[i]}`);
}

const CASES = [1, 2, 3, 4, 5].flatMap((K) =>
  [1, 2, 3, 6].flatMap((T) => [0, 0.4].map((forbidden) => draw(T, K, forbidden))),
);

describe('decoding equals a search of all sequences of tags', () => {
  for (const randomCase of CASES) {
    const { T, K, scores } = randomCase;
    const hasForbidden = [...(scores.transitions as number[])].includes(never);
    test(`${T} steps, ${K} tags${hasForbidden ? ', some transitions forbidden' : ''}, ${randomCase.tags}`, () => {
      const paths = allPaths(randomCase);
      const logZ = logZOf(paths);
      near([logPartition(scores)], [logZ], 1e-12 * Math.max(1, Math.abs(logZ)), 'log Z');

      const best = viterbi(scores);
      assert.deepEqual(best.tags, paths[0].tags);
      near([best.score], [paths[0].score], 1e-12, 'best score');

      const ranked = nBestPaths(scores, 12);
      assert.equal(ranked.length, Math.min(12, paths.length));
      ranked.forEach(({ tags, score, probability }, i) => {
        assert.deepEqual(tags, paths[i].tags);
        near([score, probability], [paths[i].score, Math.exp(paths[i].score - logZ)], 1e-12, `rank ${i}`);
      });

      const expected = new Float64Array(T * K);
      for (const { tags, score } of paths)
        tags.forEach((tag, t) => {
          expected[t * K + tag] += Math.exp(score - logZ);
        });
      near(tagProbabilities(scores), expected, 1e-12, 'probability');
    });
  }
});

for (const { name, backend, reason } of testBackends()) {
  describe(`the loss equals a sum over all sequences of tags on ${name}`, { skip: reason || false }, () => {
    if (!backend) return;
    test('values and gradients', () => {
      for (const randomCase of CASES) {
        const { T, K, scores, tags } = randomCase;
        const { emissions, transitions, start, end } = scores as Record<keyof TagScores, number[]>;
        const paths = allPaths(randomCase);
        const logZ = logZOf(paths);
        const wanted = paths.find((path) => path.tags.every((tag, t) => tag === tags[t]))!;
        // Each path adds its probability to the gradient of every score that it uses; the path `tags` also subtracts 1.
        const gradients = [
          new Float64Array(T * K),
          new Float64Array(K * K),
          new Float64Array(K),
          new Float64Array(K),
        ];
        const use = (path: readonly number[], weight: number): void => {
          gradients[2][path[0]] += weight;
          gradients[3][path[T - 1]] += weight;
          path.forEach((tag, t) => {
            gradients[0][t * K + tag] += weight;
            if (t > 0) gradients[1][path[t - 1] * K + tag] += weight;
          });
        };
        for (const path of paths) use(path.tags, Math.exp(path.score - logZ));
        use(tags, -1);

        onBackend(backend, () => {
          const inputs = [
            tensor(emissions, [1, T, K]),
            tensor(transitions, [K, K]),
            tensor(start, [K]),
            tensor(end, [K]),
          ];
          const [e, A, s, f] = inputs;
          const { value, grads } = valueAndGrad(
            () => crfLogLoss(e, { transitions: A, start: s, end: f }, tensor([tags])),
            inputs,
          );
          near(
            value.dataSync(),
            [logZ - wanted.score],
            2e-6 * Math.max(1, Math.abs(logZ)),
            `loss [${T}, ${K}]`,
          );
          grads.forEach((grad, i) => {
            near(grad.dataSync(), gradients[i], 2e-6, `gradient ${i} [${T}, ${K}]`);
          });
          const forbidden = transitions.flatMap((score, i) => (score === never ? [i] : []));
          const gradient = grads[1].dataSync();
          assert.ok(forbidden.every((i) => gradient[i] === 0));
        });
      }
    });
  });
}

test('masked steps are skipped: the same loss and gradients as without them', () => {
  onBackend(backendSync('reference:float64'), () => {
    const { scores, tags, K } = draw(6, 3, 0);
    const { transitions, start, end } = scores as Record<keyof TagScores, number[]>;
    const crf = { transitions: tensor(transitions, [K, K]), start: tensor(start), end: tensor(end) };
    const kept = [0, 2, 5];
    const rows = Array.from({ length: 6 }, (_, t) =>
      [...(scores.emissions as number[])].slice(t * K, (t + 1) * K),
    );
    const full = tensor([rows.map((row, t) => (kept.includes(t) ? row : [Number.NaN, 1e30, 0]))]);
    const short = tensor([kept.map((t) => rows[t])]);
    const masked = tensor([tags.map((tag, t) => (kept.includes(t) ? tag : 99))]);
    const mask = tensor([tags.map((_, t) => (kept.includes(t) ? 1 : 0))]);
    const a = valueAndGrad(() => crfLogLoss(full, crf, masked, mask), [full, crf.transitions]);
    const b = valueAndGrad(
      () => crfLogLoss(short, crf, tensor([kept.map((t) => tags[t])])),
      [short, crf.transitions],
    );
    assert.equal(a.value.item(), b.value.item());
    assert.deepEqual(a.grads[1].dataSync(), b.grads[1].dataSync());
    const gradient = a.grads[0].dataSync();
    const wanted = b.grads[0].dataSync();
    kept.forEach((t, s) => {
      assert.deepEqual(gradient.slice(t * K, (t + 1) * K), wanted.slice(s * K, (s + 1) * K));
    });
    assert.deepEqual(gradient.slice(K, 2 * K), new Float64Array(K));
  });
});

describe('invalid arguments are rejected', () => {
  const scores = { transitions: zeros([3, 3]), start: zeros([3]), end: zeros([3]) };
  const e = zeros([2, 2, 3]);
  // biome-ignore format: one mistake per line
  const mistakes: Record<string, [() => unknown, RegExp]> = {
    'a matrix of emissions': [() => crfLogLoss(zeros([2, 3]), scores, [[0]]), /crfLogLoss: the emissions must be \[batch, time, tags\], got \[2, 3\]/],
    'transitions of another width': [() => crfLogLoss(e, { ...scores, transitions: zeros([3, 2]) }, [[0, 0], [0, 0]]), /transitions must have shape \[3, 3\] for emissions \[2, 2, 3\], got \[3, 2\]/],
    'a missing start score': [() => crfLogLoss(e, { ...scores, start: zeros([2]) }, [[0, 0], [0, 0]]), /start must have shape \[3\]/],
    'tags of another length': [() => crfLogLoss(e, scores, [[0, 0, 0], [0, 0, 0]]), /tags must have shape \[2, 2\]/],
    'a mask of another length': [() => crfLogLoss(e, scores, [[0, 0], [0, 0]], [[1], [1]]), /mask must have shape \[2, 2\]/],
    'a tag out of range': [() => crfLogLoss(e, scores, [[0, 0], [0, 3]]), /the tag at index \[1, 1\] must be an integer from 0 to 2, got 3/],
    'a tag that is not an integer': [() => crfLogLoss(e, scores, [[0, 0.5], [0, 0]]), /index \[0, 1\] must be an integer from 0 to 2, got 0\.5/],
    'scores that do not fit each other': [() => viterbi({ emissions: [1, 2, 3], transitions: [1, 2, 3, 4], start: [0, 0], end: [0, 0] }), /For 2 start scores, there must be 2 end scores, 4 transitions and a multiple of 2 emissions, got 2, 4 and 3/],
    'the best path if no tags are possible': [() => viterbi({ emissions: [0, 0], transitions: [never], start: [0], end: [0] }), /No sequence of tags of length 2 is possible/],
    'the n best paths if no tags are possible': [() => nBestPaths({ emissions: [0, 0], transitions: [never], start: [0], end: [0] }, 2), /No sequence of tags of length 2 is possible/],
    'tag probabilities if no tags are possible': [() => tagProbabilities({ emissions: [0, 0], transitions: [never], start: [0], end: [0] }), /No sequence of tags of length 2 is possible/],
    'n = 0': [() => nBestPaths({ emissions: [0], transitions: [0], start: [0], end: [0] }, 0), /n must be a positive integer, got 0/],
  };
  for (const [name, [work, message]] of Object.entries(mistakes)) {
    test(name, () => {
      assert.throws(work, (error: unknown) => error instanceof UnrollError && message.test(error.message));
    });
  }
});

test('the partition function of a NaN score is NaN, also if another score is infinite', () => {
  for (const infinity of [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY])
    for (const emissions of [
      [Number.NaN, infinity],
      [infinity, Number.NaN],
    ])
      assert.equal(
        logPartition({ emissions, transitions: [0, 0, 0, 0], start: [0, 0], end: [0, 0] }),
        Number.NaN,
      );
});

test('an empty sequence has one empty path', () => {
  const scores = { emissions: [], transitions: [0, 0, 0, 0], start: [1, 2], end: [3, 4] };
  assert.deepEqual(viterbi(scores), { tags: [], score: 0 });
  assert.deepEqual(nBestPaths(scores, 3), [{ tags: [], score: 0, probability: 1 }]);
  assert.equal(tagProbabilities(scores).length, 0);
  assert.equal(logPartition(scores), 0);
});
