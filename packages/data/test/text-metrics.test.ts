/**
 * Compares BLEU, chrF, ROUGE and error rates with sacrebleu, rouge-score and jiwer (packages/testkit/goldens/text-metrics,
 * written by tools/goldens/text_metrics.py). Detects a wrong tokenizer, smoothing, brevity penalty, choice among references,
 * choice among alignments with equally many edits, or rule of the stemmer. Other tests check the errors for wrong inputs.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type AlignmentChunk,
  type BleuOptions,
  bitsPerCharacter,
  bleu,
  type ChrfOptions,
  characterErrorRate,
  chrf,
  perplexityFromTotals,
  type RougeOptions,
  type RougeScores,
  rouge,
  sentenceBleu,
  sentenceChrf,
  sentenceRouge,
  wordErrorRate,
} from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';

interface Case<O> {
  name: string;
  options: O;
  references: 'one' | 'all';
}

interface Goldens {
  pairs: [hypothesis: string, reference: string, second: string | null][];
  stems: Record<string, string>;
  bleu: (Case<BleuOptions> & {
    corpus: [number, number, number, number, number[], number[], number[], string];
    sentences: [number, number, number][];
  })[];
  chrf: (Case<ChrfOptions> & { corpus: [number, string]; sentences: number[] })[];
  rouge: (Case<RougeOptions> & { sentences: number[][][]; mean: number[][] })[];
  errorRates: {
    name: string;
    unit: 'word' | 'character';
    hypotheses: string[];
    references: string[];
    rates: number[];
    alignments: [AlignmentChunk['type'], number, number, number, number][][];
  }[];
}

const goldens = readGoldens('text-metrics/texts.json') as Goldens;
const hypotheses = goldens.pairs.map(([hypothesis]) => hypothesis);
const referencesOf = (which: 'one' | 'all') =>
  goldens.pairs.map(([, reference, second]) =>
    which === 'all' && second !== null ? [reference, second] : reference,
  );

function near(actual: readonly number[], expected: readonly number[], name: string): void {
  assert.equal(actual.length, expected.length, name);
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]) <= 1e-9, `${name}[${i}]: ${value} is not ${expected[i]}`);
  });
}

describe('bleu equals sacrebleu', () => {
  for (const { name, options, references: which, corpus, sentences } of goldens.bleu) {
    test(name, () => {
      const references = referencesOf(which);
      const [
        score,
        brevityPenalty,
        hypothesisLength,
        referenceLength,
        precisions,
        counts,
        totals,
        signature,
      ] = corpus;
      const got = bleu(hypotheses, references, options);
      near([got.score, got.brevityPenalty], [score, brevityPenalty], 'corpus');
      near(got.precisions, precisions, 'precisions');
      assert.deepEqual([got.counts, got.totals], [counts, totals]);
      assert.deepEqual([got.hypothesisLength, got.referenceLength], [hypothesisLength, referenceLength]);
      assert.equal(got.signature, signature);
      hypotheses.forEach((hypothesis, i) => {
        const sentence = sentenceBleu(hypothesis, references[i], { effectiveOrder: false, ...options });
        near([sentence.score, sentence.hypothesisLength, sentence.referenceLength], sentences[i], hypothesis);
      });
    });
  }
  test('sentenceBleu uses the effective order by default', () => {
    assert.equal(sentenceBleu('one two', 'one two').score.toFixed(6), '100.000000');
    assert.equal(
      sentenceBleu('one two', 'one two', { effectiveOrder: undefined }).score.toFixed(6),
      '100.000000',
    );
    assert.equal(bleu(['one two'], ['one two']).score, 0);
  });
});

describe('chrf equals sacrebleu', () => {
  for (const { name, options, references: which, corpus, sentences } of goldens.chrf) {
    test(name, () => {
      const references = referencesOf(which);
      const { score, signature } = chrf(hypotheses, references, options);
      near([score], [corpus[0]], 'corpus');
      assert.equal(signature, corpus[1]);
      near(
        hypotheses.map((hypothesis, i) => sentenceChrf(hypothesis, references[i], options).score),
        sentences,
        'sentences',
      );
    });
  }
});

describe('rouge equals rouge-score', () => {
  const flat = (scores: RougeScores) =>
    [scores.rouge1, scores.rouge2, scores.rougeL, scores.rougeLsum].flatMap((s) => [
      s.precision,
      s.recall,
      s.f1,
    ]);
  for (const { name, options, references: which, sentences, mean } of goldens.rouge) {
    test(name, () => {
      const references = referencesOf(which);
      hypotheses.forEach((hypothesis, i) => {
        near(flat(sentenceRouge(hypothesis, references[i], options)), sentences[i].flat(), hypothesis);
      });
      near(flat(rouge(hypotheses, references, options)), mean.flat(), 'mean');
    });
  }
  test('two words have the same stem exactly if they have the same stem in NLTK', () => {
    const stems = Object.entries(goldens.stems);
    for (const [a, stemOfA] of stems) {
      const equal = stems.filter(([b]) => sentenceRouge(a, b, { stemmer: true }).rouge1.f1 === 1);
      const expected = stems.filter(([, stem]) => stem === stemOfA);
      assert.deepEqual(equal, expected, a);
    }
  });
  test('the tokenizer can be a function', () => {
    const tokenizer = (text: string) => text.split('/');
    assert.equal(sentenceRouge('a b/c', 'c/a b', { tokenizer }).rouge1.f1, 1);
    assert.equal(sentenceRouge('a b/c', 'c/a b', { tokenizer }).rougeL.f1, 0.5);
    assert.equal(
      sentenceRouge('a\n\nb', 'a\nb', { tokenizer }).rougeLsum.f1,
      1,
      'empty lines do not count as sentences',
    );
  });
});

describe('error rates equal jiwer', () => {
  for (const { name, unit, hypotheses, references, rates, alignments } of goldens.errorRates) {
    test(name, () => {
      const rate = unit === 'word' ? wordErrorRate : characterErrorRate;
      const got = rate(hypotheses, references, { alignments: true });
      near([got.errorRate, got.matchErrorRate], rates.slice(0, 2), 'rates');
      assert.deepEqual([got.hits, got.substitutions, got.deletions, got.insertions], rates.slice(2));
      const chunks = got.alignments?.map((pair) =>
        pair.map((c) => [c.type, c.referenceStart, c.referenceEnd, c.hypothesisStart, c.hypothesisEnd]),
      );
      assert.deepEqual(chunks, alignments);
    });
  }
  test('token arrays are compared as they are', () => {
    const { errorRate, hits } = wordErrorRate([['北京', '大学', ' ']], [['北京', '大学', '图书馆', ' ']]);
    assert.deepEqual([errorRate, hits], [0.25, 3]);
    assert.equal('alignments' in wordErrorRate(['a'], ['a']), false);
  });
});

describe('metrics from likelihoods', () => {
  test('perplexity: exp of the mean; 8 for a uniform choice among 8 tokens', () => {
    assert.ok(Math.abs(perplexityFromTotals(5 * Math.log(8), 5) - 8) < 1e-12);
  });
  test('bits per character: 3 for a uniform choice among 8 characters', () => {
    assert.ok(Math.abs(bitsPerCharacter(5 * Math.log(8), 5) - 3) < 1e-12);
  });
  test('wrong totals are errors', () => {
    assert.throws(
      () => perplexityFromTotals(-1, 5),
      /negativeLogLikelihood must be a non-negative number, got -1/,
    );
    assert.throws(() => bitsPerCharacter(Number.NaN, 5), /negativeLogLikelihood must be .*, got NaN/);
    assert.throws(
      () => perplexityFromTotals(1, 0),
      /perplexityFromTotals: tokens must be a positive integer, got 0/,
    );
    assert.throws(() => bitsPerCharacter(1, 1.5), /characters must be a positive integer, got 1.5/);
  });
});

describe('wrong inputs of text metrics are errors that name the argument and the index', () => {
  const metrics = { bleu, chrf, rouge, wordErrorRate, characterErrorRate };
  /** Casts a value, so that it can be passed where TypeScript expects another type. */
  const anything = (value: unknown) => value as never;
  for (const [name, metric] of Object.entries(metrics)) {
    test(name, () => {
      const start = `^UnrollError: ${name}`;
      assert.throws(() => metric(['a', 'b'], ['a']), new RegExp(`${start}: .* same length, got 2 and 1`));
      assert.throws(() => metric([], []), new RegExp(`${start} needs at least one hypothesis, got none`));
      assert.throws(
        () => metric(anything('a'), ['a']),
        new RegExp(`${start}: hypotheses must be an array, got "a"`),
      );
      assert.throws(() => metric(['a'], anything('a')), new RegExp(`${start}: references must be an array`));
      assert.throws(
        () => metric(['a', anything(3)], ['a', 'b']),
        new RegExp(`${start}: hypotheses\\[1\\] must be a string.*, got 3`),
      );
      assert.throws(
        () => metric(['a', 'b'], ['a', anything(null)]),
        new RegExp(`${start}: references\\[1\\] must be .*, got null`),
      );
      assert.throws(
        () => metric(['a'], [['a', anything(undefined)]]),
        new RegExp(`${start}: references\\[0\\]\\[1\\] must be a string`),
      );
      assert.throws(() => metric(['a'], ['a'], anything({ lowercsae: true })), /lowercsae/);
    });
  }
  test('an empty list of references', () => {
    assert.throws(
      () => bleu(['a'], [[]]),
      /references\[0\] must be a string or an array of at least one string, got \[\]/,
    );
  });
  test('a pair that is too long to align', () => {
    const long = (token: string) => new Array<string>(50_000).fill(token);
    assert.throws(
      () => wordErrorRate(['a', long('b')], ['a', long('c')]),
      /wordErrorRate: pair 1 is too long: .* below 2\^31, got 50000 tokens in the reference and 50000 in the hypothesis/,
    );
    assert.equal(wordErrorRate([long('b')], [long('b')]).hits, 50_000);
  });
  test('options', () => {
    assert.throws(
      () => bleu(['a'], ['a'], { tokenizer: anything('spm') }),
      /bleu: tokenizer must be "13a", .* got "spm"/,
    );
    assert.throws(
      () => bleu(['a'], ['a'], { smoothing: anything('add') }),
      /smoothing must be "exp", .* got "add"/,
    );
    assert.throws(
      () => bleu(['a'], ['a'], { smoothing: 'floor', smoothValue: -1 }),
      /smoothValue must be 0 or more, got -1/,
    );
    assert.throws(
      () => bleu(['a'], ['a'], { smoothValue: 0.1 }),
      /smoothValue needs smoothing "floor" or "add-k", got "exp"/,
    );
    assert.throws(() => chrf(['a'], ['a'], { beta: 0 }), /chrf: beta must be above 0, got 0/);
    assert.throws(
      () => rouge(['a'], ['a'], { tokenizer: anything('13a') }),
      /rouge: tokenizer must be "rouge", .*"13a"/,
    );
    assert.throws(
      () => rouge(['a'], ['a'], { tokenizer: 'char', stemmer: true }),
      /stemmer: true needs the tokenizer "rouge"/,
    );
    assert.throws(
      () => rouge(['a'], ['a'], { tokenizer: anything((text: string) => text) }),
      /tokenizer must return an array of strings, got "a" for "a"/,
    );
  });
});
