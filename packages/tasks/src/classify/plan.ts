/**
 * Plans the training of a classifier: reads the examples, cuts a validation split, and chooses the tokenizer, the vocabulary, the
 * length of sequences, class weights and the training options that are not set.
 */
import { RandomStream, UnrollError } from '@unroll/core';
import {
  buildVocabulary,
  column,
  defaultTokenizer,
  type LengthSummary,
  summarizeLengths,
  type Table,
  type Tokenizer,
  tokenizer,
  type Vocabulary,
} from '@unroll/data';
import { cellError } from '../shared/cells.js';
import type { ClassifyOptions } from './classify.js';
import { contentTokens, type EncodedTexts, SPECIALS, TokenEncoder } from './encoder.js';
import { classesOf, type Examples, readExamples } from './examples.js';
import type { ClassifierSizes } from './network.js';

/** Share of the rows that are cut off for validation. */
const VALIDATION_SHARE = 0.1;
/** Maximum number of tokens per text. */
const MAX_LENGTH = 400;
/** Maximum size of the vocabulary. */
const MAX_VOCABULARY = 50_000;
/** Below this number of training tokens, five networks are trained; below `MANY_TOKENS`, three; otherwise one. */
const FEW_TOKENS = 500_000;
const MANY_TOKENS = 2_000_000;
/** In a vocabulary above this size, tokens that occur once are left out. */
const SMALL_VOCABULARY = 2000;
/** Classes are weighted if the largest has more than this many times the examples of the smallest. */
const UNBALANCED = 2;
const MAX_WEIGHT = 10;

export interface TrainingSettings {
  epochs: number;
  batchSize: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  /** Number of networks, whose probabilities are averaged. */
  networks: number;
  seed: number;
}

/** Everything that is decided before the training. */
export interface PreparedClassifier {
  source: string;
  /** Names of the columns. */
  columns: { text: string; label: string };
  labels: readonly string[];
  encoder: TokenEncoder;
  training: EncodedTexts;
  validation: EncodedTexts;
  validationTexts: readonly string[];
  /** Name of the validation file; null if the validation rows were cut from the training rows. */
  validationSource: string | null;
  /** Lengths of the training texts in tokens, before they are cut. */
  lengths: LengthSummary;
  /** Lengths by text, for the report. */
  tokenCounts: Uint32Array;
  /** Number of training texts that are cut. */
  cutTexts: number;
  /** Weight of each class; null if they are balanced. */
  classWeights: number[] | null;
  /** Share of the tokens of the validation texts that are in the vocabulary. */
  coverage: number;
  sizes: ClassifierSizes;
  settings: TrainingSettings;
}

/**
 * Reads the tables and plans the training.
 * @throws UnrollError `data` for empty texts or labels, fewer than two labels, and a label with a single text
 */
export function prepare(table: Table, options: ClassifyOptions): PreparedClassifier {
  const { text, label, seed = 0, validation } = options;
  const examples = readExamples(table, text, label);
  const labels = labelsOf(table, examples, label);
  const classes = classesOf(table, label, examples.labels, labels);
  const given = validation && readExamples(validation, text, label);
  const givenClasses = validation && given && classesOf(validation, label, given.labels, labels);
  const all = Array.from(classes.keys());
  const split = given ? { training: all, validation: [] } : stratifiedSplit(classes, labels.length, seed);
  const textsAt = (rows: readonly number[]) => rows.map((row) => examples.texts[row]);
  const trainingTexts = textsAt(split.training);
  const validationTexts = given?.texts ?? textsAt(split.validation);
  const splitter = tokenizerFor(trainingTexts, options.lowercase ?? false);
  const tokens = trainingTexts.map((each) => contentTokens(splitter, each));
  const validationTokens = validationTexts.map((each) => contentTokens(splitter, each));
  const tokenCounts = Uint32Array.from(tokens, ({ length }) => length);
  const lengths = summarizeLengths(tokenCounts);
  const length = Math.max(1, Math.min(MAX_LENGTH, lengths.percentiles[99]));
  const vocabulary = vocabularyOf(tokens);
  const encoder = new TokenEncoder(splitter, vocabulary, length);
  const encode = (lists: readonly string[][]) => lists.map((each) => encoder.encodeTokens(each));
  const trainingClasses = Int32Array.from(split.training, (row) => classes[row]);
  return {
    source: table.source,
    columns: { text, label },
    labels,
    encoder,
    training: { ids: encode(tokens), classes: trainingClasses },
    validation: {
      ids: encode(validationTokens),
      classes: givenClasses ?? Int32Array.from(split.validation, (row) => classes[row]),
    },
    validationTexts,
    validationSource: validation?.source ?? null,
    lengths,
    tokenCounts,
    cutTexts: tokenCounts.reduce((count, each) => count + Number(each > length), 0),
    classWeights: weightsFor(trainingClasses, labels.length),
    coverage: vocabulary.coverage(validationTokens).tokens,
    sizes: sizesOf(options),
    settings: settingsOf(options, trainingTexts.length, lengths.mean * lengths.count),
  };
}

/** Returns the distinct labels, sorted; numbers by value. @throws UnrollError `data` */
function labelsOf(table: Table, { source, labels }: Examples, name: string): string[] {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  if (counts.size < 2) {
    throw new UnrollError(
      'data',
      `${source}: column "${name}" must have at least two labels, got only "${labels[0]}" in all ${labels.length} rows. ` +
        'Add rows with other labels.',
      { source, column: name },
    );
  }
  const single = [...counts].find(([, count]) => count === 1)?.[0];
  if (single !== undefined) {
    const position = column(table, name);
    const problem = `label "${single}" has only this row, but at least 2 are needed: one for training, one for validation. Add rows with this label, or remove the row.`;
    throw cellError(table, labels.indexOf(single), position, problem);
  }
  const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
  const numeric = [...counts.keys()].every((label) => label !== '' && Number.isFinite(Number(label)));
  return [...counts.keys()].sort((a, b) => (numeric && Number(a) - Number(b)) || compare(a, b));
}

/** Splits the rows so that each class has the same share of validation rows, and at least one. Keeps the order of rows. */
function stratifiedSplit(classes: Int32Array, count: number, seed: number) {
  const random = new RandomStream(seed, 'classify', 'split');
  const validation = new Set<number>();
  for (let k = 0; k < count; k++) {
    const rows = Array.from(classes.keys()).filter((row) => classes[row] === k);
    const size = Math.max(1, Math.round(rows.length * VALIDATION_SHARE));
    for (const i of random.permutation(rows.length).slice(0, size)) validation.add(rows[i]);
  }
  const all = Array.from(classes.keys());
  return {
    training: all.filter((row) => !validation.has(row)),
    validation: [...validation].sort((a, b) => a - b),
  };
}

function tokenizerFor(texts: readonly string[], lowercase: boolean): Tokenizer {
  const hasLetters = texts.some((text) => /\p{L}/u.test(text));
  const { config } = hasLetters ? defaultTokenizer(texts) : tokenizer({ kind: 'whitespace' });
  return lowercase ? tokenizer({ ...config, lowercase }) : tokenizer(config);
}

/**
 * Builds the vocabulary. In a large one, tokens that occur once are left out: they teach the network little about themselves,
 * but as `<unk>` they teach it what an unknown word is like.
 */
function vocabularyOf(tokens: readonly string[][]): Vocabulary {
  const all = buildVocabulary(tokens, { maxSize: MAX_VOCABULARY, specials: SPECIALS });
  if (all.size <= SMALL_VOCABULARY) return all;
  return buildVocabulary(tokens, { maxSize: MAX_VOCABULARY, specials: SPECIALS, minCount: 2 });
}

/** Returns the weights N / (K N_k), as `balanced` of scikit-learn, at most 10; null if the classes are balanced. */
function weightsFor(classes: Int32Array, count: number): number[] | null {
  const counts = Array<number>(count).fill(0);
  for (const id of classes) counts[id]++;
  if (Math.max(...counts) <= UNBALANCED * Math.min(...counts)) return null;
  return counts.map((each) => Number(Math.min(MAX_WEIGHT, classes.length / (count * each)).toFixed(4)));
}

const sizesOf = (options: ClassifyOptions): ClassifierSizes => ({
  cell: options.cell ?? 'lstm',
  units: options.units ?? 64,
  layers: options.layers ?? 1,
  embedding: options.embedding ?? 100,
  dropout: options.dropout ?? 0.5,
});

/** @param texts number of training texts @param tokens their number of tokens */
function settingsOf(options: ClassifyOptions, texts: number, tokens: number): TrainingSettings {
  const batchSize = texts < 400 ? 8 : texts < 4000 ? 16 : texts < 40_000 ? 32 : 64;
  return {
    epochs: options.epochs ?? 30,
    batchSize: options.batchSize ?? batchSize,
    learningRate: options.learningRate ?? 1e-3,
    patience: 3,
    networks: options.networks ?? (tokens < FEW_TOKENS ? 5 : tokens < MANY_TOKENS ? 3 : 1),
    seed: options.seed ?? 0,
  };
}
