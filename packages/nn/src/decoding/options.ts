/** The options that greedy decoding, sampling and beam search share, and the checks of these options. */
import { type Tensor, type UnrollError, valueError } from '@unroll/core';
import { formatValue, type OptionTypes } from '@unroll/core/internal';

/** What the first output of a model contains for every token of the vocabulary. */
export type OutputKind = 'logits' | 'probabilities' | 'logProbabilities';

/** The arguments of {@link DecodingOptions.restrict}. */
export interface RestrictCall {
  /** The log-probability of each token of the vocabulary. Set an entry to -Infinity to forbid its token. */
  logProbabilities: Float64Array;
  /** The tokens so far, without the prompt. */
  tokens: readonly number[];
  /** Index of the sequence in the batch. */
  sequence: number;
}

export interface DecodingOptions {
  /**
   * The tokens before the output: a start token, a list for all sequences, or one list per sequence. The output does not
   * contain them.
   */
  prompt: number | readonly number[] | readonly (readonly number[])[];
  /** Largest number of tokens of the output. */
  maxLength: number;
  /** Smallest number of tokens before a stop token. Default 0. */
  minLength?: number;
  /** Tokens that end the output, which does not contain them. Default: none. */
  stop?: number | readonly number[];
  /** Tokens that are never chosen. Default: none. */
  banned?: readonly number[];
  /** n: no n-gram of tokens occurs twice in prompt and output. Default: n-grams may repeat. */
  noRepeatNgram?: number;
  /** Tokens with which every output begins: a list for all sequences, or one list per sequence. Default: none. */
  prefix?: readonly number[] | readonly (readonly number[])[];
  /** Changes the log-probabilities before each choice, for example to enforce a grammar. Default: none. */
  restrict?: (call: RestrictCall) => void;
  /**
   * What the first output of the model contains. Default: `probabilities` after a layer with the activation `softmax`,
   * `logProbabilities` after `logSoftmax`, otherwise `logits`.
   */
  output?: OutputKind;
  /** Converts the tokens of one step to the input of the stream's `step`. Default: a tensor of ids, [batch]. */
  encode?: (tokens: readonly number[]) => Tensor;
  /** Return the alignments, which are the second output of the model (see `attentionDecoder`). Default false. */
  alignments?: boolean;
}

export const DECODING: OptionTypes<DecodingOptions> = {
  prompt: true,
  maxLength: 'count',
  minLength: 'nonNegativeInteger',
  stop: true,
  banned: 'array',
  noRepeatNgram: 'count',
  prefix: 'array',
  restrict: 'function',
  output: ['logits', 'probabilities', 'logProbabilities'],
  encode: 'function',
  alignments: 'boolean',
};

/** The decoded tokens of one sequence. */
export interface Decoded {
  /** Without the prompt and without the stop token. */
  tokens: number[];
  /** Sum of the log-probabilities of the tokens and the stop token, under the model. */
  logProbability: number;
  /** Why the output ends: a stop token, `maxLength`, or no token was allowed. */
  reason: 'stop' | 'length' | 'blocked';
  /** With the option `alignments`: for each token, the attention weights of the steps of the memory (the encoder outputs). */
  alignment?: Float32Array[];
}

/** The checked options with their defaults, and one prompt and one prefix for each sequence. */
export interface DecodingSettings {
  prompts: readonly (readonly number[])[];
  prefixes: readonly (readonly number[])[];
  stop: ReadonlySet<number>;
  banned: readonly number[];
  minLength: number;
  maxLength: number;
  noRepeatNgram: number;
  restrict: DecodingOptions['restrict'] | null;
}

/** Checks the options and returns them with their defaults. @param batch number of sequences */
export function decodingSettings(name: string, options: DecodingOptions, batch: number): DecodingSettings {
  const {
    prompt,
    stop = [],
    banned = [],
    prefix = [],
    minLength = 0,
    maxLength,
    noRepeatNgram = 0,
  } = options;
  if (maxLength === undefined)
    throw valueError(`${name}: the option maxLength is missing. Set it to a positive integer.`);
  if (minLength > maxLength)
    throw valueError(`${name}: minLength must be at most maxLength ${maxLength}, got ${minLength}.`);
  const prompts = perSequence(name, 'prompt', typeof prompt === 'number' ? [prompt] : prompt, batch);
  const emptyIndex = prompts.findIndex((tokens) => tokens.length === 0);
  if (emptyIndex >= 0)
    throw valueError(
      `${name}: the prompt of sequence ${emptyIndex} must have at least one token, such as a start token.`,
    );
  const stops = typeof stop === 'number' ? [stop] : stop;
  checkTokens(name, 'stop', stops);
  checkTokens(name, 'banned', banned);
  const prefixes = perSequence(name, 'prefix', prefix, batch);
  const longIndex = prefixes.findIndex((tokens) => tokens.length > maxLength);
  if (longIndex >= 0) {
    throw valueError(
      `${name}: the prefix of sequence ${longIndex} has ${prefixes[longIndex].length} tokens, more than maxLength ${maxLength}.`,
    );
  }
  return {
    ...{ prompts, prefixes, stop: new Set(stops), banned, minLength, maxLength, noRepeatNgram },
    restrict: options.restrict ?? null,
  };
}

/** Returns one list of tokens per sequence. */
function perSequence(
  name: string,
  option: string,
  value: readonly number[] | readonly (readonly number[])[] | undefined,
  batch: number,
): readonly (readonly number[])[] {
  if (!Array.isArray(value)) throw invalidTokens(name, option, value);
  const nested = value.some((entry) => Array.isArray(entry));
  const lists = nested ? (value as number[][]) : new Array<number[]>(batch).fill(value as number[]);
  if (lists.length !== batch) {
    throw valueError(
      `${name}: ${option} must have one list for each of the ${batch} sequences of the stream, got ${lists.length}.`,
    );
  }
  for (const list of lists) {
    if (!Array.isArray(list)) throw invalidTokens(name, option, list);
    checkTokens(name, option, list);
  }
  return lists;
}

const invalidTokens = (name: string, option: string, value: unknown): UnrollError =>
  valueError(
    `${name}: ${option} must be a list of tokens, or one list per sequence, got ${formatValue(value)}.`,
  );

function checkTokens(name: string, option: string, tokens: readonly number[]): void {
  const bad = tokens.find((token) => !Number.isInteger(token) || token < 0);
  if (bad !== undefined)
    throw valueError(`${name}: tokens in ${option} must be non-negative integers, got ${formatValue(bad)}.`);
}

/** @throws UnrollError `value` for a token outside the vocabulary */
export function checkVocabulary(name: string, settings: DecodingSettings, size: number): void {
  const lists = { stop: [...settings.stop], banned: settings.banned, prefix: settings.prefixes.flat() };
  for (const [option, tokens] of Object.entries(lists)) {
    const token = tokens.find((id) => id >= size);
    if (token === undefined) continue;
    throw valueError(
      `${name}: the model has a vocabulary of ${size} tokens (0 to ${size - 1}), got the token ${token} in ${option}.`,
      { size, token },
    );
  }
}
