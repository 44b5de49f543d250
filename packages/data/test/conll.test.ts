// CoNLL and CoNLL-U files: what is read, what is skipped, and the messages for broken lines.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ConllOptions, parseConll } from '@unroll/data';

const read = (text: string, options: ConllOptions = {}) =>
  parseConll(text, { source: 'a.conll', ...options });
const pairs = (text: string, options: ConllOptions = {}) =>
  read(text, options).sentences.map(({ tokens, tags }) =>
    tokens.map((token, i) => `${token}/${tags[i]}`).join(' '),
  );

/** The example of https://universaldependencies.org/format.html, with the columns separated by tabs. */
const CONLLU = `# newdoc id = weblog
# sent_id = 1
# text = Vámonos al mar
1-2	vámonos	_	_	_	_	_	_	_	_
1	vamos	ir	VERB	V	Number=Plur	0	root	_	_
2	nos	nosotros	PRON	P	Case=Acc	1	obj	_	_
3-4	al	_	_	_	_	_	_	_	_
3	a	a	ADP	E	_	5	case	_	_
4	el	el	DET	D	Definite=Def	5	det	_	_
4.1	gran	gran	ADJ	A	_	_	_	5:amod	_
5	mar	mar	NOUN	N	Gender=Masc	1	obl	_	SpaceAfter=No

# sent_id = 2
1	10 000	10000	NUM	N	_	0	root	_	_
`;

describe('parseConll', () => {
  test('reads tokens and tags, separated by tabs or spaces', () => {
    assert.deepEqual(pairs('Ada\tB-PER\nwrote\tO\n\n\nParis\tB-LOC\n'), ['Ada/B-PER wrote/O', 'Paris/B-LOC']);
    assert.deepEqual(pairs('中 B-ORG\r\n国  E-ORG \r\n \r\n好 O'), ['中/B-ORG 国/E-ORG', '好/O']);
  });
  test('reads the tags from the last column, unless the option `column` is set', () => {
    const text = 'EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n';
    assert.deepEqual(pairs(text), ['EU/B-ORG rejects/O']);
    assert.deepEqual(pairs(text, { column: 2 }), ['EU/NNP rejects/VBZ']);
    assert.equal(read(text).column, 4);
    assert.equal(read(text, { column: 2 }).column, 2);
  });
  test('skips -DOCSTART- lines, a byte order mark, and lines of white space', () => {
    const text =
      '\uFEFF-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\n-DOCSTART- -X- O O\nPeter NNP B-NP B-PER\n\n\uFEFF\n';
    assert.deepEqual(pairs(text), ['EU/B-ORG', 'Peter/B-PER']);
  });
  test('returns the line of each token', () => {
    assert.deepEqual(
      read('\na O\nb O\n\nc O').sentences.map(({ lines }) => lines),
      [[2, 3], [5]],
    );
  });
  test('a token may begin with #, and a comment before a sentence is skipped', () => {
    assert.deepEqual(pairs('#news O\n# O\n'), ['#news/O #/O']);
    assert.deepEqual(pairs('# a comment of five words\nx O\n\n# id 77 domain=en\ny O\n# O\n'), [
      'x/O',
      'y/O #/O',
    ]);
  });
  test('reads CoNLL-U, and skips multiword tokens and empty nodes', () => {
    assert.deepEqual(pairs(CONLLU), ['vamos/VERB nos/PRON a/ADP el/DET mar/NOUN', '10 000/NUM']);
    assert.deepEqual(pairs(CONLLU, { column: 'xpos' })[0], 'vamos/V nos/P a/E el/D mar/N');
    assert.deepEqual(pairs(CONLLU, { column: 8 })[0], 'vamos/root nos/obj a/case el/det mar/obl');
    assert.equal(read(CONLLU).column, 'upos');
  });
  test('reads only the tokens on request, also from files without tags', () => {
    assert.deepEqual(read('Ada\nLovelace\n', { tags: false }).sentences, [
      { tokens: ['Ada', 'Lovelace'], tags: [], lines: [1, 2] },
    ]);
    assert.deepEqual(
      read(CONLLU, { tags: false }).sentences.map(({ tokens }) => tokens.length),
      [5, 1],
    );
  });
});

describe('broken files', () => {
  const cases: Record<string, [string, RegExp, ConllOptions?]> = {
    'a missing tag': [
      'Ada\tO\nwrote\n',
      /^a\.conll, line 2: 1 column \(separated by tabs\), but line 1 has 2\.$/,
    ],
    'too many columns': [
      'Ada O\na b c\n',
      /^a\.conll, line 2: 3 columns \(separated by spaces\), but line 1 has 2\.$/,
    ],
    'one column': [
      'Ada\nwrote\n',
      /^a\.conll, line 1: the line has one column\. It must have a token and a tag/,
    ],
    'an empty token': ['Ada\tO\n\tO\n', /^a\.conll, line 2: the token is empty\.$/],
    'an empty tag': [
      'Ada\tx\tO\nwas\t\tO\n',
      /^a\.conll, line 2: the tag is empty \(column 2\)\.$/,
      { column: 2 },
    ],
    'an empty file': ['', /^a\.conll is empty\. A CoNLL file has one token/],
    'a file without tokens': ['-DOCSTART- O\n\n# text = x\n', /^a\.conll has no tokens\./],
    'prose instead of columns': [
      `${'word '.repeat(300)}\n`,
      /^a\.conll, line 1: the line has 300 columns\. A CoNLL file has one token/,
    ],
    'a column that does not exist': [
      'Ada O\n',
      /^a\.conll, line 1: there is no column 3: the line has 2 columns\.$/,
      { column: 3 },
    ],
    'a column name in a file that is not CoNLL-U': [
      'Ada O\n',
      /^a\.conll, line 1: column "upos" needs a CoNLL-U file, with 10 columns/,
      { column: 'upos' },
    ],
  };
  for (const [name, [text, message, options]] of Object.entries(cases)) {
    test(name, () => assert.throws(() => read(text, options), { code: 'data', message }));
  }
  test('invalid options', () => {
    for (const column of [0, 1.5, 'pos']) {
      assert.throws(() => read('a O', { column: column as number }), {
        code: 'value',
        message: /^parseConll: column must be/,
      });
    }
    assert.throws(() => read('a O', { colum: 1 } as ConllOptions), { code: 'value', message: /colum/ });
  });
});
