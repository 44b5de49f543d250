/**
 * Encodes a panel as tensors: the transformed target of each series (transform.ts), and the channels of its covariates.
 * The inputs of a training pair are the window [L, I] and, with future covariates, their values over the horizon [h, F]:
 *
 *   I: the channels of the target, past covariates, calendar, future covariates (two channels each: the value, and the
 *      change relative to the latest change, as for the target) and static covariates
 *   F: two channels of each future covariate, and the horizon step scaled to 0..1
 */
import { type FloatArray, UnrollError } from '@unroll/core';
import { type CalendarName, calendarChannels } from './calendar.js';
import { type ChannelConfig, channelsOf, fitChannels } from './covariates.js';
import type { Panel } from './panel.js';
import { filled, knownAhead, thinned } from './rows.js';
import {
  changeAhead,
  changesOf,
  type PreparedSeries,
  type TransformConfig,
  type TransformPlan,
  WindowTransform,
  warmUp,
} from './transform.js';

/** The transform, and how gaps and the calendar are encoded. */
export type NetworkPlan = TransformPlan & {
  /** Rows in a season, 1 for none; gaps are filled with the value one season earlier. */
  season: number;
  /** Calendar features; default none. */
  calendar?: readonly CalendarName[];
};

/** Pairs for training, or inputs for forecasting (then without targets). */
export interface EncodedRows {
  count: number;
  /** [count, window, inputWidth] */
  inputs: FloatArray;
  /** [count, horizon, futureWidth] */
  future: FloatArray;
  /** [count, horizon, targetWidth]: each target, and for counts also their unit. */
  targets: FloatArray;
}

export interface EncodeOptions {
  /** Array type of the result; the backend's own type avoids a copy. Default `Float64Array`. */
  floats?: new (
    length: number,
  ) => FloatArray;
  /** Default false. */
  targets?: boolean;
}

export interface EncoderConfig {
  /** One for each series; null if it has too few training rows for a window. */
  transforms: (TransformConfig | null)[];
  channels: ChannelConfig[];
}

/** A forecast origin: the rows of the series before grid index `origin` are known. */
export interface Origin {
  series: number;
  origin: number;
}

/** Channels of one series. */
interface SeriesChannels {
  /** Of past covariates and the calendar. */
  past: Float64Array[];
  /** Value and change of each future covariate. */
  future: { values: Float64Array; changes: Float64Array }[];
  static: number[];
}

/** A row at which a series is encoded: the rows before `row` are known. */
interface EncodingPoint {
  transform: WindowTransform;
  prepared: PreparedSeries;
  channels: SeriesChannels;
  row: number;
}

export class PanelEncoder {
  readonly config: EncoderConfig;
  /** Input features of a row of the window, and of a horizon step (0 without future covariates). */
  readonly inputWidth: number;
  readonly futureWidth: number;
  /** Numbers per target. */
  readonly targetWidth: number;
  readonly #panel: Panel;
  readonly #plan: NetworkPlan;
  /** Null for a series that was too short in training. */
  readonly #targets: ({ transform: WindowTransform; prepared: PreparedSeries } | null)[];
  readonly #channels: SeriesChannels[];

  constructor(panel: Panel, plan: NetworkPlan, config: EncoderConfig) {
    this.#panel = panel;
    this.#plan = plan;
    this.config = config;
    this.#targets = config.transforms.map((each, s) => {
      if (each === null) return null;
      const transform = new WindowTransform(each);
      return { transform, prepared: transform.prepare(filled(panel.series[s].values, plan.season)) };
    });
    this.#channels = panel.series.map((_, i) => this.#seriesChannels(i));
    const { past, future, static: fixed } = this.#channels[0];
    this.inputWidth = (plan.absolute ? 2 : 1) + past.length + 2 * future.length + fixed.length;
    this.futureWidth = future.length === 0 ? 0 : 2 * future.length + 1;
    this.targetWidth = plan.scaler === 'counts' ? 2 : 1;
  }

  /** Fits on the rows before grid index `cut`. */
  static fit(panel: Panel, plan: NetworkPlan, cut: number): PanelEncoder {
    const transforms = panel.series.map(({ offset, values }) => {
      const known = filled(values.slice(0, Math.max(0, cut - offset)), plan.season);
      return known.length < warmUp(plan) ? null : WindowTransform.fit(known, plan).config;
    });
    const channels = panel.covariates.map((covariate, c) => {
      const training = panel.series.flatMap(({ offset, covariates }) =>
        Array.from(covariates[c].slice(0, Math.max(0, cut - offset))),
      );
      return fitChannels(covariate, Float64Array.from(training));
    });
    return new PanelEncoder(panel, plan, { transforms, channels });
  }

  /** The same encoder for another panel, whose series `n` extends series `sources[n]` of this one. */
  for({ panel, sources }: { panel: Panel; sources: readonly number[] }): PanelEncoder {
    if (panel === this.#panel) return this;
    const { channels, transforms } = this.config;
    const own = sources.map((series) => transforms[series]);
    return new PanelEncoder(panel, this.#plan, { channels, transforms: own });
  }

  /** True if the series has a fitted transform and enough rows before the origin for a window. */
  canForecast({ series, origin }: Origin): boolean {
    return this.#targets[series] !== null && origin - this.#panel.series[series].offset >= warmUp(this.#plan);
  }

  /**
   * About `most` training pairs whose targets lie between grid indices `from` and `to` (exclusive). Pairs with a missing
   * target are excluded.
   */
  pairs(
    { from, to, most }: { from: number; to: number; most: number },
    floats?: EncodeOptions['floats'],
  ): EncodedRows {
    return this.encode(thinned(this.#origins(from, to), most), { targets: true, ...(floats && { floats }) });
  }

  /** Number of pairs before grid index `to`. */
  countPairs(to: number): number {
    return this.#origins(Number.NEGATIVE_INFINITY, to).length;
  }

  #origins(from: number, to: number): Origin[] {
    const { horizon } = this.#plan;
    return this.#panel.series.flatMap(({ offset, values }, series) => {
      if (this.#targets[series] === null) return [];
      const first = Math.max(warmUp(this.#plan), from - offset);
      const rows = knownAhead(values.subarray(0, Math.max(0, to - offset)), first, horizon);
      return rows.map((row) => ({ series, origin: offset + row }));
    });
  }

  /** The network's inputs at each origin, and the targets if requested. */
  encode(
    origins: readonly Origin[],
    { floats: Floats = Float64Array, targets = false }: EncodeOptions = {},
  ): EncodedRows {
    const { window, horizon } = this.#plan;
    const [width, futureSize, targetSize] = [
      window * this.inputWidth,
      horizon * this.futureWidth,
      targets ? horizon * this.targetWidth : 0,
    ];
    const rows: EncodedRows = {
      count: origins.length,
      inputs: new Floats(origins.length * width),
      future: new Floats(origins.length * futureSize),
      targets: new Floats(origins.length * targetSize),
    };
    for (const [n, origin] of origins.entries()) {
      const point = this.#pointOf(origin);
      this.#encodeWindow(point, rows.inputs.subarray(n * width, (n + 1) * width));
      if (futureSize > 0)
        this.#encodeFuture(point, rows.future.subarray(n * futureSize, (n + 1) * futureSize));
      if (targets) this.#encodeTargets(point, rows.targets.subarray(n * targetSize, (n + 1) * targetSize));
    }
    return rows;
  }

  /** Scaled outputs converted back to values [horizon]. */
  output(origin: Origin, scaled: ArrayLike<number>): Float64Array {
    const { transform, prepared, row } = this.#pointOf(origin);
    return transform.output(prepared, row, scaled);
  }

  /** The unit by which counts are divided; 1 for other scalers. */
  unit(origin: Origin): number {
    const { transform, prepared, row } = this.#pointOf(origin);
    return transform.unit(prepared, row);
  }

  /** @throws UnrollError `state` for a series without a fitted transform: see `canForecast` */
  #pointOf({ series, origin }: Origin): EncodingPoint {
    const target = this.#targets[series];
    if (target === null) {
      throw new UnrollError('state', `Series ${series} has too few rows to be forecast by a network.`, {
        series,
      });
    }
    const row = origin - this.#panel.series[series].offset;
    return { ...target, channels: this.#channels[series], row };
  }

  #encodeWindow({ transform, prepared, channels, row }: EncodingPoint, out: FloatArray): void {
    const { window } = this.#plan;
    const own = transform.input(prepared, row);
    const { past, future, static: fixed } = channels;
    let at = 0;
    for (let i = 0; i < window; i++) {
      const r = row - window + i;
      for (let c = 0; c < transform.channels; c++) out[at++] = own[i * transform.channels + c];
      for (const channel of past) out[at++] = channel[r];
      for (const { values, changes } of future) {
        out[at++] = values[r];
        out[at++] = changes[r] - changes[row - 1];
      }
      for (const value of fixed) out[at++] = value;
    }
  }

  #encodeTargets({ transform, prepared, row }: EncodingPoint, out: FloatArray): void {
    const unit = transform.unit(prepared, row);
    for (const [k, target] of transform.targets(prepared, row).entries()) {
      out[k * this.targetWidth] = target;
      if (this.targetWidth === 2) out[k * 2 + 1] = unit;
    }
  }

  #encodeFuture({ channels, row }: EncodingPoint, out: FloatArray): void {
    const { horizon, lag } = this.#plan;
    let at = 0;
    for (let k = 1; k <= horizon; k++) {
      for (const { values, changes } of channels.future) {
        out[at++] = values[row - 1 + k];
        out[at++] = changeAhead({ z: values, lag }, row - 1, k) - changes[row - 1];
      }
      out[at++] = k / horizon;
    }
  }

  #seriesChannels(series: number): SeriesChannels {
    const channels: SeriesChannels = { past: [], future: [], static: [] };
    for (const [c, config] of this.config.channels.entries()) {
      const values = this.#panel.series[series].covariates[c];
      for (const channel of channelsOf(config, values)) {
        if (config.role === 'past') channels.past.push(channel);
        else if (config.role === 'static') channels.static.push(channel[0] ?? 0);
        else channels.future.push({ values: channel, changes: changesOf(channel, this.#plan.lag) });
      }
    }
    const { calendar = [] } = this.#plan;
    channels.past.push(...calendarChannels(this.#panel, this.#panel.series[series], calendar));
    return channels;
  }
}
