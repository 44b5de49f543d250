/**
 * Converts windows of a series to network inputs, and network outputs back to values. With lag s, window L,
 * horizon h and z the series or its logarithm:
 *
 *   d_t = z_t - z_{t-s}                        change over one season (d = z where the lag is 1)
 *   input_i = (d_{t-i} - centre) / scale       the last L changes
 *           , (d_{t-i} - mean) / deviation     with the second channel: standardised by training statistics
 *   target_k = ((z_{t+k} - z_{t+k-ms}) / m - centre) / scale,  m = ceil(k / s)
 *
 * With the default scaler (`changes`), the centre is d_t, the latest change, and the scale is that of the series. This
 * removes trend and season from every window, whatever the level of the series: a network that outputs 0 forecasts last
 * season's values plus the latest change or, with lag 1, the last value. The second channel shows the network whether that
 * change is unusual. `scale`, `mean` and `deviation` are fitted on training rows only.
 *
 * Other scalers have lag 1. `standard`, `robust` and `minmax` use statistics of the training rows of a series, `instance`
 * the mean and deviation of each window (reversible instance normalisation). `counts` divides a window by 1 + its mean and
 * leaves the targets unscaled, for the head `negbin`.
 */
import { UnrollError, valueError } from '@unroll/core';
import { MinMaxScaler, RobustScaler, StandardScaler } from '@unroll/data';

/** How the values of a window are scaled. */
export type WindowScaler = 'changes' | 'standard' | 'robust' | 'minmax' | 'instance' | 'counts';

export interface TransformPlan {
  scaler: WindowScaler;
  log: boolean;
  /** Rows over which changes are computed; 1 uses the values themselves. */
  lag: number;
  window: number;
  horizon: number;
  /** Adds the second input channel. */
  absolute: boolean;
}

export interface TransformConfig extends TransformPlan {
  /** Centre of the training rows for `standard`, `robust` and `minmax`; else 0. */
  centre: number;
  /** Scale of the training rows for these scalers; else the root mean square of the unscaled training inputs. */
  scale: number;
  /** Mean and standard deviation of d over the training rows. */
  mean: number;
  deviation: number;
  /** Values below this are raised to it before the logarithm. */
  floor: number;
}

/** A series prepared once for all its windows. */
export interface PreparedSeries {
  /** The values or their logarithms. */
  z: Float64Array;
  /** d; NaN in the first season. */
  changes: Float64Array;
}

/** Rows before the end of the first complete window: the lag (if above 1) plus the window. */
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
   * @throws UnrollError `data` if the rows do not fill one window, `value` for a logarithm without positive values
   */
  static fit(values: Float64Array, plan: TransformPlan): WindowTransform {
    if (values.length < warmUp(plan)) {
      throw new UnrollError('data', `A window needs ${warmUp(plan)} training rows, got ${values.length}.`, {
        ...plan,
      });
    }
    const floor = plan.log ? leastPositive(values) / 100 : 0;
    const { changes } = prepare(values, { ...plan, floor });
    const known = new StandardScaler().fit(changes).config() as { mean: number; deviation: number };
    const { mean, deviation } = known;
    return new WindowTransform({ ...plan, floor, mean, deviation, ...fittedFrame(changes, plan) });
  }

  /** Prepares values without gaps for the other methods. */
  prepare(values: Float64Array): PreparedSeries {
    return prepare(values, this.config);
  }

  /** The network's input [window, channels], if the rows before `row` are known. */
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

  /** The network's targets [horizon] from `row`; these rows must be known. */
  targets({ z, changes }: PreparedSeries, row: number): Float64Array {
    const { horizon, lag } = this.config;
    const { centre, scale } = this.#targetFrame(this.#seen(changes, row));
    return Float64Array.from(
      { length: horizon },
      (_, k) => (changeAhead({ z, lag }, row - 1, k + 1) - centre) / scale,
    );
  }

  /** Converts the network's output [horizon] from `row` back to values. */
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

  /** The unit by which counts are divided at `row`; 1 for other scalers. */
  unit({ changes }: PreparedSeries, row: number): number {
    return this.config.scaler === 'counts' ? this.#frame(this.#seen(changes, row)).scale : 1;
  }

  /** The window that ends before `row`. */
  #seen(changes: Float64Array, row: number): Float64Array {
    return changes.subarray(row - this.config.window, row);
  }

  /** Centre and scale of the changes of a window. */
  #frame(changes: Float64Array): Frame {
    const { scaler, centre, scale } = this.config;
    if (scaler === 'changes') return { centre: changes[changes.length - 1], scale };
    if (scaler === 'counts') return { centre: 0, scale: 1 + meanOf(changes) };
    if (scaler !== 'instance') return { centre, scale };
    const mean = meanOf(changes);
    const variance = meanOf(changes.map((change) => (change - mean) ** 2));
    // Adding a hundredth of the usual variance keeps a nearly constant window from being amplified.
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

/** Centre and scale fitted on a series, for all its windows. */
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
  if (least === Number.POSITIVE_INFINITY)
    throw valueError('The log transform needs at least one positive training value, got none.');
  return least;
}

function prepare(
  values: Float64Array,
  { log, lag, floor }: Pick<TransformConfig, 'log' | 'lag' | 'floor'>,
): PreparedSeries {
  const z = log ? values.map((value) => Math.log(Math.max(value, floor))) : values;
  return { z, changes: changesOf(z, lag) };
}

/** Changes over `lag` rows, NaN in the first `lag`; the values themselves if the lag is 1. */
export function changesOf(z: Float64Array, lag: number): Float64Array {
  return lag === 1 ? z : z.map((value, t) => (t < lag ? Number.NaN : value - z[t - lag]));
}

/** The mean change per season from row t to row t + k; z itself if the lag is 1. */
export function changeAhead({ z, lag }: { z: Float64Array; lag: number }, t: number, k: number): number {
  if (lag === 1) return z[t + k];
  const seasons = Math.ceil(k / lag);
  return (z[t + k] - z[t + k - seasons * lag]) / seasons;
}
