/**
 * Attention (Bahdanau et al. 2015, Luong et al. 2015): a query is compared with the keys of a sequence. The softmax of the
 * scores gives the weights for a weighted mean of the values.
 *
 *   s_j = score(q, k_j)          one score for each step j of the sequence
 *   a = softmax(s)               alignment: over the valid steps
 *   c = Σ_j a_j v_j              context
 *
 * The layers `attention` and `additiveAttention` and the cell of `attentionDecoder` share these functions.
 */
import {
  add,
  formatShape,
  matmul,
  mul,
  type Parameter,
  reshape,
  shapeError,
  softmax,
  sub,
  sum,
  type Tensor,
  tanh,
} from '@unroll/core';
import type { ParameterMaker } from '../cells/cell.js';
import { maskProperties, maskWhere, zeroMaskedSteps } from '../masks.js';

/** Compares queries with keys. */
export interface Score {
  /**
   * Creates the parameters for queries and keys of these widths.
   * @throws UnrollError `shape` if the score does not support these widths
   */
  build(make: ParameterMaker, queryWidth: number, keyWidth: number): void;
  /** Prepares the keys [B, S, D] for `scores`, once for all queries. */
  prepareKeys(keys: Tensor): Tensor;
  /** Returns the scores [B, Q, S] of queries [B, Q, D] and the result of `prepareKeys`. */
  scores(queries: Tensor, keys: Tensor): Tensor;
}

/**
 * Scores by products of queries and keys: `dot`, `scaledDot` (Vaswani et al. 2017) or, with a matrix, `general` (Luong et
 * al. 2015).
 */
export class ProductScore implements Score {
  readonly #mode: 'dot' | 'scaledDot' | 'general';
  readonly #useScale: boolean;
  readonly #owner: string;
  #W: Parameter | null = null;
  #scale: Parameter | null = null;

  constructor(mode: 'dot' | 'scaledDot' | 'general', useScale: boolean, owner: string) {
    this.#mode = mode;
    this.#useScale = useScale;
    this.#owner = owner;
  }

  build(make: ParameterMaker, queryWidth: number, keyWidth: number): void {
    if (this.#mode === 'general') this.#W = make('kernel', [keyWidth, queryWidth], 'glorotUniform');
    else checkWidths(this.#owner, queryWidth, keyWidth, `scoreMode "general"`);
    if (this.#useScale) this.#scale = make('scale', [], 'ones');
  }

  prepareKeys(keys: Tensor): Tensor {
    return this.#W ? matmul(keys, this.#W) : keys;
  }

  scores(queries: Tensor, keys: Tensor): Tensor {
    const products = matmul(queries, keys, { transB: true });
    const width = queries.shape[2];
    const scaled = this.#mode === 'scaledDot' ? mul(products, 1 / Math.sqrt(width)) : products;
    return this.#scale ? mul(scaled, this.#scale) : scaled;
  }
}

/** Keras's score mode `concat`: w Σ_d tanh(scale (q_d + k_d)), with learned scalars w and, optionally, scale. */
export class ConcatScore implements Score {
  readonly #useScale: boolean;
  readonly #owner: string;
  #weight!: Parameter;
  #scale: Parameter | null = null;

  constructor(useScale: boolean, owner: string) {
    this.#useScale = useScale;
    this.#owner = owner;
  }

  build(make: ParameterMaker, queryWidth: number, keyWidth: number): void {
    checkWidths(this.#owner, queryWidth, keyWidth, 'additiveAttention({ units })');
    if (this.#useScale) this.#scale = make('scale', [], 'ones');
    this.#weight = make('concat_score_weight', [], 'ones');
  }

  prepareKeys(keys: Tensor): Tensor {
    return keys;
  }

  scores(queries: Tensor, keys: Tensor): Tensor {
    const sums = pairSums(queries, keys);
    return mul(this.#weight, sum(tanh(this.#scale ? mul(this.#scale, sums) : sums), -1));
  }
}

/**
 * Additive score (Bahdanau et al. 2015): Σ_u scale_u tanh(q_u + k_u). With `units`, queries and keys are first multiplied
 * by the matrices `query_kernel` and `key_kernel`; this is also Luong's score `concat`.
 */
export class AdditiveScore implements Score {
  readonly #units: number | null;
  readonly #useScale: boolean;
  readonly #owner: string;
  #query: Parameter | null = null;
  #key: Parameter | null = null;
  #scale: Parameter | null = null;

  constructor(units: number | null, useScale: boolean, owner: string) {
    this.#units = units;
    this.#useScale = useScale;
    this.#owner = owner;
  }

  build(make: ParameterMaker, queryWidth: number, keyWidth: number): void {
    const units = this.#units;
    if (units === null) checkWidths(this.#owner, queryWidth, keyWidth, 'the option units');
    else {
      this.#query = make('query_kernel', [queryWidth, units], 'glorotUniform');
      this.#key = make('key_kernel', [keyWidth, units], 'glorotUniform');
    }
    if (this.#useScale) this.#scale = make('scale', [units ?? keyWidth], 'glorotUniform');
  }

  prepareKeys(keys: Tensor): Tensor {
    return this.#key ? matmul(keys, this.#key) : keys;
  }

  scores(queries: Tensor, keys: Tensor): Tensor {
    const activations = tanh(pairSums(this.#query ? matmul(queries, this.#query) : queries, keys));
    if (!this.#scale) return sum(activations, -1);
    const [B, Q, S, U] = activations.shape;
    const scores = matmul(reshape(activations, [B * Q * S, U]), reshape(this.#scale, [U, 1]));
    return reshape(scores, [B, Q, S]);
  }
}

/** Returns q_i + k_j for all pairs, [B, Q, S, D], from queries [B, Q, D] and keys [B, S, D]. */
function pairSums(queries: Tensor, keys: Tensor): Tensor {
  const [B, Q, D] = queries.shape;
  return add(reshape(queries, [B, Q, 1, D]), reshape(keys, [B, 1, keys.shape[1], D]));
}

/** The values that queries attend to, prepared once for all queries. */
export interface AttentionMemory {
  /** The result of {@link Score.prepareKeys}. */
  keys: Tensor;
  /** [B, S, D], 0 at masked steps. */
  values: Tensor;
  /** [B, 1, S]: 0 for valid steps, -1e9 for masked ones (as in Keras), added to the scores. Absent: all are valid. */
  bias?: Tensor;
  /** [B, 1, 1]: 1 for sequences with a valid step, 0 for the others, whose alignment becomes 0. Absent: there are no others. */
  present?: Tensor;
}

/** Returns keys and values prepared for {@link align}. @param mask [B, S], 1 for valid steps; null: all are valid */
export function prepareMemory(
  score: Score,
  keys: Tensor,
  values: Tensor,
  mask: Tensor | null,
): AttentionMemory {
  // Masked steps are set to 0, because a weight of 0 would not remove a NaN.
  const clean = (x: Tensor): Tensor => (mask ? zeroMaskedSteps(x, mask) : x);
  const cleanValues = clean(values);
  const memory: AttentionMemory = {
    keys: score.prepareKeys(keys === values ? cleanValues : clean(keys)),
    values: cleanValues,
  };
  if (!mask || maskProperties(mask).allValid) return memory;
  const [B, S] = mask.shape;
  memory.bias = reshape(mul(sub(mask, 1), 1e9), [B, 1, S]);
  const { lengths } = maskProperties(mask);
  if (lengths.includes(0)) {
    const present = maskWhere(B, 1, (row) => lengths[row] > 0);
    memory.present = present.withShape([B, 1, 1]);
  }
  return memory;
}

/** Returns the alignment [B, Q, S] of queries [B, Q, D]. @param bias [Q, S] or [B, Q, S], added to the scores; null: none */
export function align(
  score: Score,
  queries: Tensor,
  memory: AttentionMemory,
  bias: Tensor | null = null,
): Tensor {
  let scores = score.scores(queries, memory.keys);
  if (memory.bias) scores = add(scores, memory.bias);
  if (bias) scores = add(scores, bias);
  const alignment = softmax(scores);
  return memory.present ? mul(alignment, memory.present) : alignment;
}

/** Returns the context [B, Q, D]: the means of the values, weighted by the alignment [B, Q, S]. */
export function contextOf(alignment: Tensor, { values }: AttentionMemory): Tensor {
  return matmul(alignment, values);
}

/** @throws UnrollError `shape` if queries and keys have different widths */
function checkWidths(owner: string, query: number, key: number, remedy: string): void {
  if (query === key) return;
  throw shapeError(
    `${owner}: queries and keys must have the same width, got ${formatShape([query])} and ${formatShape([key])}. ` +
      `Use ${remedy} for different widths.`,
    { query, key },
  );
}
