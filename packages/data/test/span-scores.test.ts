/**
 * Compares span scores with seqeval (packages/testkit/goldens/text-metrics/spans.json, written by
 * tools/goldens/text_metrics.py), for well-formed, malformed and random tags. Other tests check the conversions between tags and
 * spans, the allowed transitions, and the errors for wrong inputs.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  allowedTransitions,
  type LabelScheme,
  type Span,
  type SpanScore,
  spanScores,
  spansOf,
  tagsOf,
} from '@unroll/data';
import { readGoldens } from '@unroll/testkit/node';

interface Goldens {
  cases: {
    name: string;
    scheme: LabelScheme;
    strict: boolean;
    actual: string[];
    predicted: string[];
    labels: Record<string, number[]>;
    micro: number[];
    macro: number[];
    weighted: number[];
  }[];
}

const goldens = readGoldens('text-metrics/spans.json') as Goldens;
const split = (lines: string[]) => lines.map((line) => line.split(' '));

function near(score: SpanScore, expected: number[], name: string): void {
  [score.precision, score.recall, score.f1].forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]) <= 1e-9, `${name}[${i}]: ${value} is not ${expected[i]}`);
  });
  assert.equal(score.support, expected[3], `${name}: support`);
}

describe('span scores equal seqeval', () => {
  for (const { name, scheme, strict, actual, predicted, labels, micro, macro, weighted } of goldens.cases) {
    test(name, () => {
      const scores = spanScores(split(actual), split(predicted), { scheme, strict });
      assert.deepEqual(Object.keys(scores.labels), Object.keys(labels));
      for (const [label, expected] of Object.entries(labels)) near(scores.labels[label], expected, label);
      near(scores.micro, micro, 'micro');
      near(scores.macro, macro, 'macro');
      near(scores.weighted, weighted, 'weighted');
    });
  }
});

const SCHEMES: LabelScheme[] = ['BIO', 'BIOES', 'BMES'];

/** Returns all sequences of `length` tags. */
function sequencesOf(tags: readonly string[], length: number): string[][] {
  if (length === 0) return [[]];
  return sequencesOf(tags, length - 1).flatMap((start) => tags.map((tag) => [...start, tag]));
}

describe('conversion between tags and spans', () => {
  const spans: Span[] = [
    { label: 'PER', start: 0, end: 1 },
    { label: 'PER', start: 1, end: 3 },
    { label: 'A-B', start: 4, end: 8 },
  ];
  const tags: Record<LabelScheme, string> = {
    BIO: 'B-PER B-PER I-PER O B-A-B I-A-B I-A-B I-A-B O',
    BIOES: 'S-PER B-PER E-PER O B-A-B I-A-B I-A-B E-A-B O',
    BMES: 'S-PER B-PER E-PER O B-A-B M-A-B M-A-B E-A-B O',
  };
  for (const scheme of SCHEMES) {
    test(`${scheme}: spans are converted to tags and back`, () => {
      assert.equal(tagsOf(spans, 9, scheme).join(' '), tags[scheme]);
      assert.equal(tagsOf([...spans].reverse(), 9, scheme).join(' '), tags[scheme]);
      for (const strict of [false, true])
        assert.deepEqual(spansOf(tags[scheme].split(' '), scheme, { strict }), spans);
    });
    test(`${scheme}: tags without a label, such as B, are read as spans with the label _`, () => {
      const bare = { BIO: 'B I I B', BIOES: 'B I E S', BMES: 'B M E S' }[scheme].split(' ');
      const words: Span[] = [
        { label: '_', start: 0, end: 3 },
        { label: '_', start: 3, end: 4 },
      ];
      assert.deepEqual(tagsOf(words, 4, scheme), bare);
      assert.deepEqual(spansOf(bare, scheme), words);
    });
    // Checks for all sequences of up to 4 tags: a sequence is allowed exactly if tagsOf returns it for its spans.
    test(`${scheme}: the allowed transitions are those of complete spans`, () => {
      const inner = { BIO: ['I'], BIOES: ['I', 'E', 'S'], BMES: ['M', 'E', 'S'] }[scheme];
      const all = [
        'O',
        ...['X', 'Y'].flatMap((label) => ['B', ...inner].map((prefix) => `${prefix}-${label}`)),
      ];
      const { start, end, transitions } = allowedTransitions(all, scheme);
      let allowedCount = 0;
      for (const length of [1, 2, 3, 4]) {
        for (const sequence of sequencesOf(all, length)) {
          const ids = sequence.map((tag) => all.indexOf(tag));
          const allowed =
            start[ids[0]] &&
            end[ids[length - 1]] &&
            ids.every((id, i) => i === 0 || transitions[ids[i - 1]][id]);
          const written = tagsOf(spansOf(sequence, scheme, { strict: true }), length, scheme);
          assert.equal(allowed, written.join() === sequence.join(), sequence.join(' '));
          if (allowed) allowedCount++;
        }
      }
      assert.ok(allowedCount > 50);
    });
  }
  test('allowedTransitions of a small BIO tag set', () => {
    assert.deepEqual(allowedTransitions(['O', 'B-X', 'I-X'], 'BIO'), {
      start: [true, true, false],
      end: [true, true, true],
      transitions: [
        [true, true, false],
        [true, true, true],
        [true, true, true],
      ],
    });
  });
});

describe('wrong tags and spans are errors that name the argument and the index', () => {
  /** Casts a value, so that it can be passed where TypeScript expects another type. */
  const anything = (value: unknown) => value as never;
  test('sequences', () => {
    assert.throws(() => spanScores([['O']], []), /same number of sequences, got 1 and 0/);
    assert.throws(() => spanScores([], []), /needs at least one sequence, got none/);
    assert.throws(
      () => spanScores([['O'], ['O', 'O']], [['O'], ['O']]),
      /actual\[1\] and predicted\[1\] must have the same number of tags, got 2 and 1/,
    );
    assert.throws(
      () => spanScores([['O'], anything('O')], [['O'], ['O']]),
      /actual\[1\] must be an array of tags, got "O"/,
    );
    assert.throws(
      () => spanScores(anything('O'), [['O']]),
      /actual must be an array of tag sequences, got "O"/,
    );
    assert.throws(() => spanScores([['O']], [['O']], anything({ mode: 'strict' })), /mode/);
  });
  test('tags', () => {
    assert.throws(
      () => spanScores([['O'], ['O', 'PER']], [['O'], ['O', 'O']]),
      /actual\[1\]\[1\] must be "O", or one of the prefixes B, I, followed by "-" and a label .*, got "PER" \(scheme "BIO"\)\.$/,
    );
    assert.throws(
      () => spansOf(['O', 'E-PER'], 'BIO'),
      /tags\[1\] must be .* The scheme may be "BIOES" or "BMES"/,
    );
    assert.throws(() => spansOf(['B-'], 'BIO'), /tags\[0\] must be .*, got "B-"/);
    assert.throws(() => spansOf(['BPER'], 'BIO'), /tags\[0\] must be .*, got "BPER"/);
    assert.throws(() => spansOf([''], 'BIO'), /tags\[0\] must be .*, got ""/);
    assert.throws(() => spansOf([anything(3)], 'BIO'), /tags\[0\] must be .*, got 3/);
    assert.throws(() => allowedTransitions(['O', 'M-X'], 'BIO'), /allowedTransitions: tags\[1\] .*"BMES"/);
    assert.throws(
      () => allowedTransitions(['O', 'B-X', 'O'], 'BIO'),
      /must be distinct, got "O" at indices 0 and 2/,
    );
  });
  test('schemes', () => {
    const message = /scheme must be "BIO" \(IOB2\), "BIOES" \(IOBES\) or "BMES", got "IOBES"/;
    assert.throws(() => spanScores([['O']], [['O']], { scheme: anything('IOBES') }), message);
    assert.throws(() => spansOf(['O'], anything('IOBES')), message);
    assert.throws(() => tagsOf([], 1, anything('IOBES')), message);
    assert.throws(() => allowedTransitions(['O'], anything('IOBES')), message);
  });
  test('spans', () => {
    const at = (start: number, end: number, label = 'X') => ({ label, start, end });
    assert.throws(
      () => tagsOf([at(0, 2), at(1, 3)], 3, 'BIO'),
      /spans\[1\] overlaps another span at token 1/,
    );
    assert.throws(
      () => tagsOf([at(1, 4)], 3, 'BIO'),
      /spans\[0\] must have 0 <= start < end <= 3 .*got start 1 and end 4/,
    );
    assert.throws(() => tagsOf([at(1, 1)], 3, 'BIO'), /got start 1 and end 1. end is exclusive/);
    assert.throws(() => tagsOf([at(0.5, 1)], 3, 'BIO'), /got start 0.5 and end 1/);
    assert.throws(
      () => tagsOf([at(0, 1, '')], 3, 'BIO'),
      /spans\[0\].label must be a string of at least one character/,
    );
    assert.throws(() => tagsOf(anything('B'), 1, 'BIO'), /tagsOf: spans must be an array, got "B"/);
    assert.throws(() => tagsOf([], -1, 'BIO'), /length must be a non-negative integer, got -1/);
  });
});
