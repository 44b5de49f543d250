/**
 * Converts windows of a series to network inputs, and network outputs back to values. With lag s, window L,
 * horizon h and z the series or its logarithm:
 *
 *   d_t = z_t - z_{t-s}                        change over one season; with lag 1, d_t = z_t
 *   input_i = (d_{t-i} - centre) / scale       first channel, i = 0 .. L - 1
 *             (d_{t-i} - mean) / deviation     second channel (optional): standardised by training statistics
 *   target_k = ((z_{t+k} - z_{t+k-m·s}) / m - centre) / scale,  m = ceil(k / s); with lag 1, (z_{t+k} - centre) / scale
 *
 * With the default scaler (`changes`), the centre is the reference of the window, by default d_t, the latest change. The scale
 * is a constant of the series. This removes level, trend and season from every window: a network that outputs 0 forecasts last
 * season's values plus the latest change or, with lag 1, the last value. The second channel shows the network whether the latest
 * change is unusual. `scale`, `mean` and `deviation` are fitted on training rows only.
 *
 * The reference may also be the mean of the window (`mean`) or 0 (`zero`). Then the noise of the latest change does not affect all
 * steps of the forecast, but the forecast follows a change of level more slowly.
 *
 * Other scalers have lag 1. `standard`, `robust` and `minmax` use statistics of the training rows of a series, `instance`
 * the mean and deviation of each window (reversible instance normalisation). `counts` divides a window by 1 + its mean (its unit) and
 * leaves the targets unscaled, for the head `negbin`.
 */
import { UnrollError, valueError } from '@unroll/core';
import { MinMaxScaler, RobustScaler, StandardScaler } from '@unroll/data';

/** How the values of a window are scaled. */
export type WindowScaler = 'changes' | 'standard' | 'robust' | 'minmax' | 'instance' | 'counts';

/** The reference that the scaler `changes` subtracts from every row of a window: its last change, its mean, or 0. */
export type Reference = 'last' | 'mean' | 'zero';

export interface TransformPlan {
  scaler: WindowScaler;
  /** Whether z is the logarithm of the series. */
  log: boolean;
  /** Rows over which changes are computed, s above. If 1, the values themselves are used. */
  lag: number;
  /** The reference of a window with the scaler `changes`. Default `last`. */
  reference?: Reference;
  /** Input rows, L above. */
  window: number;
  horizon: number;
  /** Whether to add the second input channel, from which the reference is not subtracted. */
  hasUnsubtractedChannel: boolean;
}

export interface TransformConfig extends TransformPlan {
  /** Centre of the training rows for `standard`, `robust` and `minmax`; 0 for other scalers. */
  centre: number;
  /**
   * Scale of the training rows for `standard`, `robust` and `minmax`; for other scalers, the root mean square of
   * d_{t-i} - centre over the training windows.
   */
  scale: number;
  /** Mean and standard deviation of d over the training rows. */
  mean: number;
  deviation: number;
  /** Lower bound to which values are clamped before the logarithm. */
  floor: number;
}

/** A series, prepared once for all its windows. */
export interface PreparedSeries {
  /** The values or their logarithms. */
  z: Float64Array;
  /** d; NaN in the first season unless the lag is 1. */
  changes: Float64Array;
}

/** Returns the number of rows that must precede an origin: the window, plus the lag if it is above 1. */
export function warmUp({ lag, window }: Pick<TransformPlan, 'lag' | 'window'>): number {
  return (lag > 1 ? lag : 0) + window;
}

export class WindowTransform {
  readonly config: TransformConfig;
  /** Number of input channels: 1 or 2. */
  readonly channels: number;

  constructor(config: TransformConfig) {
    this.config = config;
    this.channels = config.hasUnsubtractedChannel ? 2 : 1;
  }

  /**
   * Fits a transform on training values without gaps.
   * @throws UnrollError `data` if there are too few rows for a window, `value` for a log transform if no value is positive
   */
  static fit(values: Float64Array, plan: TransformPlan): WindowTransform {
    if (values.length < warmUp(plan)) {
      throw new UnrollError('data', `The window needs ${warmUp(plan)} training rows, got ${values.length}.`, {
        ...plan,
      });
    }
    const floor = plan.log ? smallestPositive(values) / 100 : 0;
    const { changes } = prepare(values, { ...plan, floor });
    const { mean, deviation } = new StandardScaler().fit(changes).config() as {
      mean: number;
      deviation: number;
    };
    return new WindowTransform({ ...plan, floor, mean, deviation, ...fitScaling(changes, plan) });
  }

  /** Prepares a series without gaps for the other methods. */
  prepare(values: Float64Array): PreparedSeries {
    return prepare(values, this.config);
  }

  /** Returns the network's input [window, channels] for a forecast from `row`. Uses only the rows before `row`. */
  input({ changes }: PreparedSeries, row: number): Float64Array {
    const { mean, deviation } = this.config;
    const window = this.#window(changes, row);
    const { centre, scale } = this.#scaling(window);
    const input = new Float64Array(window.length * this.channels);
    for (const [i, change] of window.entries()) {
      input[i * this.channels] = (change - centre) / scale;
      if (this.channels === 2) input[i * this.channels + 1] = (change - mean) / deviation;
    }
    return input;
  }

  /** Returns the network's targets [horizon] for a forecast from `row`. The values of the horizon must be known. */
  targets({ z, changes }: PreparedSeries, row: number): Float64Array {
    const { horizon, lag } = this.config;
    const { centre, scale } = this.#targetScaling(this.#window(changes, row));
    const targets = new Float64Array(horizon);
    for (let k = 0; k < horizon; k++)
      targets[k] = (changePerSeason({ z, lag }, row - 1, k + 1) - centre) / scale;
    return targets;
  }

  /** Converts the network's output [horizon] for a forecast from `row` back to values. */
  output({ z, changes }: PreparedSeries, row: number, scaledOutputs: ArrayLike<number>): Float64Array {
    const { lag, horizon, log } = this.config;
    const { centre, scale } = this.#targetScaling(this.#window(changes, row));
    const forecast = new Float64Array(horizon);
    for (let i = 0; i < horizon; i++) {
      const change = scaledOutputs[i] * scale + centre;
      const seasons = Math.ceil((i + 1) / lag);
      const transformed = lag === 1 ? change : z[row + i - seasons * lag] + seasons * change;
      forecast[i] = log ? Math.exp(transformed) : transformed;
    }
    return forecast;
  }

  /** Returns the unit by which the input counts of a forecast from `row` are divided; 1 for other scalers. */
  unit({ changes }: PreparedSeries, row: number): number {
    return this.config.scaler === 'counts' ? this.#scaling(this.#window(changes, row)).scale : 1;
  }

  /** Returns the changes of the window that ends before `row`. */
  #window(changes: Float64Array, row: number): Float64Array {
    return changes.subarray(row - this.config.window, row);
  }

  /** Returns the centre and scale of the inputs of a window, given its changes. */
  #scaling(changes: Float64Array): Scaling {
    const { scaler, centre, scale } = this.config;
    if (scaler === 'changes') return { centre: centreOf(changes, this.config.reference), scale };
    if (scaler === 'counts') return { centre: 0, scale: 1 + meanOf(changes) };
    if (scaler !== 'instance') return { centre, scale };
    const mean = meanOf(changes);
    const variance = meanOf(changes.map((change) => (change - mean) ** 2));
    // A hundredth of scale² is added to the variance; otherwise, a nearly constant window would be amplified.
    return { centre: mean, scale: Math.sqrt(variance + (scale / 10) ** 2) };
  }

  /** Returns the centre and scale of the targets, given the changes of the window. */
  #targetScaling(changes: Float64Array): Scaling {
    return this.config.scaler === 'counts' ? { centre: 0, scale: 1 } : this.#scaling(changes);
  }
}

interface Scaling {
  centre: number;
  scale: number;
}

const SCALERS = { standard: StandardScaler, robust: RobustScaler, minmax: MinMaxScaler };

/** Returns the centre of a window for the scaler `changes`. */
export function centreOf(changes: Float64Array, reference: Reference = 'last'): number {
  if (reference === 'mean') return meanOf(changes);
  return reference === 'zero' ? 0 : changes[changes.length - 1];
}

/** Fits the `centre` and `scale` of the config on the changes of the training rows. */
function fitScaling(changes: Float64Array, { scaler, window, lag, reference }: TransformPlan): Scaling {
  if (scaler in SCALERS) {
    const [centre, one] = new SCALERS[scaler as keyof typeof SCALERS]().fit(changes).inverse([0, 1]);
    return { centre, scale: one - centre };
  }
  let total = 0;
  let count = 0;
  for (let t = warmUp({ lag, window }) - 1; t < changes.length; t++) {
    const centre = centreOf(changes.subarray(t - window + 1, t + 1), reference);
    for (let i = 0; i < window; i++, count++) total += (changes[t - i] - centre) ** 2;
  }
  return { centre: 0, scale: Math.sqrt(total / count) || 1 };
}

const meanOf = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Returns the smallest positive value. */
function smallestPositive(values: Float64Array): number {
  const smallest = values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Number.POSITIVE_INFINITY);
  if (smallest === Number.POSITIVE_INFINITY)
    throw valueError('The log transform needs at least one positive training value, got none.');
  return smallest;
}

function prepare(
  values: Float64Array,
  { log, lag, floor }: Pick<TransformConfig, 'log' | 'lag' | 'floor'>,
): PreparedSeries {
  const z = log ? values.map((value) => Math.log(Math.max(value, floor))) : values;
  return { z, changes: changesOf(z, lag) };
}

/** Returns the changes over `lag` rows, NaN in the first `lag` rows. If the lag is 1, returns the values themselves. */
export function changesOf(z: Float64Array, lag: number): Float64Array {
  return lag === 1 ? z : z.map((value, t) => (t < lag ? Number.NaN : value - z[t - lag]));
}

/** Returns the mean change per season from row t to row t + k. If the lag is 1, returns z in row t + k. */
export function changePerSeason({ z, lag }: { z: Float64Array; lag: number }, t: number, k: number): number {
  if (lag === 1) return z[t + k];
  const seasons = Math.ceil(k / lag);
  return (z[t + k] - z[t + k - seasons * lag]) / seasons;
}
