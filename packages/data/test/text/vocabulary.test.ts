// Vocabularies: ids, counts, unknown tokens, coverage, and comparison with another vocabulary.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildVocabulary, learnBytePairs, Vocabulary, type VocabularyOptions } from '@unroll/data';

const LISTS = [['b', 'a', 'b'], ['c', '\u{1F600}', '\uFF01', 'b'], ['a']];

describe('building', () => {
  const tokensOf = (options: VocabularyOptions): readonly string[] => buildVocabulary(LISTS, options).tokens;

  test('special tokens come first, then the others by count and by code points', () => {
    const vocabulary = buildVocabulary(LISTS);
    assert.deepEqual(vocabulary.tokens, [
      ...['<pad>', '<unk>', '<s>', '</s>'],
      ...['b', 'a', 'c', '\uFF01', '\u{1F600}'],
    ]);
    assert.deepEqual(vocabulary.counts, [0, 0, 0, 0, 3, 2, 1, 1, 1]);
    assert.deepEqual(vocabulary.specials, ['<pad>', '<unk>', '<s>', '</s>']);
    assert.deepEqual(
      [vocabulary.size, vocabulary.unknown, vocabulary.id('a'), vocabulary.id('z')],
      [9, 1, 5, undefined],
    );
  });

  test('minCount and maxSize leave out rare tokens, but none of `include`', () => {
    const specials = ['<pad>'];
    assert.deepEqual(tokensOf({ specials, minCount: 2 }), ['<pad>', 'b', 'a']);
    assert.deepEqual(tokensOf({ specials, maxSize: 4 }), ['<pad>', 'b', 'a', 'c']);
    assert.deepEqual(tokensOf({ specials, maxSize: 4, include: ['z', 'c'] }), ['<pad>', 'b', 'c', 'z']);
    assert.deepEqual(tokensOf({ specials, minCount: 2, maxSize: null, include: ['<pad>', 'a'] }), [
      '<pad>',
      'b',
      'a',
    ]);
  });

  test('special tokens that occur in the texts keep their ids and are counted', () => {
    const { tokens, counts } = buildVocabulary([['a', '<unk>', '<unk>']]);
    assert.deepEqual([tokens.length, counts], [5, [0, 2, 0, 0, 1]]);
  });

  test('a vocabulary that includes all tokens of byte pairs encodes any text', () => {
    const pairs = learnBytePairs(['the cat and the hat'], { vocabularySize: 270 });
    const specials = ['<pad>'];
    const vocabulary = buildVocabulary([pairs.tokens('the cat')], { specials, include: pairs.allTokens });
    assert.equal(vocabulary.size, 1 + pairs.allTokens.length);
    const text = 'Wörter, 好!';
    assert.equal(pairs.detokenize(vocabulary.decode(vocabulary.encode(pairs.tokens(text)))), text);
  });

  const refused: [options: object, message: RegExp][] = [
    [
      { maxSize: 3 },
      /^buildVocabulary: maxSize must be at least 4, the number of special and included tokens, got 3\.$/,
    ],
    [{ minCount: 0 }, /^buildVocabulary: minCount must be a positive integer, got 0\.$/],
    [
      { specials: [] },
      /^Vocabulary: specials must be the number of special tokens, from 1 \(the padding\) to \d+, got 0\.$/,
    ],
    [{ specials: ['<pad>', '<pad>'] }, /^Vocabulary: the token "<pad>" occurs twice, with ids 0 and 1\.$/],
    [{ minFreq: 2 }, /there is no option "minFreq"/],
  ];
  for (const [options, message] of refused) {
    test(`rejects ${JSON.stringify(options)}`, () =>
      assert.throws(() => buildVocabulary(LISTS, options), { code: 'value', message }));
  }
  test('rejects texts instead of tokens', () =>
    assert.throws(() => buildVocabulary(['a text'] as never), {
      code: 'value',
      message: 'The tokens of text 0 must be an array, got "a text". Call tokens() of a tokenizer first.',
    }));
});

describe('encoding and decoding', () => {
  const vocabulary = buildVocabulary(LISTS);

  test('unknown tokens become <unk>', () => {
    assert.deepEqual(vocabulary.encode(['a', 'z', '<s>']), Int32Array.of(5, 1, 2));
    assert.deepEqual(vocabulary.decode([2, 5, 1, 3, 0]), ['a', '<unk>']);
    assert.deepEqual(vocabulary.decode([2, 5, 0], { keepSpecials: true }), ['<s>', 'a', '<pad>']);
  });

  test('without <unk> an unknown token is an error', () =>
    assert.throws(() => buildVocabulary(LISTS, { specials: ['<pad>'] }).encode(['a', 'z']), {
      code: 'data',
      message: /^Token 1, "z", is not in the vocabulary of 6 tokens\. Build the vocabulary with "<unk>"/,
    }));

  test('a text instead of its tokens is an error', () =>
    assert.throws(() => vocabulary.encode('ab' as never), {
      code: 'value',
      message: 'encode takes an array of tokens, got "ab". Call tokens() of a tokenizer first.',
    }));

  test('an id outside the vocabulary is an error', () => {
    for (const id of [-1, 9, 1.5]) {
      assert.throws(() => vocabulary.decode([0, id]), {
        code: 'value',
        message: `ids[1] must be an integer from 0 to 8, got ${id}.`,
      });
    }
  });

  test('coverage returns the shares of known types and tokens, and the missing tokens with their counts', () => {
    assert.deepEqual(
      vocabulary.coverage([
        ['a', 'x', 'b'],
        ['y', 'x', 'a', 'a', 'a'],
      ]),
      {
        types: 0.5,
        tokens: 5 / 8,
        missing: [
          ['x', 2],
          ['y', 1],
        ],
      },
    );
    assert.deepEqual(vocabulary.coverage([]), { types: 1, tokens: 1, missing: [] });
  });
});

describe('configs and mismatches', () => {
  const vocabulary = buildVocabulary(LISTS);

  test('restored from JSON', () => {
    const restored = new Vocabulary(JSON.parse(JSON.stringify(vocabulary.config())));
    assert.deepEqual(restored.config(), vocabulary.config());
    restored.requireEqual(vocabulary);
  });

  const { tokens, counts, specials } = vocabulary.config();
  const refused: [name: string, config: object, message: RegExp][] = [
    [
      'a string as tokens',
      { tokens: 'ab', counts, specials },
      /^Vocabulary: tokens must be an array of strings, got "ab"\.$/,
    ],
    [
      'too few counts',
      { tokens, counts: [1], specials },
      /^Vocabulary: counts must be one non-negative integer per token \(9\), got 1 count\.$/,
    ],
    [
      'a negative count',
      { tokens: ['a'], counts: [-1], specials: 1 },
      /counts must be one non-negative integer per token \(1\), got \[-1\]/,
    ],
    [
      'no padding',
      { tokens, counts, specials: 0 },
      /specials must be the number of special tokens, from 1 \(the padding\) to \d+, got 0/,
    ],
    [
      'a repeated token',
      { tokens: ['a', 'b', 'a'], counts: [0, 0, 0], specials: 1 },
      /"a" occurs twice, with ids 0 and 2/,
    ],
  ];
  for (const [name, config, message] of refused) {
    test(`rejects a config with ${name}`, () =>
      assert.throws(() => new Vocabulary(config as never), { code: 'value', message }));
  }

  test('requireEqual rejects another vocabulary, and reports the first difference', () => {
    const refuses = (other: Vocabulary, difference: string): void =>
      assert.throws(() => other.requireEqual(vocabulary, 'model.zip'), {
        code: 'value',
        message:
          `The vocabulary must be the same as that of model.zip: ${difference}. ` +
          'Use the vocabulary that is stored with model.zip, or train again with this one.',
      });
    refuses(buildVocabulary([...LISTS, ['d']]), 'got 10 tokens instead of 9');
    refuses(buildVocabulary([...LISTS, ['a', 'a']]), 'id 4 is "a" instead of "b"');
    refuses(new Vocabulary({ tokens, counts, specials: 3 }), 'got 3 special tokens instead of 4');
  });
});
