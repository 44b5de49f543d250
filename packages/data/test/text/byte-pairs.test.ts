// Byte-pair encoding: the merges that are learned, and how they are applied.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { learnBytePairs, tokenizer } from '@unroll/data';

/** Returns the merges, computed by definition: all pairs are counted again after each merge. */
function learnSlowly(words: readonly (readonly [string, number])[], merges: number): string[] {
  const counted = words.map(([word, count]) => ({ tokens: Array.from(word), count }));
  const known = [...new Set(words.flatMap(([word]) => [...word]))].sort();
  const learned: string[] = [];
  while (learned.length < merges) {
    const pairs = new Map<string, number>();
    for (const { tokens, count } of counted) {
      for (let i = 0; i + 1 < tokens.length; i++) {
        const pair = `${tokens[i]} ${tokens[i + 1]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + count);
      }
    }
    const rank = (pair: string): number[] => pair.split(' ').map((token) => known.indexOf(token));
    const [best] = [...pairs]
      .filter(([, count]) => count >= 2)
      .sort(([a, m], [b, n]) => n - m || rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1]);
    if (best === undefined) break;
    const [left, right] = best[0].split(' ');
    learned.push(best[0]);
    if (!known.includes(left + right)) known.push(left + right);
    for (const word of counted) {
      const merged: string[] = [];
      for (let i = 0; i < word.tokens.length; i++) {
        const found = word.tokens[i] === left && word.tokens[i + 1] === right;
        merged.push(found ? left + right : word.tokens[i]);
        if (found) i++;
      }
      word.tokens = merged;
    }
  }
  return learned;
}

describe('learning byte pairs', () => {
  test('the example of Sennrich et al. 2016, with a marker at the beginning of words instead of the end', () => {
    const words = { low: 5, lower: 2, newest: 6, widest: 3 };
    const text = Object.entries(words).flatMap(([word, count]) => Array<string>(count).fill(word));
    const { config } = learnBytePairs([text.join(' ')], { vocabularySize: 256 + 11 + 5, minCount: 1 });
    assert.equal(config.characters, 'deilnorstw\u2581');
    assert.deepEqual(config.merges, ['e s', 'es t', 'l o', '\u2581 lo', '\u2581lo w']);
  });

  test('the merges equal those of a simple algorithm that counts all pairs again after each merge', () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 20; round++) {
      const words = new Map<string, number>();
      // Few letters, so that there are repeated ones (aaa), equal counts, and equal tokens from different pairs.
      for (let i = 0; i < 30; i++)
        words.set(
          `\u2581${Array.from({ length: 1 + random(9) }, () => 'abc'[random(3)]).join('')}`,
          1 + random(9),
        );
      const texts = [...words].map(([word, count]) => Array(count).fill(word.slice(1)).join(' '));
      const { merges } = learnBytePairs(texts, { vocabularySize: 10_000 }).config;
      const used = [...words];
      assert.deepEqual(merges, learnSlowly(used, merges.length + 1));
    }
  });

  test('the order of the texts makes no difference', () => {
    const texts = [
      'to be or not to be',
      'that is the question',
      'whether it is nobler',
      'in the mind to suffer',
    ];
    assert.deepEqual(
      learnBytePairs(texts.toReversed(), { vocabularySize: 300 }).config,
      learnBytePairs(texts, { vocabularySize: 300 }).config,
    );
  });

  test('rare characters do not become tokens, and vocabularySize is an upper limit', () => {
    const { config, allTokens } = learnBytePairs(['aaaa bbb cc d 好'], { vocabularySize: 256 + 4 });
    assert.equal(config.characters, 'abc\u2581');
    assert.equal(allTokens.length, 260);
    assert.equal(learnBytePairs(['aaaa bbb cc'], { vocabularySize: 258 }).config.characters, 'a\u2581');
  });

  test('learning 8000 tokens from a few megabytes takes less than 20 seconds', () => {
    let seed = 3;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    const syllables = Array.from({ length: 400 }, () =>
      Array.from({ length: 2 + random(3) }, () => 'etaoinshrdlu'[random(12)]).join(''),
    );
    const words = Array.from({ length: 20_000 }, () =>
      Array.from({ length: 1 + random(4) }, () => syllables[random(400)]).join(''),
    );
    const text = Array.from(
      { length: 300_000 },
      () => words[Math.floor(random(141 ** 2) ** 0.5 * (random(141) + 1)) % 20_000],
    );
    const start = performance.now();
    const learned = learnBytePairs([text.join(' ')], { vocabularySize: 8000 });
    const seconds = (performance.now() - start) / 1000;
    assert.equal(learned.allTokens.length, 8000);
    assert.ok(seconds < 20, `${seconds} s`);
  });

  test('rejects empty texts, a size of 256 (the byte tokens alone), and unknown options', () => {
    assert.throws(() => learnBytePairs(['']), {
      code: 'value',
      message: 'learnBytePairs needs at least one text that is not empty, got none.',
    });
    assert.throws(() => learnBytePairs(['a'], { vocabularySize: 256 }), {
      code: 'value',
      message: 'learnBytePairs: vocabularySize must be above 256, the number of byte tokens, got 256.',
    });
    assert.throws(
      () => learnBytePairs(['a'], { minFrequency: 2 } as never),
      /there is no option "minFrequency"/,
    );
  });
});

describe('applying byte pairs', () => {
  const pairs = tokenizer({
    kind: 'bytePairs',
    characters: 'abc\u2581',
    merges: ['b c', 'a b', 'ab c', 'a bc', '\u2581 a'],
  });

  test('earlier merges are applied first, at any position', () => {
    assert.deepEqual(pairs.tokens('abc'), ['\u2581', 'abc']);
    assert.deepEqual(pairs.tokens('abab bcbc'), ['\u2581', 'ab', 'ab', '\u2581', 'bc', 'bc']);
    assert.deepEqual(pairs.tokens('a'), ['\u2581a']);
  });

  test('characters that were not learned become byte tokens', () => {
    assert.deepEqual(pairs.tokens('aäc'), ['\u2581a', '<0xC3>', '<0xA4>', 'c']);
    assert.deepEqual(pairs.tokens('\u2581'), ['\u2581', '<0xE2>', '<0x96>', '<0x81>']);
    assert.equal(pairs.detokenize(['<0xE5>', '<0xA5>', '<0xBD>', 'a', '<0xE5>']), '好a\uFFFD');
  });

  test('a lone surrogate becomes U+FFFD', () => {
    assert.equal(pairs.detokenize(pairs.tokens('a\uD83Db\uDC00')), 'a\uFFFDb\uFFFD');
    assert.equal(pairs.normalize('a\uD83Db'), 'a\uFFFDb');
  });

  test('texts that look like special tokens are not encoded as special tokens', () => {
    const texts = Array<string>(50).fill('<s> <0xE4> </s> <unk>');
    const { allTokens, tokens } = learnBytePairs(texts, { vocabularySize: 400 });
    for (const token of ['<s>', '</s>', '<unk>']) assert.ok(!allTokens.includes(token), token);
    assert.ok(!tokens('<0xE4>').includes('<0xE4>'));
  });
});
