// `.ts` files, the time series files of sktime and aeon: header, sequences, missing values, and errors that name the line.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { looksLikeTsFile, nestedValues, parseTsFile, texts } from '@unroll/data';

const HEADER = [
  '# a comment',
  '',
  '@problemName Steps',
  '@timeStamps false',
  '@missing true',
  '@univariate false',
  '@dimensions 2',
  '@equalLength false',
  '@classLabel true walking running',
  '@data',
];
const fileOf = (lines: readonly string[], header = HEADER): string => [...header, ...lines, ''].join('\n');
const parse = (text: string) => parseTsFile(text, { source: 'steps.ts' });

describe('a .ts file', () => {
  test('is recognised by its header', () => {
    assert.ok(looksLikeTsFile(fileOf([])) && looksLikeTsFile('\uFEFF# x\r\n@problemname a'));
    assert.ok(!looksLikeTsFile('@name,b\n1,2') && !looksLikeTsFile('a,b') && !looksLikeTsFile('# x\n'));
  });
  test('has sequences of steps, labels and line numbers', () => {
    const table = parse(fileOf(['1,2,3:-1,-2.5,1e2:walking', '', '4:5:running']));
    assert.deepEqual(nestedValues(table, 'sequence'), [
      [
        [1, -1],
        [2, -2.5],
        [3, 100],
      ],
      [[4, 5]],
    ]);
    assert.deepEqual(texts(table, 'label'), ['walking', 'running']);
    assert.deepEqual([...table.lines], [11, 13]);
  });
  test('has NaN for missing values, also with Windows line ends', () => {
    const [sequence] = nestedValues(
      parse(fileOf(['1,?:NaN,2:walking']).replaceAll('\n', '\r\n')),
      'sequence',
    );
    assert.deepEqual(sequence, [
      [1, Number.NaN],
      [Number.NaN, 2],
    ]);
  });
  test('may be univariate and have no labels', () => {
    const table = parse('@univariate true\n@classLabel false\n@data\n1,2\n3\n');
    assert.deepEqual(nestedValues(table, 'sequence'), [[[1], [2]], [[3]]]);
    assert.deepEqual(
      table.columns.map(({ name }) => name),
      ['sequence'],
    );
  });
});

describe('errors name the file and the line', () => {
  const equal = HEADER.map((line) => line.replace('@equalLength false', '@equalLength true'));
  const cases: Record<string, [string, string]> = {
    'no data': [HEADER.slice(0, -1).join('\n'), 'steps.ts has no line @data.'],
    'no examples': [fileOf([]), 'steps.ts has no examples after @data.'],
    'an unknown header line': [
      '@problemName a\n@dimension 2\n@color red\n',
      'steps.ts, line 3: a line of the header must begin with @problemName, @timeStamps, @missing, @univariate, @dimensions, @equalLength, @seriesLength, @classLabel, @targetLabel or @data, got "@color red".',
    ],
    'an invalid flag': [
      '@univariate yes\n',
      'steps.ts, line 1: @univariate must be true or false, got "yes".',
    ],
    'an invalid count': [
      '@dimensions two\n',
      'steps.ts, line 1: @dimensions must be a positive integer, got "two".',
    ],
    'time stamps': [
      '@timestamps true\n',
      'steps.ts, line 1: series with time stamps (@timeStamps true) cannot be read. Write the values only.',
    ],
    'numeric targets': [
      '@targetlabel true\n',
      'steps.ts, line 1: a file with numeric targets (@targetLabel true) cannot be read: it has no classes.',
    ],
    'an unknown label': [
      fileOf(['1:2:walking', '1:2:flying']),
      'steps.ts, line 12: the class label after the last colon must be one of walking, running, got "flying".',
    ],
    'too few dimensions': [
      fileOf(['1:walking']),
      'steps.ts, line 11: an example must have 2 dimensions before the class label, separated by colons, got 1.',
    ],
    'dimensions of unequal length': [
      fileOf(['1,2:3:walking']),
      'steps.ts, line 11: dimension 2 has 1 value, but dimension 1 has 2.',
    ],
    'unequal lengths': [
      fileOf(['1,2:3,4:walking', '1:2:running'], equal),
      'steps.ts, line 12: an example must have 2 steps (@equalLength true), got 1.',
    ],
    'a value that is a word': [
      fileOf(['1,2:3,x:walking']),
      'steps.ts, line 11: value 2 of dimension 2 must be a number, or ? if it is missing, got "x".',
    ],
    'an empty dimension': [
      fileOf([':1:walking']),
      'steps.ts, line 11: value 1 of dimension 1 must be a number, or ? if it is missing, got "".',
    ],
  };
  for (const [name, [text, message]] of Object.entries(cases))
    test(name, () => assert.throws(() => parse(text), { code: 'data', message }));
});
