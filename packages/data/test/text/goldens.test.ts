// Compares byte pairs with Hugging Face tokenizers, and reads word vectors from files that gensim wrote (tools/goldens/text.py).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildVocabulary, learnBytePairs, readVectors, writeVectors } from '@unroll/data';

function golden<T>(name: string): T {
  const file = new URL(`../../../testkit/goldens/text/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(fileURLToPath(file), 'utf8'));
}

interface BytePairs {
  texts: string[];
  size: number;
  minCount: number;
  merges: string[];
  encoded: { text: string; tokens: string[] }[];
}

describe('byte pairs of Hugging Face tokenizers', () => {
  const { texts, size, minCount, merges, encoded } = golden<BytePairs>('byte-pairs');
  const pairs = learnBytePairs(texts, { vocabularySize: 256 + size, minCount });

  test('the merges are equal', () => assert.deepEqual(pairs.config.merges, merges));
  for (const { text, tokens } of encoded) {
    test(`the tokens of "${text}" are equal`, () => assert.deepEqual(pairs.tokens(text), tokens));
  }
});

interface GensimVectors {
  tokens: string[];
  width: number;
  values: string;
  files: Record<'word2vec' | 'word2vecBinary' | 'glove', string>;
}

describe('word vectors of gensim', () => {
  const { tokens, width, values, files } = golden<GensimVectors>('vectors');
  const bytes = new Uint8Array(Buffer.from(values, 'base64'));
  const expected = new Float32Array(bytes.buffer);
  const vocabulary = buildVocabulary([tokens], { specials: ['<pad>'] });

  for (const [format, file] of Object.entries(files)) {
    test(`${format}: detected, and read exactly`, async () => {
      const read = await readVectors([Buffer.from(file, 'base64')], { vocabulary });
      assert.deepEqual([read.format, read.width], [format, width]);
      assert.deepEqual(read.coverage, { types: 1, tokens: 1 });
      for (const [i, token] of tokens.entries()) {
        const row = (vocabulary.id(token) ?? 0) * width;
        assert.deepEqual(
          read.values.slice(row, row + width),
          expected.slice(i * width, (i + 1) * width),
          token,
        );
      }
      // Writing the vectors and reading them again changes nothing.
      const reread = await readVectors(writeVectors(vocabulary, read, { format: read.format }), {
        vocabulary,
      });
      assert.deepEqual(reread, read);
    });
  }
});
