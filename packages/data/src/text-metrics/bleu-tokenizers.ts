/**
 * The tokenizers of BLEU, which produce the same tokens as those of sacrebleu 2.6.0. BLEU scores are comparable only if they
 * were computed with the same tokenizer, so its name is part of the signature.
 */
import { splitWords, trim } from './corpus.js';

export type BleuTokenizer = '13a' | 'zh' | 'char' | 'intl' | 'none';

const ENTITIES: readonly (readonly [string, string])[] = [
  ['&quot;', '"'],
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
];

/** Separates ASCII punctuation, except `'`, periods and commas within numbers, and hyphens that do not follow a digit. */
function separatePunctuation(text: string): string[] {
  return splitWords(
    text
      .replace(/([{-~[-` -&(-+:-@/])/gu, ' $1 ')
      .replace(/([^0-9])([.,])/gu, '$1 $2 ')
      .replace(/([.,])([^0-9])/gu, ' $1 $2')
      .replace(/([0-9])(-)/gu, '$1 $2 '),
  );
}

/** Tokenizes like mteval-v13a.pl, the script of the WMT evaluations. */
function tokenize13a(text: string): string[] {
  let line = text.replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ');
  for (const [entity, character] of ENTITIES) line = line.replaceAll(entity, character);
  return separatePunctuation(` ${line} `);
}

/**
 * The first and last code points of the characters that become separate tokens. The range from U+2001 comes from a mistake in the
 * table of sacrebleu (it means U+20000 to U+2A6D6, but Python reads U+2000 and a zero). As in sacrebleu, characters beyond U+FFFF
 * are therefore not separated, but general punctuation, arrows and other symbols are.
 */
const CHINESE: readonly (readonly [number, number])[] = [
  [0x2001, 0x2a6d],
  [0x2e80, 0x2eff],
  [0x2f00, 0x2fdf],
  [0x2ff0, 0x303f],
  [0x3100, 0x312f],
  [0x31a0, 0x31bf],
  [0x31c0, 0x31ef],
  [0x3200, 0x33ff],
  [0x3400, 0x4db5],
  [0x4e00, 0x9fbb],
  [0xf900, 0xfa2d],
  [0xfa30, 0xfa6a],
  [0xfa70, 0xfad9],
  [0xfe10, 0xfe1f],
  [0xfe30, 0xfe4f],
  [0xff00, 0xffef],
];

function isChinese(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return CHINESE.some(([first, last]) => first <= code && code <= last);
}

/** Makes each Chinese character a token, and separates punctuation in the rest. */
function tokenizeChinese(text: string): string[] {
  let separated = '';
  for (const character of trim(text)) separated += isChinese(character) ? ` ${character} ` : character;
  return separatePunctuation(separated);
}

/** Tokenizes like mteval-v14.pl with `--international-tokenization`: Unicode punctuation and symbols become tokens. */
function tokenizeInternational(text: string): string[] {
  return splitWords(
    text
      .replace(/(\P{N})(\p{P})/gu, '$1 $2 ')
      .replace(/(\p{P})(\P{N})/gu, ' $1 $2')
      .replace(/(\p{S})/gu, ' $1 '),
  );
}

export const BLEU_TOKENIZERS: Readonly<Record<BleuTokenizer, (text: string) => string[]>> = {
  '13a': tokenize13a,
  zh: tokenizeChinese,
  char: (text) => splitWords(Array.from(text).join(' ')),
  intl: tokenizeInternational,
  none: splitWords,
};
