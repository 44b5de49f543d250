/** The function that `pipeline('generate', model)` returns, and its method `stream`. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import type { GenerateRequest } from '../shared/task.js';

export interface GeneratedText {
  /** The prompt and its continuation. */
  generatedText: string;
}

export interface GenerateStreamOptions {
  /** Number of characters, words or subwords to generate. Default 200. */
  length?: number;
  /** At 1, tokens are sampled from the model; lower values prefer likely tokens; 0 takes the most likely token. Default 0.8. */
  temperature?: number;
  /** Number of most likely tokens to sample from. Default: all. */
  topK?: number;
  /** Sample from the smallest number of most likely tokens whose probabilities add up to at least this value. Default 1. */
  topP?: number;
  /** Random seed. The same seed gives the same text. Default 0. */
  seed?: number;
  /** Stops the generation: the call fails with the reason of the signal. */
  signal?: AbortSignal;
}

export interface GeneratePipeOptions extends GenerateStreamOptions {
  /** Return the prompt as well, not only its continuation. Default true. */
  returnFullText?: boolean;
}

/**
 * Continues texts. The results have the form of the pipeline "text-generation" of transformers.js: a list even for one prompt,
 * with `generatedText` in place of `generated_text`.
 */
export interface GeneratePipe {
  /** Continues a prompt, or each prompt of a list. An empty prompt is the start of a text. */
  (input: string | readonly string[], options?: GeneratePipeOptions): Promise<GeneratedText[]>;
  /** Yields the continuation of a prompt in pieces, as they are generated. */
  stream(prompt: string, options?: GenerateStreamOptions): AsyncIterable<string>;
}

/** Generates the continuation of a prompt, in pieces. */
type Generate = (request: GenerateRequest) => AsyncIterable<string>;

const STREAM_OPTIONS = {
  length: 'count',
  temperature: 'number',
  topK: 'count',
  topP: 'number',
  seed: 'integer',
  signal: true,
} as const;

/**
 * Continues one prompt or a list of prompts.
 * @throws UnrollError `value` for invalid options, and for prompts that are not strings
 */
export async function generatePipe(
  input: unknown,
  options: GeneratePipeOptions,
  generate: Generate,
): Promise<GeneratedText[]> {
  checkOptions('pipeline', options, { ...STREAM_OPTIONS, returnFullText: 'boolean' });
  const { returnFullText = true, ...others } = options;
  const prompts: readonly unknown[] = Array.isArray(input) ? input : [input];
  const requests = prompts.map((prompt) => requestOf(prompt, others));
  const results: GeneratedText[] = [];
  for (const request of requests) {
    let generatedText = returnFullText ? request.prompt : '';
    for await (const piece of generate(request)) generatedText += piece;
    results.push({ generatedText });
  }
  return results;
}

/**
 * Yields the continuation of a prompt in pieces.
 * @throws UnrollError `value` for invalid options, and for a prompt that is not a string
 */
export function generateStream(
  prompt: unknown,
  options: GenerateStreamOptions,
  generate: Generate,
): AsyncIterable<string> {
  checkOptions('stream', options, STREAM_OPTIONS);
  return generate(requestOf(prompt, options));
}

function requestOf(
  prompt: unknown,
  { signal, topK, topP, ...others }: GenerateStreamOptions,
): GenerateRequest & { prompt: string } {
  if (typeof prompt !== 'string')
    throw valueError(`The prompt must be a string, got ${formatValue(prompt)}.`);
  const { temperature = 0 } = others;
  if (!(temperature >= 0 && temperature < Infinity))
    throw valueError(`temperature must be a finite, non-negative number, got ${temperature}.`, {
      temperature,
    });
  if (topP !== undefined && !(topP > 0 && topP <= 1))
    throw valueError(`topP must be above 0 and at most 1, got ${topP}.`, { topP });
  const entries = Object.entries({ ...others, 'top-k': topK, 'top-p': topP });
  const definedEntries = entries.filter((entry): entry is [string, number] => entry[1] !== undefined);
  return { prompt, options: Object.fromEntries(definedEntries), ...(signal !== undefined && { signal }) };
}
