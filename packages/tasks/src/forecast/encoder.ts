/**
 * From a panel to tensors: for each series the transform of its target (transform.ts), and beside it the channels of its
 * covariates. A pair's inputs are the window [L, I]; where there are future covariates, also their rows ahead [h, F]:
 *
 *   I: the target's channels, then each past covariate's, the calendar's, each future covariate's twice (value; change
 *      from the last change, just as the target is measured), each static one's
 *   F: each future covariate's twice, and how far ahead the row lies, 0 to 1
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

/** What an encoder is made for: the transform, and how rows are read. */
export type NetworkPlan = TransformPlan & {
  /** Rows in a season, 1 for none: by it gaps are filled. */
  season: number;
  /** What is seen of the calendar; default nothing. */
  calendar?: readonly CalendarName[];
};

/** Pairs for training, or inputs for forecasting (then without targets). */
export interface EncodedRows {
  count: number;
  /** [count, window, inputWidth] */
  inputs: FloatArray;
  /** [count, horizon, futureWidth] */
  future: FloatArray;
  /** [count, horizon, targetWidth]: each target; of counts, the unit that the network sees it in too. */
  targets: FloatArray;
}

export interface EncodeOptions {
  /** The arrays to write: those that the backend computes with are not copied again. Default `Float64Array`. */
  floats?: new (
    length: number,
  ) => FloatArray;
  /** Default false. */
  targets?: boolean;
}

export interface EncoderConfig {
  /** One for each series, null for those with fewer training rows than a window needs. */
  transforms: (TransformConfig | null)[];
  channels: ChannelConfig[];
}

/** A place to forecast from: rows of the series up to grid place `origin` (exclusive) are known. */
export interface Origin {
  series: number;
  origin: number;
}

/** Channels along one series. */
interface SeriesChannels {
  /** Of past covariates and the calendar. */
  past: Float64Array[];
  /** Value and change of each future covariate. */
  future: { values: Float64Array; changes: Float64Array }[];
  static: number[];
}

/** Where a series is encoded: the rows before `row` are known. */
interface Place {
  transform: WindowTransform;
  prepared: PreparedSeries;
  channels: SeriesChannels;
  row: number;
}

export class PanelEncoder {
  readonly config: EncoderConfig;
  /** Input features of a row of the window, and of a row ahead (0 without future covariates). */
  readonly inputWidth: number;
  readonly futureWidth: number;
  /** Numbers of a target. */
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

  /** Fits on the rows before grid place `cut`. */
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

  /** The same for another panel, whose series `n` goes on series `sources[n]` of this one. */
  for({ panel, sources }: { panel: Panel; sources: readonly number[] }): PanelEncoder {
    if (panel === this.#panel) return this;
    const { channels, transforms } = this.config;
    const own = sources.map((series) => transforms[series]);
    return new PanelEncoder(panel, this.#plan, { channels, transforms: own });
  }

  /** True if the network can forecast from there: the series was known in training, and its window is full. */
  reaches({ series, origin }: Origin): boolean {
    return this.#targets[series] !== null && origin - this.#panel.series[series].offset >= warmUp(this.#plan);
  }

  /**
   * The training pairs whose targets lie in grid places `from` to `to` (exclusive), about `most` of them. Pairs with a
   * missing target are left out.
   */
  pairs(
    { from, to, most }: { from: number; to: number; most: number },
    floats?: EncodeOptions['floats'],
  ): EncodedRows {
    return this.encode(thinned(this.#origins(from, to), most), { targets: true, ...(floats && { floats }) });
  }

  /** How many pairs there are before grid place `to`. */
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

  /** The network's inputs at each origin, and the targets where they are asked for. */
  encode(
    origins: readonly Origin[],
    { floats: Floats = Float64Array, targets = false }: EncodeOptions = {},
  ): EncodedRows {
    const { window, horizon } = this.#plan;
    const [width, ahead, wanted] = [
      window * this.inputWidth,
      horizon * this.futureWidth,
      targets ? horizon * this.targetWidth : 0,
    ];
    const rows: EncodedRows = {
      count: origins.length,
      inputs: new Floats(origins.length * width),
      future: new Floats(origins.length * ahead),
      targets: new Floats(origins.length * wanted),
    };
    for (const [n, origin] of origins.entries()) {
      const place = this.#placeOf(origin);
      this.#encodeWindow(place, rows.inputs.subarray(n * width, (n + 1) * width));
      if (ahead > 0) this.#encodeAhead(place, rows.future.subarray(n * ahead, (n + 1) * ahead));
      if (targets) this.#encodeTargets(place, rows.targets.subarray(n * wanted, (n + 1) * wanted));
    }
    return rows;
  }

  /** The values [horizon] that scaled outputs stand for. */
  output(origin: Origin, scaled: ArrayLike<number>): Float64Array {
    const { transform, prepared, row } = this.#placeOf(origin);
    return transform.output(prepared, row, scaled);
  }

  /** The unit that the network sees counts in; 1 for all that are not counted. */
  unit(origin: Origin): number {
    const { transform, prepared, row } = this.#placeOf(origin);
    return transform.unit(prepared, row);
  }

  /** @throws UnrollError `state` for a series that was too short in training: see `reaches` */
  #placeOf({ series, origin }: Origin): Place {
    const target = this.#targets[series];
    if (target === null) {
      throw new UnrollError('state', `Series ${series} was too short in training to be forecast.`, {
        series,
      });
    }
    const row = origin - this.#panel.series[series].offset;
    return { ...target, channels: this.#channels[series], row };
  }

  #encodeWindow({ transform, prepared, channels, row }: Place, out: FloatArray): void {
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

  #encodeTargets({ transform, prepared, row }: Place, out: FloatArray): void {
    const unit = transform.unit(prepared, row);
    for (const [k, target] of transform.targets(prepared, row).entries()) {
      out[k * this.targetWidth] = target;
      if (this.targetWidth === 2) out[k * 2 + 1] = unit;
    }
  }

  #encodeAhead({ channels, row }: Place, out: FloatArray): void {
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
