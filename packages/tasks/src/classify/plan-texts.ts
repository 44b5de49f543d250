/** Plans how a classifier reads texts: chooses the tokenizer, the vocabulary and the length. */
import { valueError } from '@unroll/core';
import {
  buildVocabulary,
  defaultTokenizer,
  type LengthSummary,
  summarizeLengths,
  type Tokenizer,
  tokenizer,
  type Vocabulary,
} from '@unroll/data';
import { contentTokens, type EncodedText, SPECIALS, TokenEncoder } from './encoder.js';
import { chooseNGrams, MAX_NGRAM_LABELS } from './ngrams.js';

/** Maximum number of tokens per text. */
const MAX_LENGTH = 400;
/** Maximum size of the vocabulary. */
const MAX_VOCABULARY = 50_000;
/** In a vocabulary above this size, tokens that occur once are left out. */
const SMALL_VOCABULARY = 2000;

/** From this number of training tokens on, there is no n-gram model, because the networks learn as much without it. */
const MANY_TOKENS = 2_000_000;

/** The encoder of texts, and the encoded texts. */
export interface TextPlan {
  encoder: TokenEncoder;
  training: EncodedText[];
  validation: EncodedText[];
  /** Lengths of the training texts in tokens, before they are cut. */
  lengths: LengthSummary;
  /** Number of training texts that are cut. */
  cut: number;
  /** Share of the tokens of the validation texts that are in the vocabulary. */
  coverage: number;
}

export interface TextPlanOptions {
  /** Whether texts are converted to lower case. */
  lowercase: boolean;
  /** Number of labels, which limits the table of the n-gram model. */
  labels: number;
  /** Whether there is an n-gram model; undefined: only if there are not too many tokens or labels. */
  ngrams: boolean | undefined;
  /** Whether a large vocabulary also contains tokens that occur once, because they may have a pretrained vector. */
  keepRare: boolean;
}

/** Chooses the encoder of the texts in the column `name`, and encodes them. */
export function planTexts(
  name: string,
  trainingTexts: readonly string[],
  validationTexts: readonly string[],
  { lowercase, labels, ngrams, keepRare }: TextPlanOptions,
): TextPlan {
  const splitter = tokenizerFor(trainingTexts, lowercase);
  const tokens = trainingTexts.map((text) => contentTokens(splitter, text));
  const validationTokens = validationTexts.map((text) => contentTokens(splitter, text));
  const counts = Uint32Array.from(tokens, ({ length }) => length);
  const lengths = summarizeLengths(counts);
  const length = Math.max(1, Math.min(MAX_LENGTH, lengths.percentiles[99]));
  const vocabulary = vocabularyOf(tokens, keepRare);
  const total = lengths.mean * lengths.count;
  const hasNGrams = decideNGrams(ngrams, { tokens: total, labels });
  const encoder = new TokenEncoder(name, {
    ...{ tokenizer: splitter, vocabulary, length },
    ngrams: hasNGrams ? chooseNGrams(splitter.kind, { tokens: total, labels }) : null,
  });
  const encode = (lists: readonly string[][]) => lists.map((list) => encoder.encodeTokens(list));
  return {
    encoder,
    training: encode(tokens),
    validation: encode(validationTokens),
    lengths,
    cut: counts.reduce((sum, count) => sum + Number(count > length), 0),
    coverage: vocabulary.coverage(validationTokens).tokens,
  };
}

/** Returns whether there is an n-gram model. @throws UnrollError `value` if it is requested for too many tokens or labels */
function decideNGrams(
  requested: boolean | undefined,
  { tokens, labels }: { tokens: number; labels: number },
): boolean {
  const problem =
    labels > MAX_NGRAM_LABELS
      ? `with more than ${MAX_NGRAM_LABELS} labels, got true with ${labels} labels`
      : tokens >= MANY_TOKENS
        ? `with ${MANY_TOKENS} training tokens or more, got true with ${Math.round(tokens)} tokens`
        : null;
  if (requested !== true || problem === null) return problem === null && requested !== false;
  throw valueError(`ngrams must be false or left out ${problem}.`, { tokens, labels });
}

function tokenizerFor(texts: readonly string[], lowercase: boolean): Tokenizer {
  const hasLetters = texts.some((text) => /\p{L}/u.test(text));
  const { config } = hasLetters ? defaultTokenizer(texts) : tokenizer({ kind: 'whitespace' });
  return lowercase ? tokenizer({ ...config, lowercase }) : tokenizer(config);
}

/**
 * Builds the vocabulary. Tokens that occur once are left out of a large vocabulary: one occurrence hardly trains the embedding of a
 * token, but all of them together train the embedding of `<unk>`.
 */
function vocabularyOf(tokens: readonly string[][], keepRare: boolean): Vocabulary {
  const full = buildVocabulary(tokens, { maxSize: MAX_VOCABULARY, specials: SPECIALS });
  if (keepRare || full.size <= SMALL_VOCABULARY) return full;
  return buildVocabulary(tokens, { maxSize: MAX_VOCABULARY, specials: SPECIALS, minCount: 2 });
}
