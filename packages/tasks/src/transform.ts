/**
 * What turns a stretch of a series into network inputs, and network outputs back into values. With lag s, window L,
 * horizon h and z the series or its logarithm:
 *
 *   d_t = z_t - z_{t-s}                        change over one season (d = z where the lag is 1)
 *   input_i = (d_{t-i} - d_t) / scale          the last L changes, measured from the last one
 *           , (d_{t-i} - mean) / deviation     and, where asked for, from their mean in training
 *   target_k = ((z_{t+k} - z_{t+k-ms}) / m - d_t) / scale,  m = ceil(k / s)
 *
 * Trend and season are thus taken away window by window, whatever level the series has reached, and a network that
 * answers 0 forecasts last season's values moved by the latest change; with lag 1, the last value. The second channel lets a network see whether
 * that change is an unusual one. `scale`, `mean` and `deviation` are fitted on training rows only.
 */
import { UnrollError, valueError } from '@unroll/core';
import { StandardScaler } from '@unroll/data';

export interface TransformPlan {
  log: boolean;
  /** Rows in a season; 1 takes the values as they are, not as changes. */
  lag: number;
  window: number;
  horizon: number;
  /** Adds the second input channel. */
  absolute: boolean;
}

export interface TransformConfig extends TransformPlan {
  /** Root mean square of the unscaled inputs of the training windows. */
  scale: number;
  /** Of d over the training rows. */
  mean: number;
  deviation: number;
  /** Least value whose logarithm is taken: values that fall lower after training are raised to it. */
  floor: number;
}

export interface ExampleRows {
  count: number;
  /** Row of the first target of the first pair; each further pair begins one row later. */
  first: number;
  /** [count, window, channels] */
  inputs: Float64Array;
  /** [count, horizon] */
  targets: Float64Array;
}

/** Rows before the first window can end: those that changes need, and the window. */
export function warmUp({ lag, window }: Pick<TransformPlan, 'lag' | 'window'>): number {
  return (lag > 1 ? lag : 0) + window;
}

export class WindowTransform {
  readonly config: TransformConfig;
  /** Input features of each row. */
  readonly channels: number;

  constructor(config: TransformConfig) {
    this.config = config;
    this.channels = config.absolute ? 2 : 1;
  }

  /**
   * Fits scale and floor on training values that have no gaps.
   * @throws UnrollError `data` when there is not one full window, `value` for a logarithm of values that are not positive
   */
  static fit(values: Float64Array, plan: TransformPlan): WindowTransform {
    if (values.length < warmUp(plan)) {
      throw new UnrollError('data', `${values.length} training rows do not fill one window.`, { ...plan });
    }
    const floor = plan.log ? leastPositive(values) / 100 : 0;
    const { changes } = prepare(values, { ...plan, floor });
    let total = 0;
    let count = 0;
    for (let t = warmUp(plan) - 1; t < values.length; t++) {
      for (let i = 0; i < plan.window; i++, count++) total += (changes[t - i]! - changes[t]!) ** 2;
    }
    const known = new StandardScaler().fit(changes).config() as { mean: number; deviation: number };
    const { mean, deviation } = known;
    return new WindowTransform({ ...plan, floor, mean, deviation, scale: Math.sqrt(total / count) || 1 });
  }

  /**
   * Every training pair in the values: one for each row that has a full window behind it and a full horizon ahead, its
   * targets beginning at row `from` or later. Gives the row after each window (that of the first target), too.
   */
  examples(values: Float64Array, from = 0): ExampleRows {
    const { window, horizon, scale } = this.config;
    const series = prepare(values, this.config);
    const first = Math.max(warmUp(this.config), from);
    const count = Math.max(0, values.length - horizon - first + 1);
    const width = window * this.channels;
    const inputs = new Float64Array(count * width);
    const targets = new Float64Array(count * horizon);
    for (let n = 0; n < count; n++) {
      const t = first + n - 1;
      inputs.set(this.#window(series.changes.subarray(t - window + 1, t + 1)), n * width);
      for (let k = 1; k <= horizon; k++) {
        targets[n * horizon + k - 1] = (changeAhead(series, t, k) - series.changes[t]!) / scale;
      }
    }
    return { count, first, inputs, targets };
  }

  /** The network's input [window, channels] after the last row of the history. */
  input(history: Float64Array): Float64Array {
    const { changes } = prepare(history.slice(-warmUp(this.config)), this.config);
    return this.#window(changes.subarray(-this.config.window));
  }

  #window(changes: Float64Array): Float64Array {
    const { scale, mean, deviation } = this.config;
    const last = changes.at(-1)!;
    const input = new Float64Array(changes.length * this.channels);
    for (const [i, change] of changes.entries()) {
      input[i * this.channels] = (change - last) / scale;
      if (this.channels === 2) input[i * this.channels + 1] = (change - mean) / deviation;
    }
    return input;
  }

  /** The values that the network's output [horizon] stands for, after the last row of the history. */
  output(history: Float64Array, scaled: ArrayLike<number>): Float64Array {
    const { lag, horizon, scale, log } = this.config;
    const { z, changes } = prepare(history.slice(-warmUp(this.config)), this.config);
    const ahead = Float64Array.from({ length: horizon }, (_, i) => {
      const change = scaled[i]! * scale + changes.at(-1)!;
      if (lag === 1) return change;
      const seasons = Math.ceil((i + 1) / lag);
      return z[z.length + i - seasons * lag]! + seasons * change;
    });
    return log ? ahead.map(Math.exp) : ahead;
  }
}

function leastPositive(values: Float64Array): number {
  const least = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Number.POSITIVE_INFINITY);
  if (least === Number.POSITIVE_INFINITY) throw valueError('A logarithm needs training values above 0.');
  return least;
}

interface Prepared {
  z: Float64Array;
  /** d; NaN in the first season. */
  changes: Float64Array;
  lag: number;
}

function prepare(
  values: Float64Array,
  { log, lag, floor }: Pick<TransformConfig, 'log' | 'lag' | 'floor'>,
): Prepared {
  const z = log ? values.map((value) => Math.log(Math.max(value, floor))) : values;
  return { z, changes: changesOf(z, lag), lag };
}

/** Change over one season, NaN in the first; the values themselves where the lag is 1. */
export function changesOf(z: Float64Array, lag: number): Float64Array {
  return lag === 1 ? z : z.map((value, t) => (t < lag ? Number.NaN : value - z[t - lag]!));
}

/** The mean change per season from row t to row t + k; z itself where the lag is 1. */
export function changeAhead({ z, lag }: Pick<Prepared, 'z' | 'lag'>, t: number, k: number): number {
  if (lag === 1) return z[t + k]!;
  const seasons = Math.ceil(k / lag);
  return (z[t + k]! - z[t + k - seasons * lag]!) / seasons;
}
