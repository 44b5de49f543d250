/**
 * Regularisers: penalties on weights or on outputs (activities), added to the loss. Regularisers are plain data that a
 * model's config can store. Penalties on weights are added once per training step. Penalties on activities are divided by
 * the batch size and added once per call of the layer.
 */
import {
  abs,
  add,
  div,
  matmul,
  maximum,
  mul,
  sqrt,
  square,
  sub,
  sum,
  sumSquares,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { nameAndOptions } from './named.js';

type Penalty<O> = (weights: Tensor, options: O) => Tensor;

const regularizers = {
  /** l1 Σ|w| */
  l1: (w: Tensor, { l1 = 0.01 }: { l1?: number }): Tensor => mul(sum(abs(w)), l1),
  /** l2 Σw² */
  l2: (w: Tensor, { l2 = 0.01 }: { l2?: number }): Tensor => mul(sumSquares(w), l2),
  l1l2: (w: Tensor, { l1 = 0, l2 = 0 }: { l1?: number; l2?: number }): Tensor =>
    add(mul(sum(abs(w)), l1), mul(sumSquares(w), l2)),
  orthogonalRegularizer,
};

export type RegularizerName = keyof typeof regularizers;
/** A regulariser with options, as plain data. */
export interface RegularizerConfig {
  className: RegularizerName;
  config: Readonly<Record<string, unknown>>;
}
/** A regulariser: a name (with default factors), or the result of {@link l1}, {@link l2}, {@link l1l2}, ... */
export type Regularizer = RegularizerName | RegularizerConfig;

/** Returns the function that computes the penalty. @throws UnrollError `value` for an unknown name or a negative factor */
export function regularizer(spec: Regularizer, owner = ''): (weights: Tensor) => Tensor {
  const { className, config } = nameAndOptions('regularizer', regularizers, spec, owner);
  const prefix = owner && `${owner}: `;
  for (const [name, factor] of Object.entries(config)) {
    if (name === 'mode' || factor === undefined) continue;
    if (!(typeof factor === 'number' && factor >= 0 && factor < Number.POSITIVE_INFINITY)) {
      throw valueError(
        `${prefix}${className}: ${name} must be a finite, non-negative number, got ${formatValue(factor)}.`,
        {
          [name]: factor,
        },
      );
    }
  }
  return (weights) => (regularizers[className] as Penalty<unknown>)(weights, config);
}

/** Creates the penalty l1 Σ|w|, which drives weights to exactly 0. @param l1 default 0.01 */
export function l1(l1 = 0.01): RegularizerConfig {
  return { className: 'l1', config: { l1 } };
}

/** Creates the penalty l2 Σw² (weight decay as a term of the loss). @param l2 default 0.01 */
export function l2(l2 = 0.01): RegularizerConfig {
  return { className: 'l2', config: { l2 } };
}

/** Creates the penalty l1 Σ|w| + l2 Σw². Both factors are 0 by default. */
export function l1l2(factors: { l1?: number; l2?: number }): RegularizerConfig {
  checkOptions('l1l2', factors, { l1: 'number', l2: 'number' });
  return { className: 'l1l2', config: { ...factors } };
}

/** Creates a penalty on rows (or columns) of a matrix that are not orthogonal to each other. Default: factor 0.01, rows. */
export function orthogonalPenalty(
  options: { factor?: number; mode?: 'rows' | 'columns' } = {},
): RegularizerConfig {
  checkOptions('orthogonalPenalty', options, { factor: 'number', mode: ['rows', 'columns'] });
  return { className: 'orthogonalRegularizer', config: { ...options } };
}

/** factor · mean of |cosine| over all pairs of rows (or columns) */
function orthogonalRegularizer(
  w: Tensor,
  { factor = 0.01, mode = 'rows' }: { factor?: number; mode?: 'rows' | 'columns' },
): Tensor {
  if (w.rank !== 2) throw valueError(`orthogonalPenalty needs a matrix, got a tensor of rank ${w.rank}.`);
  const axis = mode === 'rows' ? 1 : 0;
  const unit = div(w, maximum(sqrt(sum(square(w), axis, true)), 1e-12));
  const cosines = matmul(unit, unit, { transA: mode === 'columns', transB: mode === 'rows' });
  const size = cosines.shape[0];
  // |cosine| of every vector with itself is 1: these terms are subtracted from the sum.
  const pairs = Math.max(1, (size * (size - 1)) / 2);
  return mul(sub(sum(abs(cosines)), size), (factor * 0.5) / pairs);
}
