/**
 * Plans the training of a tagger: finds the scheme of the tags, splits off a validation set, and chooses the vocabularies and the
 * training options that are not set.
 */
import { RandomStream, UnrollError } from '@unroll/core';
import {
  allowedTransitions,
  buildVocabulary,
  type LengthSummary,
  summarizeLengths,
  type TaggedSentence,
  type TaggedSentences,
  tokenizer,
  type Vocabulary,
} from '@unroll/data';
import type { TagConstraints } from '@unroll/nn';
import { charactersOf, type EncodedSentence, piecesOf, SPECIALS, TagEncoder, wordForm } from './encoder.js';
import type { TagGoal } from './goal.js';
import type { TaggerSizes } from './network.js';
import type { TagOptions } from './tag.js';
import {
  checkTags,
  countChanges,
  labelScheme,
  repairTags,
  schemeOf,
  type TagScheme,
  tagSet,
} from './tags.js';

/** Share of the sentences in the validation set. */
const VALIDATION_SHARE = 0.1;
/** Maximum size of the vocabulary. */
const MAX_VOCABULARY = 50_000;
/** In a vocabulary above this size, words that occur once are left out. */
const SMALL_VOCABULARY = 2000;
/** Characters that occur less often are unknown. */
const MIN_CHARACTER_COUNT = 3;
/** If more than this share of the tokens have one character, as in Chinese, the model splits texts into characters. */
const CHARACTER_SHARE = 0.9;
/** Below this number of training tokens, three networks are trained, otherwise one. */
const MANY_TOKENS = 500_000;
/** Below this number of training tokens, a network has one recurrent layer, otherwise two. */
const DEEP_TOKENS = 150_000;
/**
 * For networks that read characters: the share of the words that training replaces by the unknown word is this number times the
 * dropout rate.
 */
const WORD_DROPOUT = 0.6;
/** The same factor for networks that read no characters and therefore know nothing else about a word. */
const WORD_DROPOUT_ALONE = 0.2;

export interface TaggerSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  /** Number of networks, whose scores are averaged. */
  networks: number;
  seed: number;
}

/** Sentences, in pieces if they are long. */
export interface EncodedSentences {
  sentences: EncodedSentence[];
  /** Tag ids of each sentence. */
  tags: Int32Array[];
}

/** Everything that is decided before the training. */
export interface PreparedTagger {
  source: string;
  /** The column with the tags in the file; undefined if the sentences were not read from a file. */
  column: TaggedSentences['column'];
  goal: TagGoal;
  /** Number of sentences and of tokens in the training file, before the split. */
  counts: { sentences: number; tokens: number };
  encoder: TagEncoder;
  constraints: TagConstraints | null;
  training: EncodedSentences;
  validation: EncodedSentences;
  /** The validation sentences, and their tags as in the file. */
  validationSentences: readonly TaggedSentence[];
  /** Name of the validation file; null if the validation sentences were split off from the training file. */
  validationSource: string | null;
  /** Number of malformed tags in the training sentences that were changed. */
  repaired: number;
  /** Lengths of the training sentences in tokens. */
  lengths: LengthSummary;
  /** Share of the tokens of the validation sentences whose word is in the vocabulary. */
  coverage: number;
  sizes: TaggerSizes;
  settings: TaggerSettings;
}

/**
 * Plans the training.
 * @throws UnrollError `data` for malformed or unknown tags, fewer than two tags, and fewer than two sentences
 */
export function prepare(data: TaggedSentences, options: TagOptions): PreparedTagger {
  checkSentences(data);
  const { validation: validationFile, seed = 0 } = options;
  const scheme = options.scheme ?? schemeOf(data);
  const tags = tagSet(data, scheme);
  const goal = { tags, scheme, positive: positiveTag(data, tags, scheme, options.positive) };
  if (validationFile !== undefined) {
    checkSentences(validationFile);
    checkTags(validationFile, tags);
  }
  const split = validationFile
    ? { training: data.sentences, validation: validationFile.sentences }
    : splitSentences(data, seed);
  const trainingTokens = split.training.map(({ tokens }) => tokens);
  const encoder = encoderFor(trainingTokens, options.lowercase ?? false);
  const ids = new Map(tags.map((tag, id) => [tag, id]));
  const encode = (sentences: readonly TaggedSentence[]) => encodeAll(sentences, encoder, scheme, ids);
  const [training, validation] = [encode(split.training), encode(split.validation)];
  const lengths = summarizeLengths(trainingTokens.map(({ length }) => length));
  const tokenCount = Math.round(lengths.mean * lengths.count);
  const name = labelScheme(scheme);
  return {
    source: data.source,
    column: data.column,
    goal,
    counts: {
      sentences: data.sentences.length,
      tokens: data.sentences.reduce((sum, s) => sum + s.tokens.length, 0),
    },
    encoder,
    constraints: name && allowedTransitions(tags, name),
    training,
    validation,
    validationSentences: split.validation,
    validationSource: validationFile?.source ?? null,
    repaired: training.repaired,
    lengths,
    coverage: encoder.coverage(split.validation.map(({ tokens }) => tokens)),
    sizes: sizesOf(options, encoder.characters !== null, tokenCount),
    settings: settingsOf(options, split.training.length, tokenCount),
  };
}

/** Checks the sentences. @throws UnrollError `data` if there are none, or if a sentence is empty or a token has no tag */
function checkSentences({ source, sentences }: TaggedSentences): void {
  if (sentences.length === 0)
    throw new UnrollError('data', `${source} has no sentences. Pass sentences with a tag for each token.`, {
      source,
    });
  const wrong = sentences.findIndex(
    ({ tokens, tags }) => tokens.length === 0 || tokens.length !== tags.length,
  );
  if (wrong < 0) return;
  const { tokens, tags } = sentences[wrong];
  throw new UnrollError(
    'data',
    `${source}, sentence ${wrong + 1}: a sentence must have at least one token and one tag per token, got ` +
      `${tokens.length} tokens and ${tags.length} tags.`,
    { source, sentence: wrong + 1 },
  );
}

/**
 * Returns the positive tag: the given tag, or the rarer of exactly two tags; null if there is none.
 * @throws UnrollError `data` if the given tag does not occur
 */
function positiveTag(
  { source, sentences }: TaggedSentences,
  tags: readonly string[],
  scheme: TagScheme,
  given: string | undefined,
): string | null {
  if (scheme !== 'none') return null;
  if (given !== undefined) {
    if (tags.includes(given)) return given;
    throw new UnrollError(
      'data',
      `${source}: the positive tag "${given}" does not occur. Tags: ${tags.slice(0, 12).join(', ')}.`,
      { source },
    );
  }
  if (tags.length !== 2) return null;
  const counts = tags.map((tag) =>
    sentences.reduce(
      (sum, sentence) => sum + sentence.tags.filter((candidate) => candidate === tag).length,
      0,
    ),
  );
  return counts[1] < counts[0] ? tags[1] : tags[0];
}

/** Draws a tenth of the sentences for validation, at least one. @throws UnrollError `data` for fewer than two sentences */
function splitSentences({ source, sentences }: TaggedSentences, seed: number) {
  const { length } = sentences;
  if (length < 2) {
    throw new UnrollError(
      'data',
      `${source} has one sentence, but at least 2 are needed: one for training, one for validation. Sentences end with a blank line.`,
      { source },
    );
  }
  const random = new RandomStream(seed, 'tag', 'split');
  const size = Math.max(1, Math.round(length * VALIDATION_SHARE));
  const chosen = new Set(random.permutation(length).slice(0, size));
  return {
    training: sentences.filter((_, i) => !chosen.has(i)),
    validation: sentences.filter((_, i) => chosen.has(i)),
  };
}

function encoderFor(sentences: readonly (readonly string[])[], lowercase: boolean): TagEncoder {
  const tokens = sentences.flat();
  const singleCharacterTokens = tokens.reduce(
    (count, token) => count + Number(Array.from(token).length === 1),
    0,
  );
  const hasCharacterTokens = singleCharacterTokens > CHARACTER_SHARE * tokens.length;
  const characters = hasCharacterTokens ? null : alphabetOf(sentences, lowercase);
  const options = { lowercase, hasCharacters: characters !== null };
  const forms = sentences.map((sentence) => sentence.map((token) => wordForm(token, options)));
  return new TagEncoder({
    tokenizer: tokenizer({ kind: hasCharacterTokens ? 'characters' : 'words' }).config as never,
    words: vocabularyOf(forms).config(),
    characters: characters?.config() ?? null,
    lowercase,
  });
}

/**
 * Builds the vocabulary. A large vocabulary leaves out words that occur once: the network learns little about them, but as `<unk>`
 * they teach it how to tag unknown words.
 */
function vocabularyOf(words: readonly string[][]): Vocabulary {
  const all = buildVocabulary(words, { maxSize: MAX_VOCABULARY, specials: SPECIALS });
  if (all.size <= SMALL_VOCABULARY) return all;
  return buildVocabulary(words, { maxSize: MAX_VOCABULARY, specials: SPECIALS, minCount: 2 });
}

function alphabetOf(sentences: readonly (readonly string[])[], lowercase: boolean): Vocabulary {
  const lists = sentences.map((tokens) =>
    tokens.flatMap((token) => charactersOf(lowercase ? token.toLowerCase() : token)),
  );
  return buildVocabulary(lists, { minCount: MIN_CHARACTER_COUNT, specials: SPECIALS });
}

/** Encodes sentences, splits long sentences into pieces, and repairs malformed tags. */
function encodeAll(
  sentences: readonly TaggedSentence[],
  encoder: TagEncoder,
  scheme: TagScheme,
  ids: ReadonlyMap<string, number>,
): EncodedSentences & { repaired: number } {
  let repaired = 0;
  const [encoded, tagIds]: [EncodedSentence[], Int32Array[]] = [[], []];
  for (const { tokens, tags } of sentences) {
    repaired += countChanges(tags, repairTags(tags, scheme));
    const tagPieces = piecesOf(tags);
    for (const [i, piece] of piecesOf(tokens).entries()) {
      encoded.push(encoder.encode(piece));
      tagIds.push(Int32Array.from(repairTags(tagPieces[i], scheme), (tag) => ids.get(tag) as number));
    }
  }
  return { sentences: encoded, tags: tagIds, repaired };
}

/** Returns the sizes of a network, with defaults for those that are not set. @param tokens number of training tokens */
function sizesOf(options: TagOptions, hasCharacters: boolean, tokens: number): TaggerSizes {
  const rate = options.dropout ?? 0.5;
  return {
    cell: options.cell ?? 'lstm',
    units: options.units ?? 100,
    layers: options.layers ?? (tokens < DEEP_TOKENS ? 1 : 2),
    embedding: options.embedding ?? 100,
    characters: hasCharacters ? 25 : 0,
    dropout: rate,
    wordDropout: Number(((hasCharacters ? WORD_DROPOUT : WORD_DROPOUT_ALONE) * rate).toFixed(4)),
  };
}

/**
 * Returns the options for the training, with defaults for those that are not set.
 * @param sentences number of training sentences
 * @param tokens number of training tokens
 */
function settingsOf(options: TagOptions, sentences: number, tokens: number): TaggerSettings {
  const batchSize = sentences < 1000 ? 8 : sentences < 20_000 ? 16 : 32;
  return {
    epochs: options.epochs ?? 50,
    batchSize: options.batchSize ?? batchSize,
    learningRate: options.learningRate ?? 2e-3,
    patience: 5,
    networks: options.networks ?? (tokens < MANY_TOKENS ? 3 : 1),
    seed: options.seed ?? 0,
  };
}
