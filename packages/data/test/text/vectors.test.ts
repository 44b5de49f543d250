// Files of word vectors: formats, chunks of any size, damaged files, and memory.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildVocabulary, readVectors, type VectorFormat, type Vectors, writeVectors } from '@unroll/data';

const specials = ['<pad>', '<unk>'];
const vocabulary = buildVocabulary([['the', 'the', 'the', 'cat', '好', '.']], { specials });

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Returns a binary file of rows, with or without a line break after each. */
function binary(rows: Record<string, number[]>, lineBreak: boolean): Uint8Array {
  const [first] = Object.values(rows);
  const parts = Object.entries(rows).flatMap(([token, values]) => [
    utf8(`${token} `),
    new Uint8Array(Float32Array.from(values).buffer),
    utf8(lineBreak ? '\n' : ''),
  ]);
  return new Uint8Array(Buffer.concat([utf8(`${Object.keys(rows).length} ${first.length}\n`), ...parts]));
}

/** Yields chunks of the given size. Each chunk overwrites the memory of the previous one. */
function* chunks(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let start = 0; start < bytes.length; start += size) {
    const part = bytes.subarray(start, start + size);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}

const rowOf = ({ values, width }: Vectors, token: string): number[] => {
  const row = vocabulary.id(token) ?? assert.fail(token);
  return [...values.slice(row * width, (row + 1) * width)];
};

describe('reading vectors', () => {
  const rows = { dog: [9, 9], the: [0.5, -2], 好: [1e-3, 3], cat: [10, 2.5] };
  const lines = Object.entries(rows).map(([token, values]) => `${token} ${values.join(' ')}`);
  const files: [name: string, bytes: Uint8Array, format: VectorFormat][] = [
    ['word2vec text', utf8(`4 2\n${lines.join('\n')}\n`), 'word2vec'],
    ['word2vec text with spaces at the ends of lines', utf8(`4 2\n${lines.join(' \n')} \n`), 'word2vec'],
    ['word2vec text with CRLF', utf8(`4 2\r\n${lines.join('\r\n')}\r\n`), 'word2vec'],
    ['word2vec binary', binary(rows, false), 'word2vecBinary'],
    ['word2vec binary with line breaks', binary(rows, true), 'word2vecBinary'],
    ['GloVe', utf8(`${lines.join('\n')}\n`), 'glove'],
    ['GloVe without a line break at the end', utf8(lines.join('\n')), 'glove'],
    ['GloVe with tabs', utf8(`${lines.join('\n').replaceAll(' ', '\t')}\n`), 'glove'],
  ];
  for (const [name, bytes, format] of files) {
    test(`${name}, in chunks of any size`, async () => {
      for (const size of [1, 2, 3, 7, 16, 1000]) {
        const read = await readVectors(chunks(bytes, size), { vocabulary });
        assert.equal(read.format, format);
        assert.equal(read.width, 2);
        assert.deepEqual([...read.found], [0, 0, 1, 0, 1, 1]);
        assert.deepEqual(rowOf(read, 'the'), [0.5, -2]);
        assert.deepEqual(rowOf(read, '好'), [Math.fround(1e-3), 3]);
        assert.deepEqual(rowOf(read, '.'), [0, 0]);
        assert.deepEqual(read.coverage, { types: 3 / 4, tokens: 5 / 6 });
      }
    });
  }

  test('fastText is read like word2vec text', async () => {
    const { format, values } = await readVectors([utf8('1 2\nthe 1 2 \n')], {
      vocabulary,
      format: 'fastText',
    });
    assert.deepEqual([format, ...values.slice(4, 6)], ['fastText', 1, 2]);
  });

  test('the first vector of a token is used', async () => {
    const read = await readVectors([utf8('the 1 2\nthe 3 4\n')], { vocabulary });
    assert.deepEqual(rowOf(read, 'the'), [1, 2]);
  });

  test('tokens with spaces, as in GloVe, are not mistaken for their first part', async () => {
    const text = 'cat 5 6\n. . . 1 2\n. 3 4\n1 7 8\n';
    assert.deepEqual(rowOf(await readVectors([utf8(text)], { vocabulary }), '.'), [3, 4]);
    assert.deepEqual(rowOf(await readVectors([utf8(`. . . 1 2\n${text}`)], { vocabulary }), '.'), [3, 4]);
    const spaced = buildVocabulary([['. . .', ' ', '1']], { specials: ['<pad>'] });
    const read = await readVectors([utf8(`${text}  8 9\n`)], { vocabulary: spaced });
    assert.deepEqual([...read.values], [0, 0, 8, 9, 1, 2, 7, 8]);
    const numbers = buildVocabulary([['1 2']], { specials: ['<pad>'] });
    assert.deepEqual(
      [...(await readVectors([utf8('a 3 4\n1 2 5 6\n')], { vocabulary: numbers })).values],
      [0, 0, 5, 6],
    );
  });

  test('reads streams of a Blob and decompressed streams, and rejects compressed ones', async () => {
    const blob = new Blob([utf8('the 1 2\ncat 3 4\n')]);
    assert.deepEqual(rowOf(await readVectors(blob.stream(), { vocabulary }), 'cat'), [3, 4]);
    const gzip = await new Response(blob.stream().pipeThrough(new CompressionStream('gzip'))).blob();
    const decompressed = gzip.stream().pipeThrough(new DecompressionStream('gzip'));
    assert.deepEqual(rowOf(await readVectors(decompressed, { vocabulary }), 'cat'), [3, 4]);
    await assert.rejects(readVectors(gzip.stream(), { vocabulary }), {
      code: 'format',
      message:
        /^The vectors: the file is compressed \(gzip\)\. Decompress it, for example with stream\.pipeThrough/,
    });
  });

  test('an error closes the source', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield utf8('the 1 x\n');
      } finally {
        closed = true;
      }
    }
    await assert.rejects(readVectors(source(), { vocabulary }));
    assert.ok(closed);
  });
});

describe('readVectors rejects', () => {
  const invalidFiles: [
    name: string,
    file: string | Uint8Array,
    options: object,
    code: string,
    message: RegExp,
  ][] = [
    ['an empty file', '', {}, 'format', /^v\.txt: the file is empty\.$/],
    ['no vectors', '0 5\n', {}, 'format', /^v\.txt: there are no vectors\.$/],
    [
      'prose',
      'some prose\nand more\n',
      {},
      'format',
      /^v\.txt, line 1: a line must be a token and numbers.*"some prose"\.$/,
    ],
    [
      'a value that is not a number',
      'cat 1 2\nthe 1 2,5\n',
      {},
      'format',
      /^v\.txt, line 2: value 2 of "the" must be a number, got "2,5"\.$/,
    ],
    [
      'an empty value',
      'cat 1 2\nthe  2\n',
      {},
      'format',
      /^v\.txt, line 2: value 1 of "the" must be a number, got ""\.$/,
    ],
    [
      'NaN',
      '1 2\nthe 1 nan\n',
      {},
      'format',
      /^v\.txt, line 2: value 2 of "the" must be a number, got "nan"\.$/,
    ],
    [
      'a value beyond float32',
      'the 1 1e39\n',
      {},
      'format',
      /^v\.txt, line 1: value 2 of "the" must be a finite number, got 1e\+39\.$/,
    ],
    [
      'too few values',
      'cat 1 2\nthe 1\n',
      {},
      'format',
      /^v\.txt, line 2: "the" must have 2 values, got 1\. The line is damaged/,
    ],
    [
      'too many values',
      'cat 1 2\nthe 1 2 3\n',
      {},
      'format',
      /^v\.txt, line 2: "the" must have 2 values, got 3\./,
    ],
    [
      'a truncated last line',
      'cat 1 2\nthe 1 2\ndog 1',
      {},
      'format',
      /^v\.txt, line 3: "dog" must have 2 values, got 1\..*truncated/,
    ],
    [
      'fewer rows than announced',
      '3 2\ncat 1 2\n',
      {},
      'format',
      /^v\.txt: the header announces 3 vectors, but the file ends after 1\. It is truncated/,
    ],
    [
      'more rows than announced',
      '1 2\ncat 1 2\na 1 2\n',
      {},
      'format',
      /^v\.txt: the header announces 1 vector, but there are more\./,
    ],
    [
      'a truncated binary file',
      binary({ the: [1, 2], a: [3, 4] }, true).subarray(0, 20),
      {},
      'format',
      /announces 2 vectors, but the file ends after 1\./,
    ],
    [
      'NaN in a binary file',
      binary({ a: [3, 4], the: [1, Number.NaN] }, true),
      {},
      'format',
      /^v\.txt, vector 2: value 2 of "the" must be a finite number, got NaN\.$/,
    ],
    [
      'a missing header',
      'the 1 2\n',
      { format: 'word2vec' },
      'format',
      /^v\.txt: the first line must be a header.*got "the 1 2".*format: 'glove'/s,
    ],
    [
      'a huge width',
      '3 100000000\nthe 1\n',
      {},
      'format',
      /^v\.txt: the width of the vectors must be between 1 and 65536, got 100000000\. The file must/,
    ],
    ['a zip archive', 'PK\x03\x04', {}, 'format', /^v\.txt: the file is a zip archive\. Unpack it first\.$/],
    [
      'a line of 2 MiB',
      new Uint8Array(2 ** 21).fill(65),
      {},
      'format',
      /^v\.txt: a line must not exceed 1048576 bytes\./,
    ],
    [
      'vectors whose width differs from the option width',
      '1 2\nthe 1 2\n',
      { width: 3 },
      'value',
      /^v\.txt: the vectors have 2 values, but width is 3\. Set the width of the embedding to 2, or use vectors of width 3\.$/,
    ],
    [
      'GloVe vectors whose width differs from the option width',
      'the 1 2\n',
      { width: 3 },
      'value',
      /^v\.txt: the vectors have 2 values, but width is 3\./,
    ],
    [
      'an unknown format',
      'the 1 2\n',
      { format: 'word2vec.bin' },
      'value',
      /format must be "word2vec", "word2vecBinary", "glove" or "fastText"/,
    ],
    [
      'an unknown option',
      'the 1 2\n',
      { dimension: 3 },
      'value',
      /^readVectors: there is no option "dimension"/,
    ],
  ];
  for (const [name, file, options, code, message] of invalidFiles) {
    test(name, async () => {
      const bytes = typeof file === 'string' ? utf8(file) : file;
      const read = readVectors(chunks(bytes, 65_536), { vocabulary, source: 'v.txt', ...options });
      await assert.rejects(read, { code, message });
    });
  }
  test('text instead of bytes, bytes instead of chunks, and no vocabulary', async () => {
    const advice = 'Pass a stream without an encoding, or bytes in memory as [bytes].';
    await assert.rejects(readVectors(['the 1 2\n'] as never, { vocabulary }), {
      code: 'value',
      message: `The vectors: chunks must be of type Uint8Array, got "the 1 2\\n". ${advice}`,
    });
    await assert.rejects(readVectors(utf8('the 1 2\n') as never, { vocabulary }), {
      message: `The vectors: chunks must be of type Uint8Array, got 116. ${advice}`,
    });
    await assert.rejects(readVectors([], {} as never), {
      code: 'value',
      message: 'readVectors: vocabulary must be a Vocabulary, got undefined. Build one with buildVocabulary.',
    });
  });
});

describe('writing vectors', () => {
  const width = 3;
  const values = Float32Array.from({ length: vocabulary.size * width }, (_, i) =>
    Math.fround(Math.sin(i) * 10 ** (i - 9)),
  );

  for (const format of ['word2vec', 'word2vecBinary', 'glove', 'fastText'] as const) {
    test(`${format}: read back exactly`, async () => {
      const file = writeVectors(vocabulary, { width, values }, { format });
      const read = await readVectors(file, { vocabulary, format });
      assert.deepEqual(read, {
        width,
        values,
        found: read.found.fill(1),
        format,
        coverage: { types: 1, tokens: 1 },
      });
    });
  }

  test('text files contain the shortest decimals that are read back exactly, and only the vectors that `found` selects', () => {
    const small = buildVocabulary([['a', 'b']], { specials: ['<pad>'] });
    const vectors = { width: 2, values: Float32Array.of(0, 0, 0.1, -1e-7, 1 / 3, 16_777_216) };
    const text = (options: object): string =>
      Buffer.concat([...writeVectors(small, { ...vectors, ...options })]).toString();
    assert.equal(text({}), '3 2\n<pad> 0 0\na 0.1 -1e-7\nb 0.33333334 16777216\n');
    assert.equal(text({ found: Uint8Array.of(0, 0, 1) }), '1 2\nb 0.33333334 16777216\n');
  });

  test('rejects values of a wrong shape, and tokens with white space unless omitWhitespace is set', async () => {
    assert.throws(() => writeVectors(vocabulary, { width: 2, values }), {
      code: 'shape',
      message: 'writeVectors: values must have 12 entries (6 tokens of the vocabulary × width 2), got 18.',
    });
    const lines = buildVocabulary([['a', '\n']], { specials: ['<pad>'] });
    const zeros = { width: 1, values: new Float32Array(3) };
    assert.throws(() => writeVectors(lines, zeros), {
      code: 'data',
      message:
        'writeVectors: the token "\\n" (id 1) is empty or contains white space, which vector files cannot represent. ' +
        'Set omitWhitespace to leave out such tokens.',
    });
    const read = await readVectors(writeVectors(lines, zeros, { omitWhitespace: true }), {
      vocabulary: lines,
    });
    assert.deepEqual([...read.found], [1, 0, 1]);
  });
});

describe('memory', () => {
  const MEBIBYTE = 2 ** 20;
  const WIDTH = 100;

  /** Yields about `size` MiB of rows with different tokens, in chunks that reuse one buffer. The last row is that of `the`. */
  function* rows(size: number, isBinary: boolean): Generator<Uint8Array> {
    const values = isBinary
      ? Buffer.alloc(4 * WIDTH, 1)
      : Buffer.from(`${Array(WIDTH).fill('0.123456').join(' ')}\n`);
    const row = Buffer.concat([Buffer.from('w0000000 '), values]);
    const chunk = Buffer.concat(Array<Buffer>(Math.floor(MEBIBYTE / row.length)).fill(row));
    if (isBinary) yield utf8(`${(size * chunk.length) / row.length + 1} ${WIDTH}\n`);
    for (let n = 0; n < size; n++) {
      for (let offset = 0; offset < chunk.length; offset += row.length)
        chunk.write(String(10_000_000 + (n * chunk.length + offset) / row.length).slice(1), offset + 1);
      yield chunk;
    }
    yield Buffer.concat([Buffer.from('the '), values]);
  }

  for (const format of ['glove', 'word2vecBinary'] as const) {
    test(`${format}: 200 MiB are read with less than 50 MiB of memory`, async () => {
      await readVectors(rows(20, format === 'word2vecBinary'), { vocabulary });
      const before = process.memoryUsage().rss;
      let growth = 0;
      function* watched(): Generator<Uint8Array> {
        for (const chunk of rows(200, format === 'word2vecBinary')) {
          yield chunk;
          growth = Math.max(growth, process.memoryUsage().rss - before);
        }
      }
      const read = await readVectors(watched(), { vocabulary });
      assert.equal(read.format, format);
      assert.deepEqual([...read.found], [0, 0, 1, 0, 0, 0]);
      assert.ok(growth < 50 * MEBIBYTE, `${(growth / MEBIBYTE).toFixed()} MiB`);
    });
  }
});
