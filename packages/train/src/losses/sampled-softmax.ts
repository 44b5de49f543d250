/**
 * Sampled softmax (Jean et al. 2015): the cross-entropy of a large vocabulary, estimated in training from the target token and
 * a sample of other tokens, so that neither time nor memory grows with the vocabulary. Evaluation computes the exact
 * cross-entropy, a block of rows at a time.
 *
 *     const scores = outputEmbedding({ tiedTo: tokens });
 *     const trainer = model({ inputs: x, outputs: hidden });                     // [B, T, D], without scores
 *     const predictor = model({ inputs: x, outputs: scores.apply(hidden) });     // [B, T, V], shares all weights
 *     trainer.compile({ loss: losses.sampledSoftmax({ layer: scores, samples: 1000 }) });
 *
 * Each step draws `samples` distinct tokens that all rows share. From the logit of a sampled or target token, the loss
 * subtracts the logarithm of the token's expected count in the sample, so that the gradient approximates that of the exact
 * softmax (Bengio & Senécal 2008; as in TensorFlow's `sampled_softmax_loss`). A sampled token that is the target of a row is
 * left out in that row.
 */
import {
  add,
  concat,
  gather,
  matmul,
  mul,
  type Parameter,
  reshape,
  type Shape,
  scope,
  slice,
  sparseCrossentropy,
  sub,
  sum,
  type Tensor,
  tensor,
  valueError,
} from '@unroll/core';
import {
  checkOptions,
  exactLog,
  formatValue,
  hostTensor,
  hostValues,
  recording,
} from '@unroll/core/internal';
import { alignOnePerRow } from './align.js';
import { LOSS_OPTIONS, type Loss, type LossContext, type LossOptions, makeLoss } from './loss.js';

/** The layer with the table of the vocabulary; `outputEmbedding` returns one. */
export interface VocabularyLayer {
  /** V, the size of the vocabulary. */
  readonly units: number;
  /** The embedding of each token, [V, D]. */
  readonly table: Parameter;
  /** The bias of each token, [V]; null without biases. */
  readonly bias: Parameter | null;
  readonly built: boolean;
  build(inputs: readonly Shape[]): void;
}

export interface SampledSoftmaxOptions extends LossOptions {
  /** The layer that scores the vocabulary: the result of `outputEmbedding`. The predictions are its inputs. */
  layer: VocabularyLayer;
  /** Number of sampled tokens per step. Default: 1000, or the size of the vocabulary if that is smaller. */
  samples?: number;
  /**
   * The distribution of the samples. `logUniform` (default): P(k) proportional to log((k + 2) / (k + 1)), for tokens sorted by
   * decreasing frequency, as in the vocabularies of `buildVocabulary`. `uniform`: all tokens are equally likely. A list has
   * the weight of each token, such as its count.
   */
  distribution?: 'logUniform' | 'uniform' | ArrayLike<number>;
}

/** Number of logits that the exact cross-entropy computes at a time. */
const EXACT_LOGITS = 4e6;

/**
 * Sampled softmax with cross-entropy.
 * @remarks prediction [B, D] or [B, T, D], targets [B] or [B, T] of token ids. A saved model does not contain the `layer` of
 * its loss, so a loaded model with this loss (`trainer` above) must be compiled again before training, with a layer of the same
 * name and size. The model that contains the layer (`predictor`) is saved completely.
 * @throws UnrollError `value` for invalid options
 */
export function sampledSoftmax(options: SampledSoftmaxOptions): Loss {
  const name = 'sampledSoftmax';
  checkOptions(name, options, { layer: true, samples: 'count', distribution: true, ...LOSS_OPTIONS });
  const { layer, distribution = 'logUniform' } = options;
  if (typeof layer?.units !== 'number' || typeof layer.build !== 'function')
    throw valueError(`${name}: layer must be the result of outputEmbedding(), got ${formatValue(layer)}.`);
  const { units } = layer;
  const samples = options.samples ?? Math.min(1000, units);
  if (samples > units)
    throw valueError(
      `${name}: samples must be at most the size of the vocabulary, ${units}, got ${samples}.`,
    );
  const sampler = new Sampler(cumulativeWeights(name, distribution, units));
  const loss = makeLoss(
    {
      name,
      config: { samples, distribution: typeof distribution === 'string' ? distribution : 'weights' },
      align: (prediction, target) => alignOnePerRow(name, prediction, target, 'a token id', ''),
      check: ({ target }, positionOf) => checkTokens(name, target, units, positionOf),
      rows: (hidden, target, context) =>
        context?.training
          ? sampledRows(layer, hidden, target, sampler.draw(samples, context))
          : exactRows(layer, hidden, target),
    },
    options,
  );
  return {
    ...loss,
    get parameters() {
      return layer.built ? [layer.table, ...(layer.bias ? [layer.bias] : [])] : [];
    },
    build: (prediction) => layer.build([prediction]),
  };
}

/** The sampled tokens, and a function that returns the expected count (0 to 1) of a given token in the sample. */
interface Sample {
  tokens: Float64Array;
  expectedCount(token: number): number;
}

/** Draws distinct tokens. */
class Sampler {
  /** The cumulative distribution: for each token, the probability of drawing it or a token with a smaller id. */
  readonly #cumulative: Float64Array;

  constructor(cumulative: Float64Array) {
    this.#cumulative = cumulative;
  }

  draw(count: number, { random }: LossContext): Sample {
    const cumulative = this.#cumulative;
    const stream = random.child('sampledSoftmax');
    const drawn = new Set<number>();
    let tries = 0;
    while (drawn.size < count) {
      for (const u of stream.uniform(count)) {
        tries++;
        drawn.add(firstAbove(cumulative, u));
        if (drawn.size === count) break;
      }
    }
    const probability = (token: number): number =>
      cumulative[token] - (token > 0 ? cumulative[token - 1] : 0);
    return {
      tokens: Float64Array.from(drawn),
      // A token is drawn at least once in `tries` draws with this probability, as in TensorFlow.
      expectedCount: (token) => -Math.expm1(tries * Math.log1p(-probability(token))),
    };
  }
}

/** Returns the first index whose value is above u. */
function firstAbove(cumulative: Float64Array, u: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cumulative[middle] > u) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns the cumulative distribution. With exactLog, the result is equal on all platforms. */
function cumulativeWeights(
  name: string,
  distribution: NonNullable<SampledSoftmaxOptions['distribution']>,
  units: number,
): Float64Array {
  if (distribution === 'uniform')
    return Float64Array.from({ length: units }, (_, token) => (token + 1) / units);
  if (distribution === 'logUniform') {
    const total = exactLog(units + 1);
    return Float64Array.from({ length: units }, (_, token) => exactLog(token + 2) / total);
  }
  if (typeof distribution === 'string' || distribution.length !== units) {
    const got =
      typeof distribution === 'string' ? formatValue(distribution) : `${distribution.length} weights`;
    throw valueError(`${name}: distribution must be logUniform, uniform or ${units} weights, got ${got}.`);
  }
  let total = 0;
  const sums = Float64Array.from(distribution, (weight, token) => {
    if (weight > 0 && Number.isFinite(weight)) return (total += weight);
    throw valueError(
      `${name}: the weights in distribution must be above 0, got ${weight} for token ${token}.`,
    );
  });
  return sums.map((sum) => sum / total);
}

function checkTokens(name: string, target: Tensor, units: number, positionOf: (i: number) => string): void {
  const ids = hostValues(target, `${name}: the target`);
  const index = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < units));
  if (index < 0) return;
  throw valueError(
    `${name}: the target at ${positionOf(index)} must be a token of the vocabulary, 0 to ${units - 1}, got ${ids[index]}. ` +
      'Mask padding, and map unknown words to one reserved id.',
    { target: ids[index], position: positionOf(index), units },
  );
}

/** Returns the estimated losses [N] of hidden states [N, D] and targets [N, 1]. */
function sampledRows(layer: VocabularyLayer, hidden: Tensor, target: Tensor, sample: Sample): Tensor {
  const [N] = hidden.shape;
  const ids = hostValues(target, 'The target');
  const { tokens, expectedCount } = sample;
  const logCountsOf = (tokenIds: ArrayLike<number>): Tensor =>
    tensor(Float64Array.from(tokenIds, (token) => Math.log(expectedCount(token))));
  const sampled = add(
    matmul(hidden, gather(layer.table, tokens), { transB: true }),
    sub(biasOf(layer, tokens), logCountsOf(tokens)),
  );
  const products = sum(mul(hidden, gather(layer.table, Float64Array.from(ids))), 1);
  const correct = add(products, sub(biasOf(layer, ids), logCountsOf(ids)));
  const hitMask = accidentalHits(ids, tokens);
  const logits = concat([reshape(correct, [N, 1]), hitMask ? add(sampled, hitMask) : sampled], 1);
  return sparseCrossentropy(logits, new Float64Array(N));
}

/** Returns the biases of tokens, [tokens]; 0 without a bias. */
function biasOf({ bias, units }: VocabularyLayer, tokens: ArrayLike<number>): Tensor {
  if (!bias) return tensor(0);
  return reshape(gather(reshape(bias, [units, 1]), Float64Array.from(tokens)), [tokens.length]);
}

/**
 * Returns the mask [N, samples] that is added to the logits of the samples: -1e9 where a sampled token is the target of a row,
 * else 0. Null if no sampled token is a target.
 */
function accidentalHits(ids: ArrayLike<number>, tokens: Float64Array): Tensor | null {
  const columns = new Map(Array.from(tokens, (token, column) => [token, column]));
  let mask: Float32Array | null = null;
  for (let row = 0; row < ids.length; row++) {
    const column = columns.get(ids[row]);
    if (column === undefined) continue;
    mask ??= new Float32Array(ids.length * tokens.length);
    mask[row * tokens.length + column] = -1e9;
  }
  return mask && hostTensor(mask, [ids.length, tokens.length]);
}

/** Returns the exact losses [N], computed for a block of rows at a time unless gradients are recorded. */
function exactRows({ table, bias }: VocabularyLayer, hidden: Tensor, target: Tensor): Tensor {
  const [N] = hidden.shape;
  const ids = reshape(target, [N]);
  const losses = (rows: Tensor, classes: Tensor): Tensor => {
    const products = matmul(rows, table, { transB: true });
    return sparseCrossentropy(bias ? add(products, bias) : products, classes);
  };
  const size = Math.max(1, Math.floor(EXACT_LOGITS / table.shape[0]));
  if (N <= size || recording.current) return losses(hidden, ids);
  const parts: Tensor[] = [];
  for (let start = 0; start < N; start += size) {
    const end = Math.min(N, start + size);
    // The scope frees the logits of these rows.
    parts.push(scope(() => losses(slice(hidden, 0, start, end), slice(ids, 0, start, end))));
  }
  return concat(parts, 0);
}
