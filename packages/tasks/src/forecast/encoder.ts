/**
 * Encodes a panel as network inputs: the transformed target of each series (transform.ts) and the channels of its
 * covariates (covariates.ts). A training pair has one input for the window of L rows, [L, I]. If there are future covariates,
 * the pair also has an input for the horizon of h steps, [h, F]:
 *
 *   I: the channels of the target, past covariates, calendar, future covariates and static covariates
 *   F: the two channels of each future covariate, and the horizon step divided by h
 *
 * Numeric past covariates are encoded like the target, as seasonal differences minus their centre in the window (transform.ts). If
 * the network has a second channel of the target, each of these covariates also has one, without this subtraction. Their values
 * themselves are not inputs: if the training rows cover only part of a year, later values may be unlike any in training. A future
 * covariate has two channels: its value, and its seasonal difference minus the centre.
 */
import { type FloatArray, RandomStream, UnrollError } from '@unroll/core';
import { type CalendarName, calendarChannels } from './calendar.js';
import { type ChannelConfig, channelsOf, fitChannels } from './covariates.js';
import type { Panel } from './panel.js';
import { fillGaps, ofSeries, rowsWithKnownHorizon, subsample } from './rows.js';
import {
  centreOf,
  changePerSeason,
  changesOf,
  type PreparedSeries,
  type TransformConfig,
  type TransformPlan,
  WindowTransform,
  warmUp,
} from './transform.js';

/** How a network's inputs and targets are computed. */
export type NetworkPlan = TransformPlan & {
  /** Rows in a season, 1 for none. Gaps are filled with the value one season earlier. */
  season: number;
  /** Calendar features; default none. */
  calendar?: readonly CalendarName[];
};

/** Training pairs, or the inputs of forecasts (without targets). All arrays are flat. */
export interface EncodedRows {
  /** Number of pairs or forecasts. */
  count: number;
  /** Shape [count, window, inputWidth]. */
  inputs: FloatArray;
  /** Shape [count, horizon, futureWidth]. */
  future: FloatArray;
  /** Shape [count, horizon, targetWidth]: the target and, for counts, the unit by which the inputs are divided (transform.ts). */
  targets: FloatArray;
}

export interface EncodeOptions {
  /** Array type of the result; the backend's own type avoids a copy. Default `Float64Array`. */
  floats?: new (
    length: number,
  ) => FloatArray;
  /** Whether to encode the targets as well. Default false. */
  targets?: boolean;
  /**
   * Whether to encode the categories of future and static covariates as unknown in a random part of the pairs, so that a network
   * learns what to forecast for a category that it does not know. Default false.
   */
  dropCategories?: boolean;
}

/** The training pairs to encode, see {@link PanelEncoder.pairs}. */
interface PairOptions extends Pick<EncodeOptions, 'dropCategories'> {
  from: number;
  to: number;
  maxPairs: number;
}

/** The fitted state of an encoder. Stored in pipeline.json. */
export interface EncoderConfig {
  /** The transform of each series; null if the series has too few training rows for a window. */
  transforms: (TransformConfig | null)[];
  /** The encoding of each covariate. */
  channels: ChannelConfig[];
}

/** A forecast origin: a series, and the grid index (panel.ts) of the first row to forecast. Only the rows before it are used. */
export interface Origin {
  series: number;
  origin: number;
}

/** The channels of one series, with one value per row. */
interface SeriesChannels {
  /**
   * Past covariates: the channels of numbers and the one-hot channels of categories. If `isRelative`, the values are seasonal
   * differences; their centre depends on the window, and is subtracted when a window is encoded.
   */
  past: { values: Float64Array; isRelative: boolean }[];
  /** Calendar features. */
  calendar: Float64Array[];
  /** Future covariates: their values, and their changes over `lag` rows. */
  future: { values: Float64Array; changes: Float64Array; isCategory: boolean; isRelative: boolean }[];
  /** Static covariates. */
  static: { value: number; isCategory: boolean }[];
}

/** A forecast origin with the data of its series. `row` is the row of the series at the origin. */
interface EncodingPoint {
  transform: WindowTransform;
  prepared: PreparedSeries;
  channels: SeriesChannels;
  row: number;
  /** Whether categories of future and static covariates are encoded as unknown. */
  isUnknown: boolean;
}

/** Share of the training pairs whose categories are encoded as unknown. */
const UNKNOWN_SHARE = 0.1;

export class PanelEncoder {
  readonly config: EncoderConfig;
  /** Number of input features of each row of the window. */
  readonly inputWidth: number;
  /** Number of input features of each horizon step; 0 if there are no future covariates. */
  readonly futureWidth: number;
  /** Numbers per target: 1, or 2 for counts. */
  readonly targetWidth: number;
  readonly #panel: Panel;
  readonly #plan: NetworkPlan;
  /** The target of each series; null if the series has no fitted transform. */
  readonly #targets: ({ transform: WindowTransform; prepared: PreparedSeries } | null)[];
  readonly #channels: SeriesChannels[];

  constructor(panel: Panel, plan: NetworkPlan, config: EncoderConfig) {
    this.#panel = panel;
    this.#plan = plan;
    this.config = config;
    this.#targets = config.transforms.map((transformConfig, s) => {
      if (transformConfig === null) return null;
      const transform = new WindowTransform(transformConfig);
      return { transform, prepared: transform.prepare(fillGaps(panel.series[s].values, plan.season)) };
    });
    this.#channels = panel.series.map((_, i) => this.#seriesChannels(i));
    const { past, calendar, future, static: fixed } = this.#channels[0];
    const pastWidth = past.reduce(
      (sum, { isRelative }) => sum + (isRelative && this.#hasUnsubtractedPast ? 2 : 1),
      0,
    );
    this.inputWidth =
      (plan.hasUnsubtractedChannel ? 2 : 1) + pastWidth + calendar.length + 2 * future.length + fixed.length;
    this.futureWidth = future.length === 0 ? 0 : 2 * future.length + 1;
    this.targetWidth = plan.scaler === 'counts' ? 2 : 1;
  }

  /** Returns an encoder that is fitted on the rows before grid index `cut`. */
  static fit(panel: Panel, plan: NetworkPlan, cut: number): PanelEncoder {
    const transforms = panel.series.map(({ offset, values }) => {
      const known = fillGaps(values.slice(0, Math.max(0, cut - offset)), plan.season);
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

  /**
   * Returns an encoder with the same fit for another panel. Series `n` of the other panel extends or replaces series
   * `sources[n]` of the panel of this encoder.
   */
  forPanel({ panel, sources }: { panel: Panel; sources: readonly number[] }): PanelEncoder {
    if (panel === this.#panel) return this;
    const { channels, transforms } = this.config;
    const config = { channels, transforms: sources.map((series) => transforms[series]) };
    return new PanelEncoder(panel, this.#plan, config);
  }

  /** Returns whether the series has a fitted transform, and enough rows before the origin for a window. */
  canForecast({ series, origin }: Origin): boolean {
    return this.#targets[series] !== null && origin - this.#panel.series[series].offset >= warmUp(this.#plan);
  }

  /**
   * Returns the training pairs whose targets lie between grid indices `from` and `to` (exclusive), or a random sample of
   * about `maxPairs` of them. Pairs with a missing target are excluded.
   */
  pairs(
    { from, to, maxPairs, dropCategories = false }: PairOptions,
    floats?: EncodeOptions['floats'],
  ): EncodedRows {
    return this.encode(subsample(this.#origins(from, to), maxPairs), {
      targets: true,
      dropCategories,
      ...(floats && { floats }),
    });
  }

  /** Returns the number of training pairs whose targets lie between grid indices `from` and `to` (exclusive). */
  countPairs(to: number, from = Number.NEGATIVE_INFINITY): number {
    return this.#origins(from, to).length;
  }

  /** Returns the origins of all training pairs whose targets lie between grid indices `from` and `to` (exclusive). */
  #origins(from: number, to: number): Origin[] {
    const { horizon } = this.#plan;
    return this.#panel.series.flatMap(({ offset, values }, series) => {
      if (this.#targets[series] === null) return [];
      const first = Math.max(warmUp(this.#plan), from - offset);
      const rows = rowsWithKnownHorizon(values.subarray(0, Math.max(0, to - offset)), first, horizon);
      return rows.map((row) => ({ series, origin: offset + row }));
    });
  }

  /** Returns the network's inputs at each origin and, with `targets`, the targets. */
  encode(
    origins: readonly Origin[],
    { floats: Floats = Float64Array, targets = false, dropCategories = false }: EncodeOptions = {},
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
    const random = dropCategories ? new RandomStream(0, 'categories').uniform(origins.length) : null;
    for (const [n, origin] of origins.entries()) {
      const isUnknown = random !== null && random[n] < UNKNOWN_SHARE;
      const point = this.#pointOf(origin, isUnknown);
      this.#encodeWindow(point, rows.inputs.subarray(n * width, (n + 1) * width));
      if (futureSize > 0)
        this.#encodeFuture(point, rows.future.subarray(n * futureSize, (n + 1) * futureSize));
      if (targets) this.#encodeTargets(point, rows.targets.subarray(n * targetSize, (n + 1) * targetSize));
    }
    return rows;
  }

  /** Converts the network's scaled outputs [horizon] back to values. */
  output(origin: Origin, scaledOutputs: ArrayLike<number>): Float64Array {
    const { transform, prepared, row } = this.#pointOf(origin);
    return transform.output(prepared, row, scaledOutputs);
  }

  /** Returns the unit by which the input counts of a forecast are divided; 1 for other scalers. */
  unit(origin: Origin): number {
    const { transform, prepared, row } = this.#pointOf(origin);
    return transform.unit(prepared, row);
  }

  /** Returns the data of an origin. @throws UnrollError `state` if the series has no fitted transform (see `canForecast`) */
  #pointOf({ series, origin }: Origin, isUnknown = false): EncodingPoint {
    const target = this.#targets[series];
    if (target === null) {
      const { id } = this.#panel.series[series];
      throw new UnrollError('state', `The training rows${ofSeries(id)} are too few for a network.`, {
        series,
      });
    }
    const row = origin - this.#panel.series[series].offset;
    const { transform, prepared } = target;
    return { transform, prepared, channels: this.#channels[series], row, isUnknown };
  }

  #encodeWindow(point: EncodingPoint, out: FloatArray): void {
    const { transform, prepared, channels, row, isUnknown } = point;
    const { window } = this.#plan;
    const targetChannels = transform.input(prepared, row);
    const { past, calendar, future, static: fixed } = channels;
    const pastCentres = past.map(({ values, isRelative }) => (isRelative ? this.#centre(values, row) : 0));
    const futureCentres = this.#futureCentres(point);
    let index = 0;
    for (let i = 0; i < window; i++) {
      const r = row - window + i;
      for (let c = 0; c < transform.channels; c++) out[index++] = targetChannels[i * transform.channels + c];
      for (const [c, { values, isRelative }] of past.entries()) {
        out[index++] = values[r] - pastCentres[c];
        if (isRelative && this.#hasUnsubtractedPast) out[index++] = values[r];
      }
      for (const channel of calendar) out[index++] = channel[r];
      for (const [c, { values, changes, isCategory }] of future.entries()) {
        out[index++] = isCategory && isUnknown ? 0 : values[r];
        out[index++] = isCategory && isUnknown ? 0 : changes[r] - futureCentres[c];
      }
      for (const { value, isCategory } of fixed) out[index++] = isCategory && isUnknown ? 0 : value;
    }
  }

  #encodeTargets({ transform, prepared, row }: EncodingPoint, out: FloatArray): void {
    const unit = transform.unit(prepared, row);
    for (const [k, target] of transform.targets(prepared, row).entries()) {
      out[k * this.targetWidth] = target;
      if (this.targetWidth === 2) out[k * 2 + 1] = unit;
    }
  }

  #encodeFuture(point: EncodingPoint, out: FloatArray): void {
    const { channels, row, isUnknown } = point;
    const { horizon, lag } = this.#plan;
    const centres = this.#futureCentres(point);
    let index = 0;
    for (let k = 1; k <= horizon; k++) {
      for (const [c, { values, isCategory }] of channels.future.entries()) {
        const isDropped = isCategory && isUnknown;
        out[index++] = isDropped ? 0 : values[row - 1 + k];
        out[index++] = isDropped ? 0 : changePerSeason({ z: values, lag }, row - 1, k) - centres[c];
      }
      out[index++] = k / horizon;
    }
  }

  /**
   * Whether numeric past covariates have a second channel, from which the centre is not subtracted. If the centre is always 0
   * (with the reference `zero`, or without the scaler `changes`), it would equal the first channel and is left out.
   */
  get #hasUnsubtractedPast(): boolean {
    const { hasUnsubtractedChannel, scaler, reference } = this.#plan;
    return hasUnsubtractedChannel && scaler === 'changes' && reference !== 'zero';
  }

  /** Returns the centre of the changes of a covariate in the window before `row`, computed like the centre of the target. */
  #centre(changes: Float64Array, row: number): number {
    const { scaler, reference, window } = this.#plan;
    return scaler === 'changes' ? centreOf(changes.subarray(row - window, row), reference) : 0;
  }

  #futureCentres({ channels, row }: EncodingPoint): number[] {
    return channels.future.map(({ changes, isRelative }) =>
      isRelative ? this.#centre(changes, row) : changes[row - 1],
    );
  }

  #seriesChannels(series: number): SeriesChannels {
    const { lag, calendar = [] } = this.#plan;
    const channels: SeriesChannels = {
      ...{ past: [], future: [], static: [] },
      calendar: calendarChannels(this.#panel, this.#panel.series[series], calendar),
    };
    for (const [c, config] of this.config.channels.entries()) {
      const isCategory = 'categories' in config;
      const { role, isRelative = false } = config;
      for (const values of channelsOf(config, this.#panel.series[series].covariates[c])) {
        if (role === 'static') channels.static.push({ value: values[0] ?? 0, isCategory });
        else if (role === 'future')
          channels.future.push({ values, changes: changesOf(values, lag), isCategory, isRelative });
        else channels.past.push({ values: isRelative ? changesOf(values, lag) : values, isRelative });
      }
    }
    return channels;
  }
}
