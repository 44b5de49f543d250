/**
 * Invertible scalers. Call `fit` with training values only, `transform` for the inputs, and `inverse` for the predictions. Missing
 * values (NaN) are ignored by `fit` and stay missing. `config()` returns a scaler as JSON, and `scalerFromConfig` restores it.
 */
import { UnrollError, valueError } from '@unroll/core';
import { formatValue, nameHint } from '@unroll/core/internal';

export type ScalerConfig =
  | { kind: 'standard'; mean: number; deviation: number }
  | { kind: 'minMax'; min: number; max: number }
  | { kind: 'robust'; median: number; spread: number }
  | { kind: 'log'; offset: number };

export interface Scaler {
  /** Fits the scaler to training values and returns the scaler itself. */
  fit(values: ArrayLike<number>): this;
  /** Returns scaled copies of the values. */
  transform(values: ArrayLike<number>): Float64Array;
  /** Converts scaled values back to the original scale. */
  inverse(values: ArrayLike<number>): Float64Array;
  /** Returns the fitted parameters as JSON. */
  config(): ScalerConfig;
}

/** Base class of the scalers that compute (x - centre) / scale. A scale of 0 is replaced by 1. */
abstract class AffineScaler {
  #fitted: { centre: number; scale: number } | null;

  constructor(fitted: { centre: number; scale: number } | null = null) {
    this.#fitted = fitted;
  }

  /** Computes centre and scale. `values` is not empty and has no NaN. */
  protected abstract measure(values: Float64Array): { centre: number; scale: number };

  fit(values: ArrayLike<number>): this {
    const present = Float64Array.from(values).filter((value) => !Number.isNaN(value));
    if (present.length === 0)
      throw valueError('A scaler must be fitted on at least one value that is not NaN, got none.');
    const { centre, scale } = this.measure(present);
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

  /** @throws UnrollError `state` before `fit` */
  protected fitted(): { centre: number; scale: number } {
    if (this.#fitted === null)
      throw new UnrollError('state', 'This scaler has not been fitted: call fit(values) first.');
    return this.#fitted;
  }
}

/** Scales to mean 0 and (population) standard deviation 1. Constant values become 0. */
export class StandardScaler extends AffineScaler implements Scaler {
  protected measure(values: Float64Array): { centre: number; scale: number } {
    // The mean of equal values may differ from them by a rounding error, and so may their deviation from 0.
    if (values.every((value) => value === values[0])) return { centre: values[0], scale: 0 };
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { centre: mean, scale: Math.sqrt(variance) };
  }

  config(): ScalerConfig {
    const { centre, scale } = this.fitted();
    return { kind: 'standard', mean: centre, deviation: scale };
  }
}

/** Scales the range of the fitted values to 0..1. Constant values become 0. */
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

/** Computes log(value + offset), which turns exponential growth into linear growth. `fit` only checks the values. */
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
    throw valueError(`LogScaler needs values above ${-this.offset}, got ${value} at index ${i}.`, {
      value,
      index: i,
    });
  }
}

const KINDS = ['standard', 'minMax', 'robust', 'log'] satisfies ScalerConfig['kind'][];

/** Restores a scaler from its config. @throws UnrollError `value` for an unknown kind */
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
      throw valueError(`There is no scaler of kind ${formatValue(kind)}. ${nameHint(kind, KINDS)}`, { kind });
    }
  }
}

/** Returns the quantile `q` (0 to 1) of sorted values, with linear interpolation. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) throw valueError('A quantile needs at least one value, got none.');
  if (!(q >= 0 && q <= 1)) throw valueError(`q must be between 0 and 1, got ${formatValue(q)}.`);
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}
