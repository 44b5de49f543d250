// Tokenizers: the tokens of texts, `detokenize`, which restores every text exactly, and configs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import {
  defaultTokenizer,
  learnBytePairs,
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
} from '@unroll/data';

/** Texts that are hard to restore. */
const TEXTS: Record<string, string> = {
  empty: '',
  'one space': ' ',
  'white space only': ' \n\t  \r\n',
  sentence: "The dog (a \"good\" one) doesn't bark: it's asleep, isn't it?",
  'spaces at both ends': '  a b ',
  'repeated spaces': 'a  b   c',
  'line breaks': 'a\nb\r\nc\n\n\nd \n e',
  'other white space': 'a\tb\u00A0c\u3000d\u2028e\u202Ff',
  Chinese: '他说：“今天天气很好。”我们去北京大学！\n好的',
  'Chinese with spaces': '使用 Python 编程，使用Python编程',
  Japanese: '私は東京タワーに行きました。コーヒーを飲む。',
  Korean: '안녕하세요. 저는 학생입니다.',
  Thai: 'สวัสดีครับ ผมชอบกินข้าว',
  Arabic: 'مرحبا، كيف حالك؟',
  German: 'Er sagte: „Größe“ – »ja« – 3,5 % (d. h. viel).',
  French: 'Qu’est-ce que c’est ? « L’école » !',
  emoji: '👨‍👩‍👧 🇩🇪🇫🇷 👍🏽😀😀 a😀b',
  numbers: '$5.00 3.14 1,000 -7 50% 2/3 10:30 #1 @me a_b x-y',
  'unbalanced quotes': '"a" "b \'tis "c\' d" "',
  'spaces around punctuation': 'a , b . c ( d ) " e " - f',
  'markers in the text': '\u2581 a\u2581b \u2581\u2581 \uFFED a\uFFEDb \uFFED\uFFED <0xE4> <s> </s> <unk>',
  'combining marks': 'e\u0301 \u0301a \u0301',
  'format characters': '\u200Ba\u2060b\uFEFFc\u00ADd\u200D',
  'zero byte': 'a\0b\u0001',
};

const learned = learnBytePairs(['the dog and the cat, the other dog', '今天天气很好 今天很好'], {
  vocabularySize: 300,
});
const tokenizers: Record<string, Tokenizer> = {
  characters: tokenizer({ kind: 'characters' }),
  whitespace: tokenizer({ kind: 'whitespace' }),
  words: tokenizer({ kind: 'words' }),
  'byte pairs': learned,
};

describe('detokenize restores the text', () => {
  for (const [kind, { tokens, detokenize }] of Object.entries(tokenizers)) {
    for (const [name, text] of Object.entries(TEXTS)) {
      test(`${kind}: ${name}`, () => assert.equal(detokenize(tokens(text)), text));
    }
    test(`${kind}: random mixtures of the texts`, () => {
      const pieces = Object.values(TEXTS).flatMap((text) => text.match(/.{1,3}/gsu) ?? []);
      let seed = 1;
      const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
      for (let i = 0; i < 300; i++) {
        const text = Array.from({ length: random(40) }, () => pieces[random(pieces.length)]).join('');
        assert.equal(detokenize(tokens(text)), text, JSON.stringify(text));
      }
    });
  }
  test('with normalisation, detokenize restores the normalised text', () => {
    for (const { config } of Object.values(tokenizers)) {
      const changed = tokenizer({ ...config, normalize: 'NFKC', lowercase: true, collapseWhitespace: true });
      assert.equal(changed.normalize(' ＡＢ\n C\u0327 \u0130'), 'ab ç i\u0307');
      for (const text of Object.values(TEXTS)) {
        assert.equal(changed.detokenize(changed.tokens(text)), changed.normalize(text));
      }
    }
  });
});

describe('tokens', () => {
  const splits = (config: TokenizerConfig, text: string, expected: string[]): void =>
    assert.deepEqual(tokenizer(config).tokens(text), expected);

  test('characters are code points', () =>
    splits({ kind: 'characters' }, 'a 好👍🏽', ['a', ' ', '好', '👍', '🏽']));

  test('white space: a single space has no token', () => {
    splits({ kind: 'whitespace' }, 'one, two  three\nfour ', [
      'one,',
      'two',
      '  ',
      'three',
      '\n',
      'four',
      ' ',
    ]);
    splits({ kind: 'whitespace', collapseWhitespace: true }, ' a  b\nc ', ['a', 'b', 'c']);
  });

  test('words: expected spaces have no tokens, and punctuation marks are separate tokens', () => {
    splits({ kind: 'words' }, 'He said: "Don\'t (ever) go, 3.14%!"', [
      ...['He', 'said', ':', '"', "Don't", '(', 'ever', ')', 'go', ',', '3.14', '%', '!', '"'],
    ]);
    // ICU versions differ in some words, but not in these.
    assert.deepEqual(tokenizers.words.tokens('今天。').concat(tokenizers.words.tokens('天气，')), [
      ...['今天', '。', '天气', '，'],
    ]);
  });

  test('words: quotes of several languages', () => {
    splits({ kind: 'words' }, 'Er sagt „ja“ – sie »nein« – x (y) “a” ‘b’.', [
      ...['Er', 'sagt', '„', 'ja', '“', '–', 'sie', '»', 'nein', '«', '–', 'x', '(', 'y', ')'],
      ...['“', 'a', '”', '‘', 'b', '’', '.'],
    ]);
  });

  test('words: unexpected and missing spaces are tokens', () => {
    splits({ kind: 'words' }, 'a , b+c', ['a', ' ', ',', 'b', '\uFFED', '+', '\uFFED', 'c']);
    splits({ kind: 'words' }, 'a\n\nb ', ['a', '\n\n', 'b', ' ']);
    splits({ kind: 'words' }, '\uFFED', ['\uFFED\uFFED']);
  });

  test('words: tokens without markers for missing spaces, as models generate them, are joined as in prose', () =>
    assert.equal(
      tokenizers.words.detokenize(['"', 'Yes', ',', '"', 'he', 'said', '(', 'twice', ')', '.']),
      '"Yes," he said (twice).',
    ));

  test('words: the tokens of a long text are those of its sentences', () => {
    const sentence = 'The quick (brown) fox; 他今天去北京大学。';
    const words = tokenizers.words.tokens(sentence);
    assert.deepEqual(tokenizers.words.tokens(sentence.repeat(300)), Array(300).fill(words).flat());
  });

  test('words: an ASCII text (its pieces are cached) has the same tokens alone and at the start of a non-ASCII text', () => {
    const { tokens } = tokenizer({ kind: 'words' });
    const random = new RandomStream(3, 'ascii');
    const alphabet = 'ab Z19._-\'",:;@/$%()  ';
    for (let n = 0; n < 300; n++) {
      const draws = random.uniform(1 + (n % 40));
      const text = `${Array.from(draws, (u) => alphabet[Math.floor(u * alphabet.length)]).join('')}x`;
      const found = tokens(text);
      assert.deepEqual(tokens(`${text} é`).slice(0, found.length), found, text);
    }
  });
  test('all tokenizers: long runs without a word boundary are restored', () => {
    for (const run of ['今天', 'a', '😀', 'ก', '\u0301', ' ', '\uFFED']) {
      const text = `x${run.repeat(5000)}`;
      for (const { tokens, detokenize } of Object.values(tokenizers))
        assert.equal(detokenize(tokens(text)), text);
    }
  });

  test('words: 340,000 characters take less than 10 seconds', () => {
    const start = performance.now();
    tokenizers.words.tokens('a “word” or two, '.repeat(20_000));
    // Intl.Segmenter alone takes minutes for this text.
    assert.ok(performance.now() - start < 10_000);
  });
});

describe('configs', () => {
  for (const [kind, { config, tokens }] of Object.entries(tokenizers)) {
    test(`${kind}: restored from JSON`, () => {
      const restored = tokenizer(JSON.parse(JSON.stringify(config)));
      assert.deepEqual(restored.config, config);
      assert.deepEqual(restored.notes, []);
      for (const text of Object.values(TEXTS)) assert.deepEqual(restored.tokens(text), tokens(text));
    });
  }

  test('words: the ICU version is stored, and a difference is noted', () => {
    const { config } = tokenizers.words;
    assert.equal('icu' in config && config.icu, process.versions.icu);
    assert.match(
      tokenizer({ kind: 'words', icu: '60.1' }).notes[0],
      /^The tokenizer was made with ICU 60\.1, and this environment has ICU \d.*: some words may be split differently/,
    );
    assert.match(tokenizer({ kind: 'words', icu: null }).notes[0], /made with an unknown version of ICU/);
  });

  test('the default is characters for Chinese and Japanese, words otherwise', () => {
    assert.equal(defaultTokenizer(['今天 is 很好的一天', '123']).kind, 'characters');
    assert.equal(defaultTokenizer(['コーヒーを飲む']).kind, 'characters');
    assert.equal(defaultTokenizer(['the word 好', 'ok']).kind, 'words');
    assert.equal(defaultTokenizer(['안녕하세요']).kind, 'words');
    assert.throws(() => defaultTokenizer(['1 2', '']), {
      code: 'value',
      message: 'defaultTokenizer needs texts with letters, got none.',
    });
  });

  test('rejects values that are not texts', () => {
    assert.throws(() => tokenizers.words.tokens(1 as never), {
      code: 'value',
      message: 'A text must be a string, got 1.',
    });
    assert.throws(() => defaultTokenizer('a text'), {
      code: 'value',
      message: 'defaultTokenizer takes several texts, such as an array of strings, got "a text".',
    });
    assert.throws(() => learnBytePairs(['a', null] as never), {
      code: 'value',
      message: 'learnBytePairs: text 1 must be a string, got null.',
    });
  });

  const invalidConfigs: [name: string, config: object, message: RegExp][] = [
    [
      'an unknown kind',
      { kind: 'word' },
      /^There is no tokenizer of kind "word"\. .* Did you mean "words"\?$/,
    ],
    [
      'an unknown option',
      { kind: 'words', lowerCase: true },
      /there is no option "lowerCase"\. Did you mean "lowercase"/,
    ],
    [
      'a wrong type',
      { kind: 'characters', lowercase: 1 },
      /tokenizer of characters: lowercase must be true or false, got 1/,
    ],
    [
      'an unknown normalisation',
      { kind: 'words', normalize: 'NFD' },
      /normalize must be "NFC", "NFKC" or null, got "NFD"\./,
    ],
    [
      'an invalid locale',
      { kind: 'words', locale: 'x' },
      /^tokenizer: locale must be a language tag such as "en", got "x"\.$/,
    ],
    [
      'byte pairs without characters',
      { kind: 'bytePairs' },
      /characters must contain "\u2581".*got "".*learnBytePairs/,
    ],
    [
      'a merge of an unknown token',
      { kind: 'bytePairs', characters: 'ab\u2581', merges: ['a b', 'a c'] },
      /^tokenizer of bytePairs: merges\[1\] must be two tokens.*, got "a c"\.$/,
    ],
  ];
  for (const [name, config, message] of invalidConfigs) {
    test(`rejects ${name}`, () =>
      assert.throws(() => tokenizer(config as TokenizerConfig), { code: 'value', message }));
  }
});
