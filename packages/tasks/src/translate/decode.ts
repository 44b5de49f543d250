/** Generates targets with beam search: translations of texts or, for other tasks, transcripts and descriptions. */
import type { MaskedSequence, Tensor } from '@unroll/core';
import { padSequences } from '@unroll/data';
import { beamSearch, type Functional } from '@unroll/nn';
import { textBatches } from '../shared/text-batches.js';
import { END_ID, START_ID, UNKNOWN_ID } from './encoder.js';
import { SOURCE_INPUT } from './network.js';

export interface SearchOptions {
  /** Number of partial translations that are kept. Default 5. */
  beam?: number;
  /** The exponent of the length penalty; larger values prefer longer translations. Default 1. */
  lengthPenalty?: number;
  /** Largest number of tokens of a translation. Default: 1.5 times the longest training target, plus 10; at most 400. */
  maxLength?: number;
}

/** Limits of a target. */
export interface TargetLimits {
  /** Largest number of tokens, unless the options set one. */
  maxLength: number;
  /** Whether targets may contain unknown tokens. */
  allowUnknown: boolean;
}

export const DEFAULT_BEAM = 5;
export const DEFAULT_LENGTH_PENALTY = 1;

/** A generated target. */
export interface DecodedTarget {
  /** Ids of the tokens, without `<s>` and `</s>`. */
  ids: number[];
  /** The log-probability, divided by the length penalty. */
  score: number;
  /** Attention weights: for each token, one weight per step of the input. */
  alignment: Float32Array[];
}

/** Maximum number of hypotheses in one step of the search. */
const MAX_ROWS = 320;

/** The inputs for which targets are decoded, such as source texts, sounds or clips. */
export interface DecoderInputs {
  /** Name of the input of the network. */
  name: string;
  /** Groups the inputs into batches of at most `size` rows. */
  batches(size: number): Iterable<Uint32Array>;
  /** Returns the inputs of a batch. */
  batch(rows: Uint32Array): Tensor | MaskedSequence;
  /** Returns the number of steps of an input. */
  length(row: number): number;
}

/** Returns the translations of texts, in the order of the texts. @param sources ids of each text */
export const decodeTargets = (
  network: Functional,
  sources: readonly Int32Array[],
  limits: TargetLimits,
  options: SearchOptions = {},
): Promise<DecodedTarget[]> => decodeInputs(network, sourceInputs(sources), limits, options);

const sourceInputs = (sources: readonly Int32Array[]): DecoderInputs => ({
  name: SOURCE_INPUT,
  batches: (size) => textBatches(sources, size),
  batch: (rows) => padSequences(Array.from(rows, (row) => sources[row])).values,
  length: (row) => sources[row].length,
});

/** Returns a target for each input, in the order of the inputs. */
export async function decodeInputs(
  network: Functional,
  inputs: DecoderInputs,
  { allowUnknown, ...limits }: TargetLimits,
  {
    beam = DEFAULT_BEAM,
    lengthPenalty = DEFAULT_LENGTH_PENALTY,
    maxLength = limits.maxLength,
  }: SearchOptions = {},
): Promise<DecodedTarget[]> {
  const results: DecodedTarget[] = [];
  const banned = [0, START_ID, ...(allowUnknown ? [] : [UNKNOWN_ID])];
  for (const rows of inputs.batches(Math.max(1, Math.floor(MAX_ROWS / beam)))) {
    const stream = network.stream({ inputs: { [inputs.name]: inputs.batch(rows) } });
    const hypotheses = await beamSearch(stream, {
      ...{ prompt: START_ID, stop: END_ID, banned, minLength: 1 },
      ...{ maxLength, width: beam, lengthPenalty, alignments: true },
    });
    for (const [i, row] of rows.entries()) {
      const [{ tokens, score, alignment = [] }] = hypotheses[i];
      const weights = alignment.map((tokenWeights) => tokenWeights.slice(0, inputs.length(row)));
      results[row] = { ids: tokens, score, alignment: weights };
    }
  }
  return results;
}
