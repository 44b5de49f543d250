/**
 * What turns a stretch of a series into network inputs, and network outputs back into values. With lag s, window L,
 * horizon h and z the series or its logarithm:
 *
 *   d_t = z_t - z_{t-s}                        change over one season (d = z where the lag is 1)
 *   input_i = (d_{t-i} - centre) / scale       the last L changes
 *           , (d_{t-i} - mean) / deviation     and, where asked for, from their mean in training
 *   target_k = ((z_{t+k} - z_{t+k-ms}) / m - centre) / scale,  m = ceil(k / s)
 *
 * Usually (`changes`) the centre is d_t, the latest change, and the scale that of the series. Trend and season are thus
 * taken away window by window, whatever level the series has reached, and a network that answers 0 forecasts last season's
 * values moved by the latest change; with lag 1, the last value. The second channel lets a network see whether that change
 * is an unusual one. `scale`, `mean` and `deviation` are fitted on training rows only.
 *
 * Other scalers have lag 1: `standard`, `robust` and `minmax` measure a series by its training rows, `instance` each
 * window by its own mean and deviation (reversible instance normalisation). `counts` divides a window by 1 + its mean, and
 * leaves the targets what they are, for a head that knows of counts.
 */
import { UnrollError, valueError } from '@unroll/core';
import { MinMaxScaler, RobustScaler, StandardScaler } from '@unroll/data';

/** How the values of a window are measured. */
export type WindowScaler = 'changes' | 'standard' | 'robust' | 'minmax' | 'instance' | 'counts';

export interface TransformPlan {
  scaler: WindowScaler;
  log: boolean;
  /** Rows in a season; 1 takes the values as they are, not as changes. */
  lag: number;
  window: number;
  horizon: number;
  /** Adds the second input channel. */
  absolute: boolean;
}

export interface TransformConfig extends TransformPlan {
  /** Of the training rows, for the scalers that measure by them; else 0. */
  centre: number;
  /** Root mean square of the unscaled inputs of the training windows; of those scalers, theirs. */
  scale: number;
  /** Of d over the training rows. */
  mean: number;
  deviation: number;
  /** Least value whose logarithm is taken: values that fall lower after training are raised to it. */
  floor: number;
}

/** A series in the scale of the transform, prepared once for all its windows. */
export interface PreparedSeries {
  /** The values or their logarithms. */
  z: Float64Array;
  /** d; NaN in the first season. */
  changes: Float64Array;
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
    const known = new StandardScaler().fit(changes).config() as { mean: number; deviation: number };
    const { mean, deviation } = known;
    return new WindowTransform({ ...plan, floor, mean, deviation, ...fittedFrame(changes, plan) });
  }

  /** Values that have no gaps, as the other methods take them. */
  prepare(values: Float64Array): PreparedSeries {
    return prepare(values, this.config);
  }

  /** The network's input [window, channels] where the rows before `row` are known. */
  input({ changes }: PreparedSeries, row: number): Float64Array {
    const { mean, deviation } = this.config;
    const seen = this.#seen(changes, row);
    const { centre, scale } = this.#frame(seen);
    const input = new Float64Array(seen.length * this.channels);
    for (const [i, change] of seen.entries()) {
      input[i * this.channels] = (change - centre) / scale;
      if (this.channels === 2) input[i * this.channels + 1] = (change - mean) / deviation;
    }
    return input;
  }

  /** What the network is to answer there [horizon]; as many rows from `row` on must be known. */
  targets({ z, changes }: PreparedSeries, row: number): Float64Array {
    const { horizon, lag } = this.config;
    const { centre, scale } = this.#targetFrame(this.#seen(changes, row));
    return Float64Array.from(
      { length: horizon },
      (_, k) => (changeAhead({ z, lag }, row - 1, k + 1) - centre) / scale,
    );
  }

  /** The values that the network's output [horizon] stands for there. */
  output({ z, changes }: PreparedSeries, row: number, scaled: ArrayLike<number>): Float64Array {
    const { lag, horizon, log } = this.config;
    const { centre, scale } = this.#targetFrame(this.#seen(changes, row));
    const ahead = Float64Array.from({ length: horizon }, (_, i) => {
      const change = scaled[i] * scale + centre;
      if (lag === 1) return change;
      const seasons = Math.ceil((i + 1) / lag);
      return z[row + i - seasons * lag] + seasons * change;
    });
    return log ? ahead.map(Math.exp) : ahead;
  }

  /** The unit that the network sees counts in there; 1 for all that are not counted. */
  unit({ changes }: PreparedSeries, row: number): number {
    return this.config.scaler === 'counts' ? this.#frame(this.#seen(changes, row)).scale : 1;
  }

  /** The window that ends before `row`. */
  #seen(changes: Float64Array, row: number): Float64Array {
    return changes.subarray(row - this.config.window, row);
  }

  /** What the changes of a window are measured from, and in. */
  #frame(changes: Float64Array): Frame {
    const { scaler, centre, scale } = this.config;
    if (scaler === 'changes') return { centre: changes[changes.length - 1], scale };
    if (scaler === 'counts') return { centre: 0, scale: 1 + meanOf(changes) };
    if (scaler !== 'instance') return { centre, scale };
    const mean = meanOf(changes);
    const variance = meanOf(changes.map((change) => (change - mean) ** 2));
    // A window that hardly moves is not blown up: a hundredth of the usual variance is added.
    return { centre: mean, scale: Math.sqrt(variance + (scale / 10) ** 2) };
  }

  #targetFrame(changes: Float64Array): Frame {
    return this.config.scaler === 'counts' ? { centre: 0, scale: 1 } : this.#frame(changes);
  }
}

interface Frame {
  centre: number;
  scale: number;
}

const SCALERS = { standard: StandardScaler, robust: RobustScaler, minmax: MinMaxScaler };

/** What all windows of a series have in common. */
function fittedFrame(changes: Float64Array, { scaler, window, lag }: TransformPlan): Frame {
  if (scaler in SCALERS) {
    const [centre, one] = new SCALERS[scaler as keyof typeof SCALERS]().fit(changes).inverse([0, 1]);
    return { centre: centre, scale: one - centre };
  }
  let total = 0;
  let count = 0;
  for (let t = warmUp({ lag, window }) - 1; t < changes.length; t++) {
    for (let i = 0; i < window; i++, count++) total += (changes[t - i] - changes[t]) ** 2;
  }
  return { centre: 0, scale: Math.sqrt(total / count) || 1 };
}

const meanOf = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function leastPositive(values: Float64Array): number {
  const least = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Number.POSITIVE_INFINITY);
  if (least === Number.POSITIVE_INFINITY) throw valueError('A logarithm needs training values above 0.');
  return least;
}

function prepare(
  values: Float64Array,
  { log, lag, floor }: Pick<TransformConfig, 'log' | 'lag' | 'floor'>,
): PreparedSeries {
  const z = log ? values.map((value) => Math.log(Math.max(value, floor))) : values;
  return { z, changes: changesOf(z, lag) };
}

/** Change over one season, NaN in the first; the values themselves where the lag is 1. */
export function changesOf(z: Float64Array, lag: number): Float64Array {
  return lag === 1 ? z : z.map((value, t) => (t < lag ? Number.NaN : value - z[t - lag]));
}

/** The mean change per season from row t to row t + k; z itself where the lag is 1. */
export function changeAhead({ z, lag }: { z: Float64Array; lag: number }, t: number, k: number): number {
  if (lag === 1) return z[t + k];
  const seasons = Math.ceil(k / lag);
  return (z[t + k] - z[t + k - seasons * lag]) / seasons;
}
