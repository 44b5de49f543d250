/**
 * Scheduled sampling (Bengio et al. 2015). With teacher forcing, a decoder reads the correct previous token in every training
 * step; in decoding, it reads the previous token that it chose itself. Scheduled sampling replaces some of the correct tokens
 * by tokens that the decoder chose, so that it learns to continue after its own mistakes.
 *
 *     await translator.fit([source, previous], target, {
 *       prepareInputs: scheduledSampling(translator, { input: 'previous', probability: (updates) => Math.min(0.25, updates / 4000) }),
 *     });
 *
 * Before each training step, the decoder runs over the batch, one token at a time, to choose these tokens, which costs about
 * one more forward pass. No gradients flow through the choice, as in the paper.
 */
import { type RandomStream, type Tensor, valueError } from '@unroll/core';
import { checkOptions, formatValue, hostTensor, hostValues, nameHint } from '@unroll/core/internal';
import type { Functional } from '../functional.js';
import type { Sequential } from '../sequential.js';
import { sampleToken } from './generate.js';
import { TokenScorer } from './scorer.js';

export interface ScheduledSamplingOptions {
  /** Name of the input with the previous tokens, ids [B, T]. Default: the only input of the model. */
  input?: string;
  /**
   * Probability that a token is replaced by one that the model chose: a number in [0, 1], or a function of the number of
   * updates so far.
   */
  probability: number | ((updates: number) => number);
  /** 0: the model chooses the most likely token. Above 0: it samples with this temperature. Default 0. */
  temperature?: number;
  /** Id of padding, which is never replaced. Default: none. */
  padding?: number;
}

/** The training step, as `prepareInputs` of `fit` receives it. */
interface Step {
  updates: number;
  random: RandomStream;
}

/**
 * Returns a function for the option `prepareInputs` of `fit` and `train`.
 * @param network a causal model whose first output has one score for each token of the vocabulary, such as a decoder. Its other
 * inputs become fixed inputs of a stream (see `stream({ inputs })`)
 * @throws UnrollError `value` for invalid options. The returned function throws `state` if the model cannot be streamed
 */
export function scheduledSampling(
  network: Functional | Sequential,
  options: ScheduledSamplingOptions,
): (inputs: readonly Tensor[], step: Step) => Promise<readonly Tensor[]> {
  const name = 'scheduledSampling';
  checkOptions(name, options, {
    input: 'string',
    probability: true,
    temperature: 'number',
    padding: 'integer',
  });
  const { probability, temperature = 0, padding = null } = options;
  if (!(temperature >= 0 && temperature < Infinity))
    throw valueError(`${name}: temperature must be a finite, non-negative number, got ${temperature}.`);
  const names = network.inputNames ?? [''];
  const index = options.input === undefined && names.length === 1 ? 0 : names.indexOf(options.input ?? '');
  if (index < 0) {
    throw valueError(
      `${name}: input must be the name of the input with the previous tokens, got ${formatValue(options.input)}. ` +
        nameHint(options.input, names),
    );
  }
  checkProbability(name, typeof probability === 'number' ? probability : 0);
  return async (inputs, { updates, random }) => {
    const p = typeof probability === 'number' ? probability : checkProbability(name, probability(updates));
    if (p === 0) return inputs;
    const fixed = Object.fromEntries(
      names.map((input, i) => [input, inputs[i]]).filter((_, i) => i !== index),
    );
    const [B, T] = inputs[index].shape;
    const stream = names.length > 1 ? network.stream({ inputs: fixed }) : network.stream({ batch: B });
    const scorer = new TokenScorer(name, stream, { prompt: 0, maxLength: T });
    const mixed = hostValues(inputs[index], 'The previous tokens').slice();
    const rows = Array.from({ length: B }, (_, b) => b);
    const draws = random.child('replace').uniform(B * T);
    const samples = rows.map((b) => random.child('sample', b));
    const column = (t: number): number[] => rows.map((b) => mixed[b * T + t]);
    for (let t = 0; t + 1 < T; t++) {
      const { values, V } =
        t === 0 ? await scorer.prompt(column(0).map((token) => [token])) : await scorer.next(rows, column(t));
      for (const b of rows) {
        const offset = b * T + t + 1;
        if (draws[offset] >= p || mixed[offset] === padding) continue;
        const scores = new Float64Array(values.subarray(b * V, (b + 1) * V));
        mixed[offset] =
          sampleToken(scores, { temperature, topK: Infinity, topP: 1 }, samples[b]) ?? mixed[offset];
      }
    }
    return inputs.map((input, i) => (i === index ? hostTensor(mixed, input.shape) : input));
  };
}

/** Returns the probability. @throws UnrollError `value` unless it is in [0, 1] */
function checkProbability(name: string, probability: number): number {
  if (probability >= 0 && probability <= 1) return probability;
  throw valueError(`${name}: probability must be in [0, 1], got ${formatValue(probability)}.`);
}
