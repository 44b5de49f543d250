/** Constraints on weights, applied after each update. They are plain data, so that a model's config can store them. */
import { add, div, maximum, minimum, mul, sqrt, square, sum, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { named } from './named.js';

export interface MaxNormOptions {
  /** Default 2. */
  maxValue?: number;
  /** Axis over which norms are computed: 0 for the weights into one unit. Default 0. */
  axis?: number | readonly number[];
}
export interface MinMaxNormOptions {
  /** Default 0. */
  minValue?: number;
  /** Default 1. */
  maxValue?: number;
  /** Fraction of the way to the allowed norm that each update moves. Default 1. */
  rate?: number;
  /** Default 0. */
  axis?: number | readonly number[];
}

type Projection<O> = (weights: Tensor, options: O) => Tensor;

const EPSILON = 1e-7; // Keras's
const norm = (w: Tensor, axis: number | readonly number[]): Tensor => sqrt(sum(square(w), axis, true));

const table = {
  maxNorm(w: Tensor, { maxValue = 2, axis = 0 }: MaxNormOptions): Tensor {
    const norms = norm(w, axis);
    return mul(w, div(minimum(norms, maxValue), add(norms, EPSILON)));
  },
  nonNeg: (w: Tensor): Tensor => maximum(w, 0),
  unitNorm: (w: Tensor, { axis = 0 }: { axis?: number | readonly number[] }): Tensor =>
    div(w, add(norm(w, axis), EPSILON)),
  minMaxNorm(w: Tensor, { minValue = 0, maxValue = 1, rate = 1, axis = 0 }: MinMaxNormOptions): Tensor {
    const norms = norm(w, axis);
    const allowed = minimum(maximum(norms, minValue), maxValue);
    const wanted = add(mul(allowed, rate), mul(norms, 1 - rate));
    return mul(w, div(wanted, add(norms, EPSILON)));
  },
};

export type ConstraintName = keyof typeof table;
/** A constraint with options, as plain data. */
export interface ConstraintConfig {
  className: ConstraintName;
  config: Readonly<Record<string, unknown>>;
}
/** A name (with default options), or the result of {@link maxNorm}, {@link unitNorm}, ... */
export type Constraint = ConstraintName | ConstraintConfig;

/** @throws UnrollError `value` for an unknown name */
export function constraint(how: Constraint, owner = ''): (weights: Tensor) => Tensor {
  const { className, config } = named('constraint', table, how, owner);
  return (weights) => (table[className] as Projection<unknown>)(weights, config);
}

/** Limits norms over `axis` to `maxValue`. */
export function maxNorm(options: MaxNormOptions = {}): ConstraintConfig {
  checkOptions('maxNorm', options, { maxValue: 'number', axis: true });
  return { className: 'maxNorm', config: { ...options } };
}

/** Sets negative weights to 0. */
export function nonNeg(): ConstraintConfig {
  return { className: 'nonNeg', config: {} };
}

/** Scales weights to norm 1 over `axis` (default 0). */
export function unitNorm(options: { axis?: number | readonly number[] } = {}): ConstraintConfig {
  checkOptions('unitNorm', options, { axis: true });
  return { className: 'unitNorm', config: { ...options } };
}

/** Moves norms over `axis` into the range from `minValue` to `maxValue`, at `rate`. */
export function minMaxNorm(options: MinMaxNormOptions = {}): ConstraintConfig {
  checkOptions('minMaxNorm', options, {
    minValue: 'number',
    maxValue: 'number',
    rate: 'number',
    axis: true,
  });
  return { className: 'minMaxNorm', config: { ...options } };
}
