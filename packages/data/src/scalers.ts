/**
 * Invertible scalers. Fit a scaler on training rows only, transform any values, and invert predictions. Missing
 * values (NaN) are ignored in fitting and stay missing. `config()` returns JSON; `scalerFromConfig` restores the
 * scaler from it.
 */
import { UnrollError, valueError } from '@unroll/core';
import { nameHint, shown } from '@unroll/core/internal';

export type ScalerConfig =
  | { kind: 'standard'; mean: number; deviation: number }
  | { kind: 'minMax'; min: number; max: number }
  | { kind: 'robust'; median: number; spread: number }
  | { kind: 'log'; offset: number };

export interface Scaler {
  /** Fits the scaler on training values; returns the scaler itself. */
  fit(values: ArrayLike<number>): this;
  /** Scaled copies of the values. */
  transform(values: ArrayLike<number>): Float64Array;
  /** The original values of scaled values. */
  inverse(values: ArrayLike<number>): Float64Array;
  /** The fitted parameters as JSON. */
  config(): ScalerConfig;
}

/** The common part of the scalers: x -> (x - centre) / scale, where `measure` computes centre and scale. */
abstract class AffineScaler {
  #fitted: { centre: number; scale: number } | null;

  constructor(fitted: { centre: number; scale: number } | null = null) {
    this.#fitted = fitted;
  }

  /** Centre and scale of at least one finite value. */
  protected abstract measure(values: Float64Array): { centre: number; scale: number };

  fit(values: ArrayLike<number>): this {
    const known = Float64Array.from(values).filter((value) => !Number.isNaN(value));
    if (known.length === 0) throw valueError('A scaler must be fitted on at least one value, got none.');
    const { centre, scale } = this.measure(known);
    this.#fitted = { centre, scale: scale > 0 ? scale : 1 };
    return this;
  }

  transform(values: ArrayLike<number>): Float64Array {
    const { centre, scale } = this.fitted();
    return Float64Array.from(values, (value) => (value - centre) / scale);
  }

  inverse(values: ArrayLike<number>): Float64Array {
    const { centre, scale } = this.fitted();
    return Float64Array.from(values, (value) => value * scale + centre);
  }

  protected fitted(): { centre: number; scale: number } {
    if (this.#fitted === null)
      throw new UnrollError('state', 'This scaler has not been fitted: call fit(values) first.');
    return this.#fitted;
  }
}

/** Scales to mean 0 and (population) standard deviation 1. A constant series becomes 0. */
export class StandardScaler extends AffineScaler implements Scaler {
  protected measure(values: Float64Array): { centre: number; scale: number } {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { centre: mean, scale: Math.sqrt(variance) };
  }

  config(): ScalerConfig {
    const { centre, scale } = this.fitted();
    return { kind: 'standard', mean: centre, deviation: scale };
  }
}

/** Scales the range of the fitted values to 0..1. A constant series becomes 0. */
export class MinMaxScaler extends AffineScaler implements Scaler {
  protected measure(values: Float64Array): { centre: number; scale: number } {
    const min = values.reduce((a, b) => Math.min(a, b));
    return { centre: min, scale: values.reduce((a, b) => Math.max(a, b)) - min };
  }

  config(): ScalerConfig {
    const { centre, scale } = this.fitted();
    return { kind: 'minMax', min: centre, max: centre + scale };
  }
}

/** Scales to median 0 and interquartile range 1; robust to outliers. */
export class RobustScaler extends AffineScaler implements Scaler {
  protected measure(values: Float64Array): { centre: number; scale: number } {
    const sorted = values.slice().sort();
    return { centre: quantile(sorted, 0.5), scale: quantile(sorted, 0.75) - quantile(sorted, 0.25) };
  }

  config(): ScalerConfig {
    const { centre, scale } = this.fitted();
    return { kind: 'robust', median: centre, spread: scale };
  }
}

/** Natural logarithm of value + offset; turns multiplicative growth into additive growth. */
export class LogScaler implements Scaler {
  readonly offset: number;

  constructor(offset = 0) {
    this.offset = offset;
  }

  fit(values: ArrayLike<number>): this {
    for (let i = 0; i < values.length; i++) this.#check(values[i], i);
    return this;
  }

  transform(values: ArrayLike<number>): Float64Array {
    return Float64Array.from(values, (value, i) => {
      this.#check(value, i);
      return Math.log(value + this.offset);
    });
  }

  inverse(values: ArrayLike<number>): Float64Array {
    return Float64Array.from(values, (value) => Math.exp(value) - this.offset);
  }

  config(): ScalerConfig {
    return { kind: 'log', offset: this.offset };
  }

  #check(value: number, i: number): void {
    if (!(value + this.offset <= 0)) return;
    throw valueError(`The logarithm needs values above ${-this.offset}, got ${value} at index ${i}.`, {
      value,
      index: i,
    });
  }
}

const KINDS = ['standard', 'minMax', 'robust', 'log'] satisfies ScalerConfig['kind'][];

/** Restores a scaler from its config. */
export function scalerFromConfig(config: ScalerConfig): Scaler {
  switch (config.kind) {
    case 'standard':
      return new StandardScaler({ centre: config.mean, scale: config.deviation });
    case 'minMax':
      return new MinMaxScaler({ centre: config.min, scale: config.max - config.min });
    case 'robust':
      return new RobustScaler({ centre: config.median, scale: config.spread });
    case 'log':
      return new LogScaler(config.offset);
    default: {
      const { kind } = config as { kind: unknown };
      throw valueError(`There is no scaler of kind ${shown(kind)}. ${nameHint(kind, KINDS)}`, { kind });
    }
  }
}

/** The quantile `q` in 0..1 of sorted values, interpolated linearly. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw valueError('A quantile needs at least one value, got none.');
  if (!(q >= 0 && q <= 1)) throw valueError(`q must be between 0 and 1, got ${shown(q)}.`);
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}
