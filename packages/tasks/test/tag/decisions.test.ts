// How a tagger chooses tags: which tokens get the positive tag, compared with brute force; the offset for entities; the mean of
// several networks; and the scores.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { predict, RandomStream, type TagScores, tagProbabilities, tensor } from '@unroll/core';
import { spanScores } from '@unroll/data';
import { scoreTags } from '@unroll/tasks';
import {
  chooseOffset,
  decide,
  joinScores,
  offsetsOf,
  sentenceF1,
  taggerNetworks,
} from '@unroll/tasks/internal';

const NO_TRANSITIONS = (K: number) => ({
  transitions: new Float64Array(K * K),
  start: new Float64Array(K),
  end: new Float64Array(K),
});
const random = new RandomStream(4, 'scores');
/** Returns random scores of T tokens and K tags. */
const randomScores = (T: number, K: number): TagScores => ({
  emissions: Float64Array.from(random.uniform(T * K), (u) => 4 * u - 2),
  transitions: Float64Array.from(random.uniform(K * K), (u) => 2 * u - 1),
  start: new Float64Array(K),
  end: new Float64Array(K),
});

describe('one positive tag', () => {
  const goal = { tags: ['a', 'b', 'c'], scheme: 'none', positive: 'b' } as const;
  test('decide chooses the subset of tokens with the highest expected F1: 2 Σ p of its k tokens / (k + Σ p of all tokens)', () => {
    for (let n = 0; n < 20; n++) {
      const scores = randomScores(6, 3);
      const p = Array.from({ length: 6 }, (_, t) => tagProbabilities(scores)[3 * t + 1]);
      const total = p.reduce((a, b) => a + b, 0);
      const expectedF1 = (chosen: readonly boolean[]): number => {
        const size = chosen.filter(Boolean).length;
        return (
          (2 * p.reduce((sum, probability, t) => sum + (chosen[t] ? probability : 0), 0)) / (size + total)
        );
      };
      const values = Array.from({ length: 64 }, (_, bits) =>
        expectedF1(p.map((_, t) => ((bits >> t) & 1) === 1)),
      );
      const decided = decide(goal, scores);
      assert.ok(Math.abs(expectedF1(decided.map((id) => id === 1)) - Math.max(...values)) < 1e-12);
    }
  });
  test('tokens without the positive tag get the most probable of the other tags', () => {
    const emissions = [3, -9, 1, 0, 9, 0, 1, -9, 3];
    assert.deepEqual(decide(goal, { emissions, ...NO_TRANSITIONS(3) }), [0, 1, 2]);
  });
  test('F1 of a sentence is 1 if the tag neither occurs nor is predicted', () => {
    assert.equal(sentenceF1(['b', 'b', 'a'], ['b', 'a', 'b'], 'b'), 0.5);
    assert.equal(sentenceF1(['a'], ['a'], 'b'), 1);
    assert.equal(sentenceF1(['a'], ['b'], 'b'), 0);
  });
});

describe('the offset, which is added to the scores of entity tags', () => {
  const goal = { tags: ['O', 'B-X', 'I-X'], scheme: 'bio', positive: null } as const;
  /** Returns the scores of a sentence of one token: 0 for O, and `score` for B-X. */
  const oneToken = (score: number): TagScores => ({ emissions: [0, score, -9], ...NO_TRANSITIONS(3) });
  test('finds entities that the most probable tags miss', () => {
    const scores = [oneToken(2), oneToken(-1), oneToken(-1.1), oneToken(-4), oneToken(-5)];
    const actual = [['B-X'], ['B-X'], ['B-X'], ['O'], ['O']];
    const offset = chooseOffset(goal, scores, actual);
    assert.equal(offset?.before, 0.5);
    assert.equal(offset?.after, 1);
    assert.ok(offset.value > 1.1 && offset.value < 4);
    assert.deepEqual(offsetsOf(goal, 1.5), [0, 1.5, 1.5]);
  });
  test('is 0 if no offset increases F1', () => {
    const scores = [oneToken(8), oneToken(-8)];
    assert.deepEqual(chooseOffset(goal, scores, [['B-X'], ['O']]), { value: 0, before: 1, after: 1 });
  });
  test('is null for tags that do not mark entities, and if there is no tag O', () => {
    assert.equal(chooseOffset({ tags: ['a', 'b'], scheme: 'none', positive: null }, [], []), null);
    assert.equal(chooseOffset({ tags: ['B', 'M', 'E', 'S'], scheme: 'bmes', positive: null }, [], []), null);
  });
});

test('the scores of the joined model are the means of the scores of the networks, plus the offsets', async () => {
  const shape = {
    ...({
      cell: 'lstm',
      units: 3,
      layers: 2,
      embedding: 4,
      characters: 2,
      dropout: 0.5,
      wordDropout: 0.1,
    } as const),
    ...{ vocabulary: 9, alphabet: 7, tags: 3, constraints: null, seeds: [1, 2, 3] },
  };
  const tagger = taggerNetworks(shape);
  joinScores(tagger, [0, 0.5, -1]);
  const inputs = [tensor([[2, 3, 0]]), tensor([[[1, 2], [3, 0], [0, 0]]])]; // biome-ignore format: one line
  const outputs = await Promise.all(tagger.networks.map((network) => predict(network, inputs)));
  const joined = (await predict(tagger.joined, inputs)).toArray() as number[][][];
  const parts = outputs.map((scores) => scores.toArray() as number[][][]);
  for (const t of [0, 1]) {
    for (const [k, offset] of [0, 0.5, -1].entries()) {
      const mean = (parts[0][0][t][k] + parts[1][0][t][k] + parts[2][0][t][k]) / 3;
      assert.ok(Math.abs(joined[0][t][k] - mean - offset) < 1e-5);
    }
  }
});

describe('scoreTags', () => {
  test('gives the scores of spanScores for entities', () => {
    const goal = { tags: [], scheme: 'bio', positive: null } as const;
    const actual = [['B-X', 'I-X', 'O', 'B-Y'], ['O']];
    const predicted = [['B-X', 'O', 'O', 'B-Y'], ['B-Y']];
    const { micro } = spanScores(actual, predicted, { scheme: 'BIO' });
    const { precision, recall, f1, accuracy, types } = scoreTags(goal, actual, predicted);
    assert.deepEqual([precision, recall, f1], [micro.precision, micro.recall, micro.f1]);
    assert.equal(accuracy, 3 / 5);
    assert.deepEqual(
      types.map(({ type, support }) => [type, support]),
      [
        ['X', 1],
        ['Y', 1],
      ],
    );
  });
  test('gives the scores of scikit-learn for tags', () => {
    // The example in the documentation of precision_recall_fscore_support, with average='macro'.
    const goal = { tags: [], scheme: 'none', positive: null } as const;
    const actual = [
      ['cat', 'dog', 'pig'],
      ['cat', 'dog', 'pig'],
    ];
    const predicted = [
      ['cat', 'pig', 'dog'],
      ['cat', 'cat', 'dog'],
    ];
    const { precision, recall, f1, accuracy } = scoreTags(goal, actual, predicted);
    assert.ok(Math.abs(precision - 0.2222222) < 1e-6 && Math.abs(recall - 0.3333333) < 1e-6);
    assert.ok(Math.abs(f1 - 0.2666666) < 1e-6);
    assert.equal(accuracy, 2 / 6);
  });
  test('gives F1 of one tag over all tokens, and as a mean over sentences', () => {
    const goal = { tags: ['0', '1'], scheme: 'none', positive: '1' } as const;
    const { f1, sentenceF1: mean } = scoreTags(
      goal,
      [
        ['1', '1'],
        ['1', '0'],
      ],
      [
        ['1', '1'],
        ['0', '0'],
      ],
    );
    assert.equal(f1, 0.8);
    assert.equal(mean, 0.5);
  });
});
