/**
 * Greedy decoding and sampling: one token after the other, from the stream of a model.
 *
 *     const stream = translator.stream({ inputs: { source } });
 *     const [{ tokens }] = await generate(stream, { prompt: START, stop: END, maxLength: 50 });
 *
 *     for await (const { tokens } of generateTokens(stream, { prompt, maxLength: 500, temperature: 0.8, topP: 0.9 })) ...
 */
import { RandomStream, valueError } from '@unroll/core';
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import {
  checkVocabulary,
  DECODING,
  type Decoded,
  type DecodingOptions,
  decodingSettings,
} from './options.js';
import { restrictTokens } from './restrict.js';
import { TokenScorer, type TokenStream } from './scorer.js';

export interface GenerateOptions extends DecodingOptions {
  /**
   * 0: choose the most likely token (greedy decoding). Above 0: sample from the probabilities to the power of 1 / temperature;
   * 1 samples from the model, lower values prefer likely tokens. Default 0.
   */
  temperature?: number;
  /** Sample from this many most likely tokens. Default: all. */
  topK?: number;
  /** Sample from the most likely tokens whose probabilities add up to at least this (nucleus sampling). Default 1. */
  topP?: number;
  /** Seed of the samples. Default 0. */
  seed?: number;
}

/** The result of one step for all sequences. */
export interface GeneratedStep {
  /** Number of the step, from 0. */
  step: number;
  /** The token of each sequence; null: the sequence has ended. */
  tokens: (number | null)[];
  /** The log-probability of each token under the model; 0 for sequences that have ended before. */
  logProbabilities: number[];
}

const GENERATE: OptionTypes<GenerateOptions> = {
  ...DECODING,
  temperature: 'number',
  topK: 'count',
  topP: 'number',
  seed: 'integer',
};

/** How the next token is chosen. */
export interface Sampling {
  temperature: number;
  topK: number;
  topP: number;
}

/**
 * Generates tokens with greedy decoding or sampling.
 * @param stream a stream of a model whose first output has one score for each token of the vocabulary. Decoding runs on a copy
 * of the stream
 * @returns the output of each sequence of the stream
 * @throws UnrollError `value` for invalid options or an output that does not match the option `output`, `nan` if the
 * model returns NaN
 */
export async function generate(stream: TokenStream, options: GenerateOptions): Promise<Decoded[]> {
  const steps = generateTokens(stream, options);
  for (;;) {
    const { done, value } = await steps.next();
    if (done) return value;
  }
}

/** Like {@link generate}, but yields the tokens of each step as soon as they are chosen. */
export async function* generateTokens(
  stream: TokenStream,
  options: GenerateOptions,
): AsyncGenerator<GeneratedStep, Decoded[], void> {
  checkOptions('generate', options, GENERATE);
  const sampling = samplingOf(options);
  const scorer = new TokenScorer('generate', stream, options);
  const settings = decodingSettings('generate', options, stream.batch);
  const random = new RandomStream(options.seed ?? 0, 'generate');
  const results = settings.prompts.map((): Decoded => ({ tokens: [], logProbability: 0, reason: 'length' }));
  if (options.alignments) for (const result of results) result.alignment = [];
  const streams = results.map((_, sequence) => random.child(sequence));
  /** The sequences that have not ended, by row of the stream. */
  let active = results.map((_, sequence) => sequence);
  let next = await scorer.prompt(settings.prompts);
  checkVocabulary('generate', settings, next.V);
  for (let step = 0; step < settings.maxLength && active.length > 0; step++) {
    const { values, V, alignments } = next;
    const event: GeneratedStep = {
      step,
      tokens: results.map(() => null),
      logProbabilities: results.map(() => 0),
    };
    /** The sequences that continue after this step, with their rows in the stream and their new tokens. */
    const unfinished: { row: number; sequence: number; token: number }[] = [];
    active.forEach((sequence, row) => {
      const result = results[sequence];
      const scores = new Float64Array(values.subarray(row * V, (row + 1) * V));
      restrictTokens(scores, settings, sequence, result.tokens);
      const chosen = sampleToken(scores, sampling, streams[sequence]);
      if (chosen === null) {
        result.reason = 'blocked';
        return;
      }
      event.logProbabilities[sequence] = values[row * V + chosen];
      result.logProbability += values[row * V + chosen];
      if (settings.stop.has(chosen)) {
        result.reason = 'stop';
        return;
      }
      event.tokens[sequence] = chosen;
      result.tokens.push(chosen);
      if (alignments) result.alignment?.push(rowOf(alignments, row, active.length));
      unfinished.push({ row, sequence, token: chosen });
    });
    yield event;
    if (step + 1 < settings.maxLength && unfinished.length > 0)
      next = await scorer.next(
        unfinished.map(({ row }) => row),
        unfinished.map(({ token }) => token),
      );
    active = unfinished.map(({ sequence }) => sequence);
  }
  return results;
}

/** Returns a copy of one row of an array with `rows` rows. */
export function rowOf(values: ArrayLike<number>, row: number, rows: number): Float32Array {
  const width = values.length / rows;
  return Float32Array.from({ length: width }, (_, i) => values[row * width + i]);
}

function samplingOf({ temperature = 0, topK = Infinity, topP = 1 }: GenerateOptions): Sampling {
  if (!(temperature >= 0 && temperature < Infinity))
    throw valueError(`generate: temperature must be a finite, non-negative number, got ${temperature}.`);
  if (!(topP > 0 && topP <= 1)) throw valueError(`generate: topP must be in (0, 1], got ${topP}.`);
  const unused = temperature === 0 && (topK !== Infinity ? 'topK' : topP !== 1 ? 'topP' : null);
  if (unused) {
    throw valueError(
      `generate: ${unused} applies to sampling, but temperature is 0, which chooses the most likely token. Set temperature, for example to 1.`,
    );
  }
  return { temperature, topK, topP };
}

/** Returns the next token for these log-probabilities; null if none is allowed (all are -Infinity). */
export function sampleToken(
  scores: Float64Array,
  { temperature, topK, topP }: Sampling,
  random: RandomStream,
): number | null {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i;
  if (scores[best] === -Infinity) return null;
  if (temperature === 0) return best;
  const weights = scores.map((score) => Math.exp((score - scores[best]) / temperature));
  let order: ArrayLike<number> | null = null;
  let count = weights.length;
  if (topK < weights.length || topP < 1) {
    order = Uint32Array.from(weights.keys()).sort((a, b) => weights[b] - weights[a] || a - b);
    count = Math.min(count, topK);
    if (topP < 1) count = nucleus(weights, order, count, topP);
  }
  let total = 0;
  for (let i = 0; i < count; i++) total += weights[order ? order[i] : i];
  let remaining = random.uniform(1)[0] * total;
  let last = best;
  for (let i = 0; i < count; i++) {
    const token = order ? order[i] : i;
    if (weights[token] === 0) continue;
    last = token;
    remaining -= weights[token];
    if (remaining < 0) break;
  }
  return last;
}

/** Returns how many of the most likely tokens it takes to reach the fraction `topP` of the sum of the first `count` weights. */
function nucleus(weights: Float64Array, order: ArrayLike<number>, count: number, topP: number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += weights[order[i]];
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += weights[order[i]];
    if (sum >= topP * total) return i + 1;
  }
  return count;
}
