/** Tokenizers of words, found by `Intl.Segmenter` or separated by white space, and of characters. */
import { UnrollError } from '@unroll/core';
import { normalizeText } from './normalize.js';
import { escapeJoiner, JOINER, ONLY_WHITESPACE, Spacing, unescapeJoiner } from './spacing.js';
import type { NormalizeOptions, Tokenizer, WordsConfig } from './types.js';

/** Returns the ICU version of this environment, or null in browsers, which do not report it. */
export function icuVersion(): string | null {
  const { process } = globalThis as { process?: { versions?: { icu?: string } } };
  return process?.versions?.icu ?? null;
}

/** Creates a tokenizer of words and punctuation marks. `config` has been checked. */
export function words(config: Required<WordsConfig>): Tokenizer {
  const segments = segmentsOf(segmenterOf(config.locale));
  const currentIcu = icuVersion();
  const name = (version: string | null): string =>
    version === null ? 'an unknown version of ICU' : `ICU ${version}`;
  const note =
    `The tokenizer was made with ${name(config.icu)}, and this environment has ${name(currentIcu)}: some words may be split ` +
    'differently, above all in Chinese, Japanese and Thai. If the results differ from those with the original version, ' +
    'train again here.';
  return {
    kind: 'words',
    config,
    notes: config.icu === currentIcu ? [] : [note],
    normalize: (text) => normalizeText(text, config),
    tokens: (text) => splitWords(normalizeText(text, config), segments),
    detokenize: joinWords,
  };
}

/** @throws UnrollError `value` for an invalid locale, `state` if the environment has no `Intl.Segmenter` */
function segmenterOf(locale: string): Intl.Segmenter {
  if (typeof Intl.Segmenter !== 'function') {
    throw new UnrollError(
      'state',
      'The tokenizer "words" needs Intl.Segmenter, which this environment does not have. Use "characters", ' +
        '"whitespace" or byte pairs.',
    );
  }
  try {
    return new Intl.Segmenter(locale, { granularity: 'word' });
  } catch {
    throw new UnrollError(
      'value',
      `tokenizer: locale must be a language tag such as "en", got "${locale}".`,
      {
        locale,
      },
    );
  }
}

/** Splits a text into words, punctuation marks, unexpected white space and joiners (see spacing.ts). */
function splitWords(text: string, segments: Segments): string[] {
  const tokens: string[] = [];
  const spacing = new Spacing();
  let whitespace = '';
  const addWhitespace = (): void => {
    tokens.push(whitespace);
    spacing.add(whitespace);
  };
  for (const segment of segments(text)) {
    if (ONLY_WHITESPACE.test(segment)) {
      whitespace += segment;
      continue;
    }
    const token = escapeJoiner(segment);
    const expected = spacing.isExpectedBefore(token) ? ' ' : '';
    if (whitespace !== expected) {
      if (whitespace === '') tokens.push(JOINER);
      else addWhitespace();
    }
    whitespace = '';
    tokens.push(token);
    spacing.add(token);
  }
  if (whitespace !== '') addWhitespace();
  return tokens;
}

/** Joins words into a text. */
function joinWords(tokens: readonly string[]): string {
  let text = '';
  const spacing = new Spacing();
  let joinerBefore = false;
  for (const token of tokens) {
    if (token === JOINER) {
      joinerBefore = true;
      continue;
    }
    if (!joinerBefore && !ONLY_WHITESPACE.test(token) && spacing.isExpectedBefore(token)) text += ' ';
    text += unescapeJoiner(token);
    spacing.add(token);
    joinerBefore = false;
  }
  return text;
}

/** Returns words, punctuation marks and white space, which together are the text. */
type Segments = (text: string) => Iterable<string>;

const PRINTABLE_ASCII = /^[ -~]*$/;
/** Largest number of cached pieces, and largest number of characters of a cached piece. */
const CACHE_SIZE = 20_000;
const MAX_CACHED_LENGTH = 40;

/**
 * Returns a function that splits texts with the segmenter. In ASCII text, a boundary depends only on the characters
 * between the spaces around it (UAX #29), so the segments of each piece between spaces are cached: most words occur often.
 */
function segmentsOf(segmenter: Intl.Segmenter): Segments {
  const cache = new Map<string, readonly string[]>();
  const split = (text: string): string[] => {
    const found: string[] = [];
    for (const part of parts(text)) for (const { segment } of segmenter.segment(part)) found.push(segment);
    return found;
  };
  const splitCached = (piece: string): readonly string[] => {
    let found = cache.get(piece);
    if (found === undefined) {
      found = split(piece);
      if (piece.length > MAX_CACHED_LENGTH) return found;
      if (cache.size === CACHE_SIZE) cache.clear();
      cache.set(piece, found);
    }
    return found;
  };
  return (text) =>
    PRINTABLE_ASCII.test(text) ? (text.match(/ +|[^ ]+/g) ?? []).flatMap(splitCached) : split(text);
}

/**
 * The time of `Intl.Segmenter` in V8 grows with the square of the length: a novel takes more than ten minutes. Parts of
 * 256 to 512 code units are the fastest, for English and Chinese.
 */
const PART_LENGTH = 512;

/**
 * Yields the parts of a text that are segmented separately: pieces of at most {@link PART_LENGTH} code units. They begin at
 * white space or an ideographic punctuation mark, where there is always a word boundary. Only a longer run without such a
 * character is cut elsewhere.
 */
function* parts(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > PART_LENGTH) {
    const part = text.slice(start, start + PART_LENGTH);
    const cut = Math.max(part.search(LAST_BOUNDARY), 0) || wholeCodePoints(part);
    yield text.slice(start, start + cut);
    start += cut;
  }
  if (start < text.length) yield text.slice(start);
}

/** The last space, line break or ideographic punctuation mark of a part, unless it is the first character. */
const LAST_BOUNDARY = /(?<!^)[ \t\r\n\u3000-\u3002\uFF01\uFF1F](?=[^ \t\r\n\u3000-\u3002\uFF01\uFF1F]*$)/;

/** Returns the length of a part without the first half of a surrogate pair at its end. */
const wholeCodePoints = (part: string): number =>
  /[\uD800-\uDBFF]$/.test(part) ? part.length - 1 : part.length;

/**
 * Creates a tokenizer whose tokens are runs of non-white-space characters. A single space between two runs has no token; any
 * other white space is a separate token. With `collapseWhitespace`, there are only single spaces.
 */
export function whitespace(config: Required<NormalizeOptions> & { kind: 'whitespace' }): Tokenizer {
  return {
    kind: 'whitespace',
    config,
    notes: [],
    normalize: (text) => normalizeText(text, config),
    tokens: (text) => splitAtWhitespace(normalizeText(text, config)),
    detokenize: joinWithSpaces,
  };
}

function splitAtWhitespace(text: string): string[] {
  const pieces = text.match(/\s+|\S+/g) ?? [];
  return pieces.filter((piece, i) => piece !== ' ' || i === 0 || i === pieces.length - 1);
}

function joinWithSpaces(tokens: readonly string[]): string {
  let text = '';
  let afterWord = false;
  for (const token of tokens) {
    const isWord = !ONLY_WHITESPACE.test(token);
    text += isWord && afterWord ? ` ${token}` : token;
    afterWord = isWord;
  }
  return text;
}

/**
 * Creates a tokenizer of code points. Compared with grapheme clusters, code points keep the vocabulary small: an emoji or syllable
 * of several code points needs no additional entry. They also do not depend on the Unicode version of the environment.
 */
export function characters(config: Required<NormalizeOptions> & { kind: 'characters' }): Tokenizer {
  return {
    kind: 'characters',
    config,
    notes: [],
    normalize: (text) => normalizeText(text, config),
    tokens: (text) => Array.from(normalizeText(text, config)),
    detokenize: (tokens) => tokens.join(''),
  };
}
