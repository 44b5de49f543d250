/**
 * Plans the training of a translator: reads the pairs, splits off a validation set, and chooses the tokens, the vocabularies, the
 * largest lengths and the training options that are not set.
 */
import { RandomStream, UnrollError, valueError } from '@unroll/core';
import {
  buildVocabulary,
  type LengthSummary,
  learnBytePairs,
  summarizeLengths,
  type Tokenizer,
  tokenizer,
} from '@unroll/data';
import { type EncodedPairs, SideEncoder, SPECIALS, targetIds } from './encoder.js';
import type { TranslatorSizes } from './network.js';
import { type PairColumns, type PairData, type Pairs, readPairs } from './pairs.js';
import type { TranslateOptions } from './translate.js';

/** Share of the pairs in the validation set, and the largest number of pairs in it. */
const VALIDATION_SHARE = 0.1;
const MAX_VALIDATION = 2000;
/** Source texts are cut to this number of tokens, and target texts to at most this number. */
const MAX_LENGTH = 400;
/** Limits of the default size of a vocabulary of subwords, and the number of training words per subword. */
const MIN_SUBWORDS = 1000;
const MAX_SUBWORDS = 8000;
const WORDS_PER_SUBWORD = 80;
/** Default limit of a vocabulary of words or characters. */
const MAX_VOCABULARY = 20_000;
/** A vocabulary of words that would be larger than this leaves out words that occur once. */
const SMALL_VOCABULARY = 2000;
/** Largest number of logits of a batch, which limits memory: batches of long targets are smaller. */
const MAX_LOGITS = 2 ** 26;

/** What a text is split into. */
export type TokenLevel = 'subwords' | 'words' | 'characters';

export interface TrainingSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  seed: number;
}

/** Lengths of the texts of one side (source or target) in tokens, before they are cut. */
export interface SideLengths extends LengthSummary {
  /** Number of training texts that are cut. */
  cut: number;
}

/** Everything that is decided before the training. */
export interface PreparedTranslator {
  /** Name of the training file, or of both files. */
  origin: string;
  /** Names of the columns; null for parallel files. */
  columns: PairColumns | null;
  level: TokenLevel;
  lowercase: boolean;
  source: SideEncoder;
  target: SideEncoder;
  training: EncodedPairs;
  validation: EncodedPairs;
  validationPairs: Pairs;
  /** Name of the validation file; null if the validation pairs were split off from the training data. */
  validationOrigin: string | null;
  lengths: { source: SideLengths; target: SideLengths };
  sizes: TranslatorSizes;
  settings: TrainingSettings;
}

/**
 * Reads the pairs and plans the training.
 * @throws UnrollError `data` for empty texts, files of different lengths, and fewer than two pairs
 */
export function prepare(data: PairData, options: TranslateOptions): PreparedTranslator {
  const { level = 'subwords', lowercase = false, seed = 0, vocabulary = null } = options;
  const columns = 'table' in data ? { source: options.source ?? '', target: options.target ?? '' } : null;
  const all = readPairs(data, columns);
  const validationFilePairs = options.validation && readPairs(options.validation, columns);
  const split = validationFilePairs
    ? { training: all, validation: validationFilePairs }
    : splitPairs(all, seed);
  const training = { source: split.training.source, target: split.training.target };
  const sides = {
    source: fitSide(training.source, { level, lowercase, vocabulary }, () => MAX_LENGTH),
    target: fitSide(training.target, { level, lowercase, vocabulary }, maxTargetLength),
  };
  const { source, target } = { source: sides.source.encoder, target: sides.target.encoder };
  const { validation } = split;
  return {
    origin: all.origin,
    ...{ columns, level, lowercase, source, target },
    training: {
      source: sides.source.tokens.map((tokens) => source.vocabulary.encode(tokens.slice(0, source.length))),
      target: sides.target.tokens.map((tokens) => targetIds(target, tokens)),
    },
    validation: {
      source: validation.source.map((text) => source.read(text).ids),
      target: validation.target.map((text) => targetIds(target, target.tokenizer.tokens(text))),
    },
    validationPairs: validation,
    validationOrigin: validationFilePairs?.origin ?? null,
    lengths: { source: sides.source.lengths, target: sides.target.lengths },
    sizes: sizesOf(options),
    settings: settingsOf(options, training.source.length, sides.target.lengths, target.vocabulary.size),
  };
}

/** Draws a tenth of the pairs for validation. @throws UnrollError `data` for fewer than two pairs */
function splitPairs(
  { origin, source, target }: Pairs,
  seed: number,
): Record<'training' | 'validation', Pairs> {
  const count = source.length;
  if (count < 2) {
    throw new UnrollError(
      'data',
      `${origin}: at least 2 pairs are needed, one for training and one for validation, got ${count}.`,
    );
  }
  const size = Math.min(MAX_VALIDATION, Math.max(1, Math.round(count * VALIDATION_SHARE)));
  const chosen = new Set(new RandomStream(seed, 'translate', 'split').permutation(count).slice(0, size));
  const select = (isChosen: boolean): Pairs => {
    const keep = (_: string, row: number): boolean => chosen.has(row) === isChosen;
    return { origin, source: source.filter(keep), target: target.filter(keep) };
  };
  return { training: select(false), validation: select(true) };
}

export interface SideOptions {
  level: TokenLevel;
  lowercase: boolean;
  /** Size of the vocabulary; null: the default. */
  vocabulary: number | null;
}

/** Returns the maximum number of tokens of a generated target. @param longest length of the longest training target */
export const maxTargetLength = (longest: number): number =>
  Math.min(MAX_LENGTH, Math.ceil(1.5 * longest) + 10);

/**
 * Learns the tokens of the texts of one side. Returns the encoder, the tokens of each text, and the lengths.
 * @param limit returns the number of tokens to which texts are cut, given the length of the longest text
 */
export function fitSide(texts: readonly string[], options: SideOptions, limit: (longest: number) => number) {
  const splitter = tokenizerOf(texts, options);
  const tokens = texts.map((text) => splitter.tokens(text));
  const counts = Uint32Array.from(tokens, ({ length }) => length);
  const summary = summarizeLengths(counts);
  const length = limit(summary.longest);
  const cut = counts.reduce((sum, count) => sum + Number(count > length), 0);
  const encoder = new SideEncoder(splitter, vocabularyOf(tokens, splitter, options), length);
  return { encoder, tokens, lengths: { ...summary, cut } };
}

/** Smallest vocabulary of subwords: one token more than the 256 bytes. */
const SMALLEST_SUBWORDS = 257;

function tokenizerOf(texts: readonly string[], { level, lowercase, vocabulary }: SideOptions): Tokenizer {
  const common = { lowercase, collapseWhitespace: true, normalize: 'NFC' } as const;
  if (level === 'words') return tokenizer({ kind: 'words', ...common });
  if (level === 'characters') return tokenizer({ kind: 'characters', ...common });
  if (vocabulary !== null && vocabulary < SMALLEST_SUBWORDS)
    throw valueError(
      `vocabulary must be at least ${SMALLEST_SUBWORDS} for subwords, got ${vocabulary} (command line: --vocabulary).`,
      { vocabulary },
    );
  const words = texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0);
  const size = 500 * Math.round(words / WORDS_PER_SUBWORD / 500);
  const defaultSize = Math.min(MAX_SUBWORDS, Math.max(MIN_SUBWORDS, size));
  return learnBytePairs(texts, { vocabularySize: vocabulary ?? defaultSize, ...common });
}

/** Builds the vocabulary. A vocabulary of subwords has all tokens of the tokenizer, so every text can be encoded. */
function vocabularyOf(tokens: readonly string[][], splitter: Tokenizer, { level, vocabulary }: SideOptions) {
  if ('allTokens' in splitter)
    return buildVocabulary(tokens, { specials: SPECIALS, include: splitter.allTokens as string[] });
  const maxSize = (vocabulary ?? MAX_VOCABULARY) + SPECIALS.length;
  const all = buildVocabulary(tokens, { maxSize, specials: SPECIALS });
  if (level === 'characters' || all.size <= SMALL_VOCABULARY) return all;
  return buildVocabulary(tokens, { maxSize, specials: SPECIALS, minCount: 2 });
}

const sizesOf = (options: TranslateOptions): TranslatorSizes => ({
  cell: options.cell ?? 'lstm',
  units: options.units ?? 256,
  layers: options.layers ?? 1,
  embedding: options.embedding ?? 256,
  dropout: options.dropout ?? 0.3,
});

/** Returns the options for the training, with defaults for those that are not set. @param pairs number of training pairs */
function settingsOf(
  options: TranslateOptions,
  pairs: number,
  { percentiles }: LengthSummary,
  vocabulary: number,
): TrainingSettings {
  const maxBatchSize = Math.max(1, Math.floor(MAX_LOGITS / (vocabulary * percentiles[99])));
  const batchSize = pairs < 2000 ? 16 : pairs < 10_000 ? 32 : 64;
  return {
    epochs: options.epochs ?? 30,
    batchSize: options.batchSize ?? Math.min(batchSize, maxBatchSize),
    learningRate: options.learningRate ?? 2e-3,
    patience: 3,
    seed: options.seed ?? 0,
  };
}
