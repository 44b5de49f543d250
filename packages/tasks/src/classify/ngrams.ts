/**
 * The n-gram model of a classifier of texts. The logit of a label is the mean of the weights that the n-grams of the text have for
 * this label; an n-gram that occurs twice counts once. There are n-grams of tokens and, if the tokens are words, of the characters
 * of each word (Joulin et al. 2017, fastText; Wang & Manning 2012). N-grams have no vocabulary: a hash chooses the row of the table
 * of weights (Weinberger et al. 2009). From small data sets, this model learns more than recurrent layers: word order does not
 * matter beyond the n-gram, and the characters of an unknown word hint at its meaning. The initial weights are those of naive
 * Bayes; training improves them.
 */
import { type Tensor, tensor } from '@unroll/core';
import type { TokenizerKind } from '@unroll/data';
import { embedding, type Functional, globalAveragePooling1d, input, model } from '@unroll/nn';

/** What a saved model stores to read n-grams. */
export interface NGramConfig {
  /** Longest n-gram of tokens. */
  tokens: number;
  /** Shortest and longest n-gram of characters; a space is added before and after each word. Null: none. */
  characters: readonly [shortest: number, longest: number] | null;
  /** Number of rows of the table. Row 0 is for padding. */
  buckets: number;
}

/** Maximum size of the table, in rows and in weights. */
const MAX_BUCKETS = 2 ** 18;
const MAX_WEIGHTS = 2 ** 22;
/** Maximum number of rows per training token. With this many rows, few n-grams share a row. */
const BUCKETS_PER_TOKEN = 32;
/** With more labels, there is no n-gram model: its table would be too large or have too few rows. */
export const MAX_NGRAM_LABELS = 500;

/**
 * Chooses the lengths of n-grams and the size of the table. If tokens are words, there are also n-grams of characters. If tokens are
 * characters, their n-grams are longer.
 */
export function chooseNGrams(
  tokenizer: TokenizerKind,
  { tokens, labels }: { tokens: number; labels: number },
): NGramConfig {
  const maxBuckets = Math.min(MAX_BUCKETS, MAX_WEIGHTS / labels, BUCKETS_PER_TOKEN * Math.max(1, tokens));
  const buckets = 2 ** Math.floor(Math.log2(maxBuckets));
  if (tokenizer === 'characters') return { tokens: 3, characters: null, buckets };
  return { tokens: 2, characters: tokenizer === 'words' ? [2, 5] : null, buckets };
}

/** Returns a description of the n-grams. */
export function ngramText({ tokens, characters, buckets }: NGramConfig): string {
  const kinds = characters === null ? '' : ` and of ${characters.join(' to ')} characters`;
  return `n-grams of 1 to ${tokens} tokens${kinds}, in a table of ${buckets} rows`;
}

/** Initial values of the hashes (FNV-1a). Because they differ, the word "a" and the character "a" have different hashes. */
const TOKENS = 0x811c9dc5;
const CHARACTERS = 0x2f4a7c15;
const SPACE = 32;

const hashStep = (hash: number, code: number): number => Math.imul(hash ^ code, 0x01000193);

/** Mixes the bits of a hash (the finaliser of MurmurHash3), because similar n-grams have similar hashes. */
function mixBits(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Returns the table rows (from 1 to `buckets` - 1) of the n-grams of a text, without duplicates; at least one row. */
export function ngramsOf(
  tokens: readonly string[],
  { tokens: longest, characters, buckets }: NGramConfig,
): Int32Array {
  const rows = new Set<number>();
  const add = (hash: number) => rows.add(1 + (mixBits(hash) % (buckets - 1)));
  for (let start = 0; start < tokens.length; start++) {
    let hash = TOKENS;
    for (let end = start; end < Math.min(start + longest, tokens.length); end++) {
      const token = tokens[end];
      for (let i = 0; i < token.length; i++) hash = hashStep(hash, token.charCodeAt(i));
      add(hash);
      hash = hashStep(hash, SPACE);
    }
    if (characters !== null) addCharacters(` ${tokens[start]} `, characters, add);
  }
  if (rows.size === 0) add(TOKENS);
  return Int32Array.from(rows);
}

/** Adds the hashes of the n-grams of the characters (UTF-16 code units) of a word. */
function addCharacters(
  word: string,
  [shortest, longest]: readonly [number, number],
  add: (hash: number) => void,
): void {
  for (let start = 0; start < word.length; start++) {
    let hash = CHARACTERS;
    for (let end = start; end < Math.min(start + longest, word.length); end++) {
      hash = hashStep(hash, word.charCodeAt(end));
      if (end - start + 1 >= shortest) add(hash);
    }
  }
}

/** Returns the padded table rows [B, M] of the n-grams of texts, each given as its tokens. */
export function ngramBatch(texts: readonly (readonly string[])[], config: NGramConfig): Tensor {
  const lists = texts.map((tokens) => ngramsOf(tokens, config));
  const width = lists.reduce((most, { length }) => Math.max(most, length), 1);
  const rows = new Float32Array(lists.length * width);
  for (const [i, list] of lists.entries()) rows.set(list, i * width);
  return tensor(rows, [lists.length, width]);
}

/**
 * Maximum number of values in the vectors of a batch [texts, n-grams, labels], which the model averages. More values would need
 * too much memory. A single text cannot exceed the maximum, because the whole table has fewer weights.
 */
const MAX_BATCH_VALUES = 2 ** 24;

/** Returns an upper bound on the number of n-grams of a text, without computing them. */
function maxNGrams(
  tokens: readonly string[],
  { tokens: longestTokens, characters, buckets }: NGramConfig,
): number {
  const [shortest, longest] = characters ?? [1, 0];
  let count = longestTokens * tokens.length;
  for (const { length } of tokens)
    for (let n = shortest; n <= Math.min(longest, length + 2); n++) count += length + 3 - n;
  return Math.max(1, Math.min(buckets - 1, count));
}

/** Returns the largest batch size with which every batch of these texts fits into memory. */
export function ngramBatchSize(
  texts: readonly (readonly string[])[],
  config: NGramConfig,
  labels: number,
): number {
  const width = texts.reduce((most, tokens) => Math.max(most, maxNGrams(tokens, config)), 1);
  return Math.max(1, Math.floor(MAX_BATCH_VALUES / (width * labels)));
}

/** Splits the rows of a batch into batches that fit into memory. @param tokensOf returns the tokens of a row */
export function ngramParts(
  rows: Uint32Array,
  tokensOf: (row: number) => readonly string[],
  config: NGramConfig,
  labels: number,
): Uint32Array[] {
  const parts: Uint32Array[] = [];
  let [start, width] = [0, 0];
  for (const [i, row] of rows.entries()) {
    const rowWidth = maxNGrams(tokensOf(row), config);
    width = Math.max(width, rowWidth);
    if (i === start || (i + 1 - start) * width * labels <= MAX_BATCH_VALUES) continue;
    parts.push(rows.subarray(start, i));
    [start, width] = [i, rowWidth];
  }
  return [...parts, rows.subarray(start)];
}

/** Texts as tokens, with the classes of each. */
export interface LabelledTokens {
  tokens: readonly (readonly string[])[];
  classes: readonly Int32Array[];
}

/** Name of the layer with the weights. */
export const NGRAM_TABLE = 'ngram_weights';

/** Returns the n-gram model, which maps table rows [N, M] (0 is padding) to logits [N, labels]. @param weights [buckets, labels] */
export function ngramNetwork(
  { buckets }: NGramConfig,
  { labels, weights, seed }: { labels: number; weights: Float32Array; seed: number },
): Functional {
  const rows = input({ shape: [null], name: 'ngrams' });
  const vectors = embedding({
    ...{ inputDim: buckets, outputDim: labels, maskZero: true, name: NGRAM_TABLE },
    weights: tensor(weights, [buckets, labels]),
  }).apply(rows);
  const outputs = globalAveragePooling1d({ name: 'ngram_logits' }).apply(vectors);
  const network = model({ inputs: rows, outputs, seed });
  network.build([[-1, -1]]);
  return network;
}

/** Candidates for the factor by which the weights of naive Bayes are multiplied. */
const SCALES = Array.from({ length: 17 }, (_, i) => 2 ** (i / 2));

export interface NaiveBayesOptions {
  labels: number;
  /** Whether a text may have several labels. */
  isMultiLabel: boolean;
  /** Weight of each class in the loss; null if there are none. With weights, all labels are assumed to be equally frequent. */
  classWeights: readonly number[] | null;
}

/**
 * Returns the weights of naive Bayes [buckets, labels]: logarithms of the frequency of each n-gram in the texts of a label,
 * relative to the geometric mean of this frequency over the labels or, if a text may have several labels, to the frequency in the
 * texts without the label. N-grams are not independent, so these logarithms are multiplied by a factor: the element of `SCALES`
 * that gives the lowest validation loss. The log prior of the label is added.
 */
export function naiveBayes(
  training: LabelledTokens,
  validation: LabelledTokens,
  config: NGramConfig,
  options: NaiveBayesOptions,
): Float32Array {
  const { labels } = options;
  const { ratios, offsets } = logRatios(training, config, options);
  const pooled = validation.tokens.map((tokens) => {
    const rows = ngramsOf(tokens, config);
    const sums = new Float64Array(labels);
    for (const row of rows) for (let k = 0; k < labels; k++) sums[k] += ratios[row * labels + k];
    return sums.map((sum) => sum / rows.length);
  });
  const lossAt = (scale: number): number =>
    pooled.reduce(
      (sum, values, i) =>
        sum +
        lossOf(
          values.map((value, k) => scale * value + offsets[k]),
          validation.classes[i],
          options,
        ),
      0,
    );
  const losses = SCALES.map(lossAt);
  const scale = SCALES[losses.indexOf(Math.min(...losses))];
  // The logit is the mean over the rows of a text, so an offset added to all rows is added to the logit.
  return ratios.map((ratio, i) => scale * ratio + offsets[i % labels]);
}

/**
 * Returns the logarithms of the relative frequencies [buckets, labels], and the log prior of each label [labels]: its log odds if a
 * text may have several labels, 0 with class weights.
 */
function logRatios(
  { tokens, classes }: LabelledTokens,
  config: NGramConfig,
  { labels, isMultiLabel, classWeights }: NaiveBayesOptions,
): { ratios: Float32Array; offsets: Float64Array } {
  const { buckets } = config;
  const counts = new Float32Array(buckets * labels);
  const rowCounts = new Float32Array(buckets);
  const textCounts = new Float64Array(labels);
  for (const [i, textTokens] of tokens.entries()) {
    const rows = ngramsOf(textTokens, config);
    for (const row of rows) rowCounts[row]++;
    for (const k of classes[i]) {
      textCounts[k]++;
      for (const row of rows) counts[row * labels + k]++;
    }
  }
  const totals = new Float64Array(labels);
  for (let i = 0; i < counts.length; i++) totals[i % labels] += counts[i] + 1;
  const total = rowCounts.reduce((sum, count) => sum + count + 1, 0);
  const ratios = new Float32Array(buckets * labels);
  const logs = new Float64Array(labels);
  for (let row = 1; row < buckets; row++) {
    if (rowCounts[row] === 0) continue;
    for (let k = 0; k < labels; k++) {
      const count = counts[row * labels + k];
      logs[k] = Math.log((count + 1) / totals[k]);
      if (isMultiLabel) logs[k] -= Math.log((rowCounts[row] - count + 1) / (total - totals[k] + buckets));
    }
    const mean = isMultiLabel ? 0 : logs.reduce((sum, log) => sum + log, 0) / labels;
    for (let k = 0; k < labels; k++) ratios[row * labels + k] = logs[k] - mean;
  }
  const offsets = textCounts.map((count) =>
    isMultiLabel
      ? Math.log((count + 1) / (tokens.length - count + 1))
      : classWeights !== null
        ? 0
        : Math.log((count + 1) / (tokens.length + labels)),
  );
  return { ratios, offsets };
}

/** Returns the cross-entropy of the logits of a text; with one label per text, times the weight of its class. */
function lossOf(
  logits: Float64Array,
  classes: Int32Array,
  { isMultiLabel, classWeights }: NaiveBayesOptions,
): number {
  if (isMultiLabel) {
    const actual = new Set(classes);
    return logits.reduce((sum, logit, k) => sum + softplus(actual.has(k) ? -logit : logit), 0);
  }
  const largest = Math.max(...logits);
  const logTotal = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return (classWeights?.[classes[0]] ?? 1) * (logTotal - logits[classes[0]]);
}

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
