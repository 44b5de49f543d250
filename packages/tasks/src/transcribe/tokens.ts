/** The tokens of transcripts: characters or words. Id 0 is the blank of CTC. */
import { UnrollError } from '@unroll/core';

export type TranscriptLevel = 'characters' | 'words';

/** The id of the blank. */
export const BLANK = 0;

/** The part of pipeline.json about the transcripts. */
export interface TokensConfig {
  level: TranscriptLevel;
  /** The tokens; the id of a token is its index + 1. */
  tokens: readonly string[];
  lowercase: boolean;
  /** The words of the training transcripts, most frequent first. */
  words: readonly string[];
}

/** Largest number of stored words. */
const MAX_WORDS = 100_000;

export class TranscriptTokens {
  readonly config: TokensConfig;
  readonly #ids: ReadonlyMap<string, number>;

  constructor(config: TokensConfig) {
    this.config = config;
    this.#ids = new Map(config.tokens.map((token, i) => [token, i + 1]));
  }

  /** Returns the tokens of the training transcripts. @param texts normalised by `normalizeTranscript` */
  static fit(texts: readonly string[], level: TranscriptLevel, lowercase: boolean): TranscriptTokens {
    const counts = countsOf(texts.flatMap(wordsOf));
    const words = [...counts.keys()].slice(0, MAX_WORDS);
    const tokens =
      level === 'words' ? [...words].sort() : [...new Set(texts.flatMap((text) => [...text]))].sort();
    return new TranscriptTokens({ level, tokens, lowercase, words });
  }

  /** Number of outputs of the network: the tokens and the blank. */
  get classes(): number {
    return this.config.tokens.length + 1;
  }

  /** Returns the ids of the known tokens of a transcript, and the number of unknown tokens. */
  encode(text: string): { ids: Int32Array; unknown: number } {
    const parts = this.config.level === 'words' ? wordsOf(text) : [...text];
    const ids = parts.map((part) => this.#ids.get(part) ?? BLANK);
    const known = ids.filter((id) => id !== BLANK);
    return { ids: Int32Array.from(known), unknown: ids.length - known.length };
  }

  /** Returns the text of ids. */
  decode(ids: ArrayLike<number>): string {
    const { level, tokens } = this.config;
    return Array.from(ids, (id) => tokens[id - 1])
      .join(level === 'words' ? ' ' : '')
      .trim();
  }

  /** Returns the tokens of ids, joined without separators. */
  spell(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.config.tokens[id - 1]).join('');
  }

  /** Returns the words of a transcript, each with the range of its ids. */
  wordsOf(ids: ArrayLike<number>): { word: string; from: number; to: number }[] {
    const { level, tokens } = this.config;
    const texts = Array.from(ids, (id) => tokens[id - 1]);
    if (level === 'words') return texts.map((word, i) => ({ word, from: i, to: i + 1 }));
    const words: { word: string; from: number; to: number }[] = [];
    let start = 0;
    for (let i = 0; i <= texts.length; i++) {
      if (i < texts.length && texts[i] !== ' ') continue;
      if (i > start) words.push({ word: texts.slice(start, i).join(''), from: start, to: i });
      start = i + 1;
    }
    return words;
  }
}

/** Returns a transcript in NFC with single spaces, and optionally in lower case. */
export function normalizeTranscript(text: string, lowercase: boolean): string {
  const collapsed = text.normalize('NFC').replace(/\s+/gu, ' ').trim();
  return lowercase ? collapsed.toLowerCase() : collapsed;
}

const wordsOf = (text: string): string[] => text.split(' ').filter((word) => word !== '');

/** Returns the number of occurrences of each value, the most frequent first. */
export function countsOf(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].sort((a, b) => b[1] - a[1]));
}

/** A vocabulary is small if it has at most FEW_WORDS words, which occur at least MIN_MEAN_COUNT times on average. */
const FEW_WORDS = 100;
const MIN_MEAN_COUNT = 20;

/**
 * Returns the level for transcripts: words for a small vocabulary in which each word is frequent, such as digits and commands;
 * otherwise characters.
 * @throws UnrollError `data` if there are no words
 */
export function levelOf(texts: readonly string[]): TranscriptLevel {
  const words = texts.flatMap(wordsOf);
  if (words.length === 0) throw new UnrollError('data', 'The transcripts are empty.');
  const { size } = countsOf(words);
  return size <= FEW_WORDS && words.length >= MIN_MEAN_COUNT * size ? 'words' : 'characters';
}

/** Returns the smallest number of steps of an alignment: one per label, and one per blank between equal neighbours. */
export function stepsNeeded(ids: ArrayLike<number>): number {
  let needed = ids.length;
  for (let i = 1; i < ids.length; i++) if (ids[i] === ids[i - 1]) needed++;
  return needed;
}
