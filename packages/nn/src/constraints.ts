/** Constraints on weights, applied after each update. Constraints are plain data that a model's config can store. */
import { add, div, maximum, minimum, mul, sqrt, square, sum, type Tensor } from '@unroll/core';
import { checkOptions } from '@unroll/core/internal';
import { nameAndOptions } from './named.js';

export interface MaxNormOptions {
  /** The largest allowed norm. Default 2. */
  maxValue?: number;
  /** Axis or axes over which norms are computed. Default 0: the norm of the weights into each unit. */
  axis?: number | readonly number[];
}
export interface MinMaxNormOptions {
  /** The smallest allowed norm. Default 0. */
  minValue?: number;
  /** The largest allowed norm. Default 1. */
  maxValue?: number;
  /** Each update moves a norm by this fraction of its distance to the allowed range. Default 1. */
  rate?: number;
  /** Axis or axes over which norms are computed. Default 0. */
  axis?: number | readonly number[];
}

type Projection<O> = (weights: Tensor, options: O) => Tensor;

const EPSILON = 1e-7; // as in Keras
const norm = (w: Tensor, axis: number | readonly number[]): Tensor => sqrt(sum(square(w), axis, true));

const constraints = {
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
    const targetNorms = add(mul(allowed, rate), mul(norms, 1 - rate));
    return mul(w, div(targetNorms, add(norms, EPSILON)));
  },
};

export type ConstraintName = keyof typeof constraints;
/** A constraint with options, as plain data. */
export interface ConstraintConfig {
  className: ConstraintName;
  config: Readonly<Record<string, unknown>>;
}
/** A constraint: a name (with default options), or the result of {@link maxNorm}, {@link unitNorm}, ... */
export type Constraint = ConstraintName | ConstraintConfig;

/** Returns the function that applies a constraint to weights. @throws UnrollError `value` for an unknown name */
export function constraint(spec: Constraint, owner = ''): (weights: Tensor) => Tensor {
  const { className, config } = nameAndOptions('constraint', constraints, spec, owner);
  return (weights) => (constraints[className] as Projection<unknown>)(weights, config);
}

/** Creates a constraint that limits norms over `axis` to `maxValue`. */
export function maxNorm(options: MaxNormOptions = {}): ConstraintConfig {
  checkOptions('maxNorm', options, { maxValue: 'number', axis: true });
  return { className: 'maxNorm', config: { ...options } };
}

/** Creates a constraint that sets negative weights to 0. */
export function nonNeg(): ConstraintConfig {
  return { className: 'nonNeg', config: {} };
}

/** Creates a constraint that scales weights to norm 1 over `axis` (default 0). */
export function unitNorm(options: { axis?: number | readonly number[] } = {}): ConstraintConfig {
  checkOptions('unitNorm', options, { axis: true });
  return { className: 'unitNorm', config: { ...options } };
}

/**
 * Creates a constraint that moves norms over `axis` into the range from `minValue` to `maxValue`, or towards it if `rate`
 * is below 1.
 */
export function minMaxNorm(options: MinMaxNormOptions = {}): ConstraintConfig {
  checkOptions('minMaxNorm', options, {
    minValue: 'number',
    maxValue: 'number',
    rate: 'number',
    axis: true,
  });
  return { className: 'minMaxNorm', config: { ...options } };
}
