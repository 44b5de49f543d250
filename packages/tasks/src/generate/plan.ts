/**
 * Plans the training of a language model: splits off the validation text, chooses the vocabulary, and derives the sizes and training
 * options that are not set from the number of training tokens.
 */
import { UnrollError, valueError } from '@unroll/core';
import { hasRecurrentWeights } from '../shared/recurrent-cells.js';
import type { TextFile } from '../shared/task.js';
import { codecFor, type EncodedText, type TextCodec, type TextLevel, TOKEN_NAMES } from './codec.js';
import type { LanguageModelOptions } from './generate.js';
import type { LanguageSizes } from './network.js';
import type { StreamSizes } from './streams.js';

/**
 * The validation text has about this many characters, but at least 5 % and at most 10 % of the text. A long text is cut into
 * several parts, and the validation text consists of the ends of the parts, so that the training text comes from all parts.
 */
const VALIDATION_LENGTH = 50_000;
const VALIDATION_SHARE = { min: 0.05, max: 0.1 };
/** A text of at least LONG_TEXT characters is cut into PIECES parts. */
const LONG_TEXT = 200_000;
const PIECES = 10;
/** Smallest numbers of tokens for training and for validation. */
const MIN_TOKENS = { training: 100, validation: 10 };
/** Number of training tokens in all epochs together: on a longer text, the network is trained for fewer epochs. */
const TOKEN_BUDGET = 11.5e6;

export interface TrainingSettings extends StreamSizes {
  epochs: number;
  learningRate: number;
  /** Training ends after this many epochs without an improvement. */
  patience: number;
  seed: number;
}

/** Everything that is decided before the training. */
export interface PreparedLanguageModel {
  source: string;
  codec: TextCodec;
  training: EncodedText;
  validation: EncodedText;
  /** Name of the validation file; null if the validation text was cut from the training text. */
  validationSource: string | null;
  /** Number of parts of the text from which the validation text was cut; 0 for a validation file. */
  validationPieces: number;
  sizes: LanguageSizes;
  /** True: the output layer shares the matrix of the embedding. */
  tied: boolean;
  settings: TrainingSettings;
}

/**
 * Reads the texts and plans the training.
 * @throws UnrollError `data` for a text that is too short or in which all tokens are equal, `value` for contradicting options
 */
export function prepare(file: TextFile, options: LanguageModelOptions): PreparedLanguageModel {
  const { level = 'char', lowercase = false, subwords, validation: validationFile } = options;
  if (subwords !== undefined && level !== 'subword')
    throw valueError(`The option subwords needs the level "subword", got "${level}".`);
  checkNotEmpty(file);
  if (validationFile) checkNotEmpty(validationFile);
  const split = validationFile
    ? { text: file.text, validation: validationFile.text, pieces: 0 }
    : cutValidation(file.text);
  const { text } = split;
  const codec = codecFor(text, level, { lowercase, subwords });
  const training = codec.encode(text);
  const validation = codec.encode(split.validation);
  checkLength(file.source, level, training, validation, validationFile?.source ?? null);
  const { length } = training.ids;
  if (training.ids.every((id) => id === training.ids[0])) {
    throw new UnrollError(
      'data',
      `${file.source}: all ${TOKEN_NAMES[level]} of the text are equal, so there is nothing to learn. Pass another text.`,
      { source: file.source },
    );
  }
  return {
    source: file.source,
    codec,
    training,
    validation,
    validationSource: validationFile?.source ?? null,
    validationPieces: split.pieces,
    sizes: sizesOf(options, level, length),
    tied: level !== 'char',
    settings: settingsOf(options, level, length),
  };
}

function checkNotEmpty({ source, text }: TextFile): void {
  if (text.trim() !== '') return;
  const problem = text === '' ? 'is empty' : 'contains only white space';
  throw new UnrollError('data', `${source} ${problem}. A language model needs a text.`, { source });
}

function checkLength(
  source: string,
  level: TextLevel,
  training: EncodedText,
  validation: EncodedText,
  validationSource: string | null,
): void {
  const checkMin = (name: string, what: string, length: number, min: number): void => {
    if (length >= min) return;
    throw new UnrollError(
      'data',
      `${name}: ${what} must have at least ${min} ${TOKEN_NAMES[level]}, got ${length}. Add more text.`,
      { source: name },
    );
  };
  checkMin(source, 'the text for training', training.ids.length, MIN_TOKENS.training);
  const what = validationSource === null ? 'the part of the text for validation' : 'the text';
  checkMin(validationSource ?? source, what, validation.ids.length, MIN_TOKENS.validation);
}

/** Cuts the text into parts, whose ends become the validation text. */
function cutValidation(text: string): { text: string; validation: string; pieces: number } {
  const { min, max } = VALIDATION_SHARE;
  const share = Math.min(max, Math.max(min, VALIDATION_LENGTH / text.length));
  const pieces = text.length < LONG_TEXT ? 1 : PIECES;
  const starts = Array.from({ length: pieces }, (_, i) =>
    i === 0 ? 0 : text.indexOf('\n', Math.round((i * text.length) / pieces)) + 1,
  );
  // Parts begin after line breaks. A text with too few line breaks is not cut into parts.
  const parts = starts.every((start, i) => i === 0 || start > starts[i - 1])
    ? starts.map((start, i) => text.slice(start, starts[i + 1]))
    : [text];
  const cuts = parts.map((part) => validationStart(part, share));
  return {
    text: parts.map((part, i) => part.slice(0, cuts[i])).join(''),
    validation: parts.map((part, i) => part.slice(cuts[i])).join(''),
    pieces: parts.length,
  };
}

/** Returns the index at which the validation text of a part starts: after a line break or white space if there is one nearby. */
function validationStart(text: string, share: number): number {
  const cut = Math.round(text.length * (1 - share));
  const before = text.slice(Math.floor(cut - 0.02 * text.length), cut);
  const line = before.lastIndexOf('\n');
  const boundary = line >= 0 ? line : before.search(/\s\S*$/);
  if (boundary >= 0) return cut - before.length + boundary + 1;
  const splitsPair = /[\uD800-\uDBFF]/.test(text[cut - 1] ?? '');
  return splitsPair ? cut - 1 : cut;
}

/** Returns the sizes of the network, with defaults for those that are not set. @param tokens number of training tokens */
function sizesOf(options: LanguageModelOptions, level: TextLevel, tokens: number): LanguageSizes {
  const units = options.units ?? (tokens < 50_000 ? 128 : tokens < 300_000 ? 256 : 512);
  const rates = dropoutFor(level, tokens);
  const { cell = 'lstm', weightDrop = hasRecurrentWeights(cell) ? rates.weightDrop : 0 } = options;
  if (weightDrop > 0 && !hasRecurrentWeights(cell))
    throw valueError(`weightDrop must be 0, because ${cell} has no recurrent weights, got ${weightDrop}.`);
  return {
    cell,
    units,
    layers: options.layers ?? 1,
    embedding: options.embedding ?? (level === 'char' ? 64 : Math.min(units, 256)),
    dropout: options.dropout ?? rates.dropout,
    weightDrop,
  };
}

/** Returns the dropout rates. They fall with the number of tokens, because a network memorises less of a longer text. */
function dropoutFor(level: TextLevel, tokens: number): { dropout: number; weightDrop: number } {
  const [few, many] = level === 'char' ? [2e6, 10e6] : [5e5, 5e6];
  if (tokens < few) return { dropout: 0.4, weightDrop: 0.3 };
  return tokens < many ? { dropout: 0.1, weightDrop: 0.1 } : { dropout: 0, weightDrop: 0 };
}

/** Returns the options for the training, with defaults for those that are not set. @param tokens number of training tokens */
function settingsOf(options: LanguageModelOptions, level: TextLevel, tokens: number): TrainingSettings {
  const streams = options.streams ?? Math.max(4, Math.min(32, 2 ** Math.round(Math.log2(tokens / 6000))));
  const steps = options.steps ?? (level === 'char' ? 64 : 50);
  const epochs = Math.max(4, Math.min(40, Math.round(TOKEN_BUDGET / tokens)));
  return {
    streams: Math.min(streams, Math.floor(tokens / 10)),
    steps,
    epochs: options.epochs ?? epochs,
    learningRate: options.learningRate ?? 0.003,
    patience: 4,
    seed: options.seed ?? 0,
  };
}
