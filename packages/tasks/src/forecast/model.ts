/**
 * The trained forecasting model. `forecast` returns it, and the commands save, load and run it. Its files are read and written by
 * artifact.ts, its tables are read by reader.ts, and its networks are run by joined-networks.ts. It is one class, because all
 * methods need the pipeline and the networks.
 */
import { UnrollError, valueError } from '@unroll/core';
import type { JsonObject } from '@unroll/core/internal';
import { type DateOrder, describeFrequency, quantile, type Table } from '@unroll/data';
import type { Network } from '@unroll/nn';
import { checkRequest, checkRow } from '../shared/request.js';
import type {
  NetworkExample,
  TaskFact,
  TaskModel,
  TaskOption,
  TaskRequest,
  TaskResult,
  TaskScores,
} from '../shared/task.js';
import { readForecast, writeForecast } from './artifact.js';
import { baselineForecasts, baselines } from './baselines.js';
import { calibrateIntervals, type Intervals, type SeriesScale } from './calibration.js';
import { combine, weightsText } from './combination.js';
import { normalQuantile } from './distributions.js';
import { type Origin, PanelEncoder } from './encoder.js';
import { evaluateForecast } from './evaluate.js';
import { checkFutureCovariates } from './future.js';
import { addFutureRows } from './future-rows.js';
import { makeHead } from './heads.js';
import { JoinedNetworks, joinNetworks } from './joined-networks.js';
import { shiftNotes } from './levelled.js';
import { networkPlanOf } from './network.js';
import { endOf, type Panel, timeAt } from './panel.js';
import { type ForecastPipeOptions, type ForecastPoint, forecastPoints, forecastRequest } from './pipe.js';
import { type ModelParts, marginsFrom, type Pipeline, pipelineOf, storedPanel } from './pipeline.js';
import type { ForecastPlan } from './plan.js';
import { panelOptionsOf, readPanel, type TimeReading } from './reader.js';
import { withFutureCells } from './rollout.js';
import { fillGaps, isNonNegative, listSeries } from './rows.js';
import { type SeasonalSpread, spreadAt } from './seasonal-spread.js';
import { forecastTable } from './tables.js';
import { type TransformConfig, WindowTransform, warmUp } from './transform.js';

/** The forecast of one series, in the unit of the target. All arrays have the length of the horizon. */
export interface SeriesForecast extends Intervals {
  /** Value of the series column; empty if the table is one series. */
  id: string;
  /** Times of the forecast rows. */
  time: string[];
  /**
   * With the head `negbin`, the mean of the negative binomial distribution. With a log transform, the mean of a lognormal
   * distribution fitted to the median and the narrowest interval. Otherwise equal to the median.
   */
  mean: Float64Array;
}

const OPTIONS: readonly TaskOption[] = [
  {
    name: 'horizon',
    type: 'integer',
    least: 1,
    help: 'number of rows to forecast (default: the horizon of the training run; a longer horizon is forecast recursively)',
  },
  {
    name: 'future-rows',
    type: 'table',
    help: 'file with the future covariates of the rows to forecast, if --data does not contain them',
  },
  {
    name: 'dates',
    type: 'text',
    placeholder: 'order',
    help: 'order of day, month and year in dates such as 01/02/2024: dmy, mdy or ymd (default: as in training)',
  },
  {
    name: 'timezone',
    type: 'text',
    placeholder: 'name',
    help: 'local time zone, such as Europe/Berlin, of daily rows whose times are in UTC (default: as in training)',
  },
];

export class ForecastModel implements TaskModel {
  readonly pipeline: Pipeline;
  /**
   * The joined networks, with one output [N, plan.chunk, head.outputs] for each network; plan.chunk is the number of horizon steps
   * that a network outputs at once. Null if the model is a baseline.
   */
  readonly network: Network | null;
  readonly options = OPTIONS;
  readonly about =
    'Forecasts the rows after those in --data. The file needs the columns of the training data and may contain all rows ' +
    'of the series or only the rows after the training data. Without --data, the model forecasts the rows after its training data.';

  constructor(pipeline: Pipeline, network: Network | null) {
    this.pipeline = pipeline;
    this.network = network;
  }

  /** Creates the model from the results of a run. */
  static assemble(parts: ModelParts): ForecastModel {
    const { networks } = parts;
    return new ForecastModel(pipelineOf(parts), networks === null ? null : joinNetworks(networks));
  }

  /**
   * Loads a model from its files.
   * @param json the content of pipeline.json, if it has been read before
   * @throws UnrollError `format` if files are missing or damaged, or do not belong to a forecasting model
   */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>, json?: JsonObject): ForecastModel {
    const { pipeline, network } = readForecast(files, json);
    return new ForecastModel(pipeline, network);
  }

  /**
   * Returns the model as files by name: `pipeline.json` and, if it has networks, `config.json` and `model.safetensors`.
   * @param training JSON about the training run, for `training.json`
   */
  toFiles(training?: unknown): Promise<Map<string, Uint8Array>> {
    return writeForecast(this, training);
  }

  get format(): string {
    return this.pipeline.format;
  }

  get sql(): string | undefined {
    return this.pipeline.sql;
  }

  get reading(): Pipeline['reading'] {
    return this.pipeline.reading;
  }

  /**
   * Forecasts the rows after the last row of each series.
   * @param table rows to forecast from. It may hold only the rows after the training data: they are appended to the stored
   *   rows of the same series. Default: the stored rows
   * @param horizon number of rows to forecast. A longer horizon than in training is forecast recursively. Default: the
   *   horizon of the training run
   * @param reading how to read the times of the table. Default: as in training
   * @throws UnrollError `data` if the table lacks columns or covariates that the model needs
   */
  async forecast(
    table?: Table,
    horizon = this.pipeline.plan.horizon,
    reading: TimeReading = {},
  ): Promise<{ panel: Panel; forecasts: SeriesForecast[]; notes: string[] }> {
    if (!Number.isInteger(horizon) || horizon < 1) {
      throw valueError(`horizon must be a positive integer, got ${horizon}.`, { horizon });
    }
    const panel = table === undefined ? storedPanel(this.pipeline) : readPanel(this.pipeline, table, reading);
    return { panel, ...(await this.forecastPanel(panel, horizon)) };
  }

  /** Forecasts every series from its last row. Series that are too short for the network are forecast by the best baseline. */
  async forecastPanel(
    panel: Panel,
    horizon = this.pipeline.plan.horizon,
  ): Promise<{ forecasts: SeriesForecast[]; notes: string[] }> {
    const { fallback, plan, levels } = this.pipeline;
    checkFutureCovariates(panel, horizon);
    const ends = panel.series.map((series, i): Origin => ({ series: i, origin: endOf(series) }));
    const { intervals, short } = await this.forecastAt(panel, ends, horizon);
    const forecasts = ends.map(({ origin }, n): SeriesForecast => {
      const time = Array.from({ length: horizon }, (_, k) => timeAt(panel, origin + k));
      const mean = intervals[n].mean ?? meanOf(intervals[n], plan, levels);
      return { id: panel.series[n].id, time, ...intervals[n], mean };
    });
    const notes = [
      ...this.#newSeriesNotes(panel),
      ...shortSeriesNotes(panel, short, fallback),
      ...longHorizonNotes(plan, horizon),
      ...shiftNotes(panel, plan),
    ];
    return { forecasts, notes };
  }

  /**
   * Forecasts from each origin, using only the rows before it.
   * @returns the forecasts, and the origins with too few rows for the network, from which the best baseline forecasts
   */
  async forecastAt(
    panel: Panel,
    origins: readonly Origin[],
    horizon: number,
  ): Promise<{ intervals: Intervals[]; short: Origin[] }> {
    const { margins, upperMargins, spread } = this.pipeline;
    if (this.network === null) return { intervals: this.baselineAt(panel, origins, horizon), short: [] };
    const extended = withFutureCells(panel, horizon + this.pipeline.plan.chunk);
    const networks = this.#networks(extended, this.network);
    const forecastable = origins.filter((origin) => networks.canForecast(origin));
    const short = origins.filter((origin) => !networks.canForecast(origin));
    const scales = this.#scales(panel, spread, marginScale);
    const modelMargins = marginsFrom(margins, upperMargins);
    const networkForecasts = await networks.forecast(extended, forecastable, horizon);
    const uncalibrated = this.#combined(panel, forecastable, networkForecasts, horizon);
    const calibrated = uncalibrated.map((each, n) =>
      calibrateIntervals(each, modelMargins, scales(forecastable[n], horizon)),
    );
    const fallbackForecasts = this.baselineAt(panel, short, horizon);
    // Restore the order of the origins.
    let [n, m] = [0, 0];
    const intervals = origins.map((origin) =>
      origin === short[m] ? fallbackForecasts[m++] : calibrated[n++],
    );
    return { intervals, short };
  }

  /** Returns the forecasts of a combined model. If the model is not a combined one, returns the forecasts of the network. */
  #combined(
    panel: Panel,
    origins: readonly Origin[],
    networkForecasts: readonly Intervals[],
    horizon: number,
  ): readonly Intervals[] {
    const { combination } = this.pipeline;
    if (combination === undefined) return networkForecasts;
    const shared = new Map(Object.entries(combination.weights));
    const { series: weightsById = {} } = combination;
    const bySeries = panel.series.map(({ id }) =>
      Object.hasOwn(weightsById, id) ? new Map(Object.entries(weightsById[id])) : shared,
    );
    const names = new Set(origins.flatMap(({ series }) => [...bySeries[series].keys()]));
    names.delete(combination.network);
    const baselineMembers = new Map(
      Array.from(names, (name) => [name, this.#baselineForecasts(name, panel, origins, horizon)]),
    );
    return origins.map(({ series }, n) =>
      combine(bySeries[series], (name) => (baselineMembers.get(name) ?? networkForecasts)[n]),
    );
  }

  /** Returns uncalibrated forecasts of a baseline. */
  #baselineForecasts(name: string, panel: Panel, origins: readonly Origin[], horizon: number): Intervals[] {
    const { plan, levels } = this.pipeline;
    const baseline = baselines({ ...plan, horizon }).get(name);
    if (baseline === undefined) {
      throw new UnrollError('format', `pipeline.json: unknown baseline "${name}".`, { baseline: name });
    }
    return baselineForecasts(panel, baseline, origins, { ...plan, levels });
  }

  /** Forecasts from each origin with the best baseline. */
  baselineAt(panel: Panel, origins: readonly Origin[], horizon: number): Intervals[] {
    const { fallback, fallbackMargins, fallbackUpperMargins, fallbackSpread } = this.pipeline;
    const scales = this.#scales(panel, fallbackSpread, fallbackMarginScale);
    const margins = marginsFrom(fallbackMargins, fallbackUpperMargins);
    const uncalibrated = this.#baselineForecasts(fallback, panel, origins, horizon);
    return uncalibrated.map((each, n) => calibrateIntervals(each, margins, scales(origins[n], horizon)));
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    const { panel, forecasts, notes } = await this.#forecastRequest(request);
    const hasIds = panel.idColumn !== null;
    return {
      ...forecastTable(forecasts, hasIds, this.pipeline.levels),
      notes: [...panel.notes, ...notes],
    };
  }

  async pipe(input: unknown, options: ForecastPipeOptions = {}): Promise<ForecastPoint[]> {
    const { forecasts } = await this.#forecastRequest(forecastRequest(input, options, this.pipeline));
    return forecastPoints(forecasts, this.pipeline);
  }

  /** Forecasts from the rows and options of a request. */
  async #forecastRequest(
    request: TaskRequest,
  ): Promise<{ panel: Panel; forecasts: SeriesForecast[]; notes: string[] }> {
    checkRequest(request, this);
    const { horizon, 'future-rows': futureRows, dates, timezone } = request.options ?? {};
    const { rows } = request;
    if (typeof futureRows === 'object' && rows === undefined) {
      throw valueError('Future rows require data with the rows before them.');
    }
    const reading = {
      ...(dates !== undefined && { dates: dates as DateOrder }),
      ...(typeof timezone === 'string' && { timezone }),
    };
    const panelOptions = { ...panelOptionsOf(this.pipeline), ...reading };
    const table =
      typeof futureRows === 'object' && rows ? addFutureRows(rows, futureRows, panelOptions) : rows;
    return this.forecast(table, typeof horizon === 'number' ? horizon : undefined, reading);
  }

  /**
   * Returns the inputs of the joined networks for the forecast that starts after a given row.
   * @param wantedRow index of this row; the rows of all series are counted one series after the other. Default: the last row
   */
  async example(request: TaskRequest, wantedRow?: number): Promise<NetworkExample> {
    const { network, pipeline } = this;
    if (network === null)
      throw valueError(
        `The model is the baseline ${pipeline.model}, not a network: there is nothing to inspect.`,
      );
    const panel = request.rows === undefined ? storedPanel(pipeline) : readPanel(pipeline, request.rows, {});
    const counts = panel.series.map(({ values }) => values.length);
    const count = counts.reduce((sum, each) => sum + each, 0);
    const row = wantedRow ?? count - 1;
    checkRow(row, count, 'rows');
    let series = 0;
    let seriesRow = row;
    while (seriesRow >= counts[series]) seriesRow -= counts[series++];
    const origin = { series, origin: panel.series[series].offset + seriesRow + 1 };
    const networks = this.#networks(withFutureCells(panel, pipeline.plan.chunk), network);
    const title = `${panel.idColumn === null ? '' : `${panel.series[series].id}, `}up to ${timeAt(panel, origin.origin - 1)}`;
    if (networks.canForecast(origin)) return { network, inputs: networks.inputsOf(origin), title };
    throw valueError(
      `Row ${row + 1} (${title}) has too few rows before it for the network. Choose a later row.`,
      { row },
    );
  }

  /** Returns the scores of rolling-origin forecasts of the rows that are newer than the stored rows. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    if (request.rows === undefined) {
      throw valueError('evaluate needs data with rows newer than the training data.');
    }
    return evaluateForecast(this, request.rows);
  }

  describe(): TaskFact[] {
    const { pipeline } = this;
    const { target, time, idColumn, frequency, plan, model, combination, fallback, head, covariates } =
      pipeline;
    const stored = storedPanel(pipeline);
    const last = Math.max(...stored.series.map(endOf)) - 1;
    return [
      { name: 'target', value: target },
      { name: 'time', value: time.name },
      { name: 'frequency', value: describeFrequency(frequency) },
      { name: 'horizon', value: plan.horizon },
      { name: 'season', value: plan.season },
      { name: 'forecast by', value: model },
      {
        name: 'weights',
        value: combination ? weightsText(new Map(Object.entries(combination.weights))) : null,
      },
      { name: 'fallback', value: fallback },
      { name: 'head', value: head },
      { name: 'window', value: plan.window },
      { name: 'scaler', value: plan.log ? 'log' : plan.scaler },
      { name: 'intervals', value: [...pipeline.levels] },
      { name: 'columns', value: covariates.map(({ name, role }) => `${name} (${role})`) },
      { name: 'calendar', value: [...(plan.calendar ?? [])] },
      { name: 'series', value: pipeline.series.length },
      { name: 'series column', value: idColumn },
      { name: 'rows up to', value: timeAt(stored, last) },
    ];
  }

  #networks(panel: Panel, model: Network): JoinedNetworks {
    const { plan, levels, head, representations } = this.pipeline;
    const encoders = representations.map(({ channels, ...representation }, network) => {
      const transforms = this.#transforms(panel, network);
      return new PanelEncoder(panel, networkPlanOf(plan, representation), { channels, transforms });
    });
    return new JoinedNetworks({
      model,
      head: makeHead(head, levels),
      encoders,
      representations,
      plan,
      levels,
    });
  }

  /**
   * Returns the transform of each series for one of the networks. A series without a stored transform gets one that is
   * fitted on its rows, or null if it has too few rows or, with a log transform, no positive value.
   */
  #transforms(panel: Panel, network: number): (TransformConfig | null)[] {
    const { plan, series, representations } = this.pipeline;
    const storedTransforms = new Map(series.map(({ id, transforms }) => [id, transforms[network]]));
    const networkPlan = networkPlanOf(plan, representations[network]);
    return panel.series.map(({ id, values }) => {
      const stored = storedTransforms.get(id);
      if (stored !== undefined && stored !== null) return stored;
      const rows = fillGaps(values, plan.season);
      const usable = rows.length >= warmUp(networkPlan) && (!plan.log || rows.some((value) => value > 0));
      return usable ? WindowTransform.fit(rows, networkPlan).config : null;
    });
  }

  /**
   * Returns a function that returns the scale of the interval margins at an origin. A series that was not seen in training gets
   * the median margin scale of the training series, and their lowest `floor` (lower limit of the values before the logarithm).
   */
  #scales(
    panel: Panel,
    spread: SeasonalSpread | undefined,
    marginScaleOf: (series: StoredSeries) => number,
  ): (origin: Origin, horizon: number) => SeriesScale {
    const { plan, series } = this.pipeline;
    const spreadOf = spreadAt(spread ?? null, panel);
    const stored = new Map(
      series.map((each) => {
        const { id, floor, ceiling = Number.POSITIVE_INFINITY } = each;
        const nonNegative = each.nonNegative ?? plan.scaler === 'counts';
        return [id, { unit: marginScaleOf(each), floor, ceiling, nonNegative }];
      }),
    );
    const medianScale = quantile(Float64Array.from(series, marginScaleOf).sort(), 0.5);
    const lowestFloor = Math.min(...series.map(({ floor }) => floor));
    const bySeries = panel.series.map(({ id, values }) => ({
      log: plan.log,
      ...(stored.get(id) ?? {
        ...{ unit: medianScale, floor: lowestFloor, nonNegative: isNonNegative(values) },
        ceiling: values.reduce((a, b) => Math.max(a, Number.isNaN(b) ? 0 : b), 0),
      }),
    }));
    return ({ series, origin }, horizon) => ({
      ...bySeries[series],
      spread: Array.from({ length: horizon }, (_, k) => spreadOf({ series, origin }, k)),
    });
  }

  /** Returns a note on series that were not seen in training. */
  #newSeriesNotes(panel: Panel): string[] {
    const known = new Set(this.pipeline.series.map(({ id }) => id));
    const unknown = panel.series.filter(({ id }) => !known.has(id));
    if (unknown.length === 0) return [];
    return [`Series that are not in the training data, scaled by their own rows: ${listSeries(unknown)}.`];
  }
}

type StoredSeries = Pipeline['series'][number];

/** Returns the number by which the interval margins of the model are multiplied. */
const marginScale = ({ unit }: StoredSeries): number => unit;

/** Returns the number by which the interval margins of the fallback are multiplied. */
const fallbackMarginScale = ({ unit, fallbackUnit = unit }: StoredSeries): number => fallbackUnit;

function shortSeriesNotes(panel: Panel, short: readonly Origin[], fallback: string): string[] {
  if (short.length === 0) return [];
  const series = short.map((origin) => panel.series[origin.series]);
  return [`Series that are too short for the network, forecast by ${fallback}: ${listSeries(series)}.`];
}

function longHorizonNotes({ horizon: tested }: Pick<ForecastPlan, 'horizon'>, horizon: number): string[] {
  if (horizon <= tested) return [];
  return [
    `The model was backtested up to step ${tested}. Steps ${tested + 1} to ${horizon} are forecast recursively, with wider ` +
      'intervals for the accumulated error.',
  ];
}

/**
 * Returns the mean of a forecast whose head does not compute a mean: with a log transform, the mean of a lognormal distribution
 * fitted to the median and the first (narrowest) interval; otherwise the median.
 */
function meanOf(
  { median, lower, upper }: Intervals,
  { log }: Pick<ForecastPlan, 'log'>,
  levels: readonly number[],
): Float64Array {
  if (!log || levels.length === 0) return median;
  const width = 2 * normalQuantile((1 + levels[0]) / 2);
  return median.map((value, k) => {
    const deviation = Math.log(upper[0][k] / lower[0][k]) / width;
    return Number.isFinite(deviation) ? value * Math.exp(deviation ** 2 / 2) : value;
  });
}
