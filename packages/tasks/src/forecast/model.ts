/**
 * The trained forecasting model that `forecast` returns and that the commands save, load and run. artifact.ts reads and
 * writes its files, reader.ts reads tables for it, ensemble.ts runs its networks.
 */
import { UnrollError, valueError } from '@unroll/core';
import { type DateOrder, describeFrequency, quantile, type Table } from '@unroll/data';
import type { Network } from '@unroll/nn';
import { checkRequest } from '../shared/request.js';
import type { TaskFact, TaskModel, TaskOption, TaskRequest, TaskResult, TaskScores } from '../shared/task.js';
import { readForecast, writeForecast } from './artifact.js';
import { baselineForecasts, baselines } from './backtest.js';
import { type Intervals, type SeriesScale, widenLongHorizon } from './calibration.js';
import { normalQuantile } from './distributions.js';
import { type Origin, PanelEncoder } from './encoder.js';
import { Ensemble, joinNetworks } from './ensemble.js';
import { evaluateForecast } from './evaluate.js';
import { checkFuture } from './future.js';
import { addFutureRows } from './future-rows.js';
import { makeHead } from './heads.js';
import { viewOf } from './network.js';
import { endOf, type Panel, timeAt } from './panel.js';
import { fromJsonNumbers, type ModelParts, type Pipeline, pipelineOf, storedPanel } from './pipeline.js';
import type { ForecastPlan } from './plan.js';
import { panelOptionsOf, readPanel, type TimeReading } from './reader.js';
import { withFutureCells } from './rollout.js';
import { filled, listed } from './rows.js';
import { forecastTable } from './tables.js';
import { type TransformConfig, WindowTransform, warmUp } from './transform.js';

/** The forecast of one series, in the unit of the target: arrays of [horizon]. */
export interface SeriesForecast extends Intervals {
  id: string;
  time: string[];
  /** For counts, the mean of their distribution. With a log transform, that of a lognormal distribution; else the median. */
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
    help: 'local time zone of daily rows whose times are in UTC, such as Europe/Berlin (default: as in training)',
  },
];

export class ForecastModel implements TaskModel {
  readonly pipeline: Pipeline;
  /** The joined networks, with one output [N, chunk, parts] each. Null for a baseline. */
  readonly network: Network | null;
  readonly options = OPTIONS;
  readonly about =
    'Forecasts the rows after those in --data. The file needs the columns of the training data and may contain all rows ' +
    'or only the new ones. Without --data, the model forecasts the rows after its training data.';

  constructor(pipeline: Pipeline, network: Network | null) {
    this.pipeline = pipeline;
    this.network = network;
  }

  static assemble(parts: ModelParts): ForecastModel {
    const { networks } = parts;
    return new ForecastModel(pipelineOf(parts), networks === null ? null : joinNetworks(networks));
  }

  /** @throws UnrollError `format` for files that are missing, damaged, or not a forecasting model's */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>): ForecastModel {
    const { pipeline, network } = readForecast(files);
    return new ForecastModel(pipeline, network);
  }

  /**
   * The model in files: `pipeline.json`, and for a network also `config.json` and `model.safetensors`.
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
   * Forecasts the rows after those of a table, or after the training data. A table may hold only the newer rows: they are
   * appended to the stored rows of the same series.
   * @param horizon rows to forecast; default: the horizon of the training run. A longer horizon is forecast recursively
   * @param reading how to read the times of the table; default: as in training
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

  /** Forecasts every series from its last row; with the best baseline if it is too short for the network. */
  async forecastPanel(
    panel: Panel,
    horizon = this.pipeline.plan.horizon,
  ): Promise<{ forecasts: SeriesForecast[]; notes: string[] }> {
    const { fallback, plan, levels } = this.pipeline;
    checkFuture(panel, horizon);
    const ends = panel.series.map((series, i): Origin => ({ series: i, origin: endOf(series) }));
    const { intervals, short } = await this.forecastAt(panel, ends, horizon);
    const forecasts = ends.map(({ origin }, n): SeriesForecast => {
      const time = Array.from({ length: horizon }, (_, k) => timeAt(panel, origin + k));
      const mean = intervals[n].mean ?? meanOf(intervals[n], plan, levels);
      return { id: panel.series[n].id, time, ...intervals[n], mean };
    });
    const notes = [
      ...this.#newNotes(panel),
      ...shortNotes(panel, short, fallback),
      ...beyondNotes(plan, horizon),
    ];
    return { forecasts, notes };
  }

  /** Forecasts from each origin, using the rows before it; at the origins in `short`, the best baseline replaces the network. */
  async forecastAt(
    panel: Panel,
    origins: readonly Origin[],
    horizon: number,
  ): Promise<{ intervals: Intervals[]; short: Origin[] }> {
    const { margins } = this.pipeline;
    if (this.network === null) return { intervals: this.baselineAt(panel, origins, horizon), short: [] };
    const extended = withFutureCells(panel, horizon + this.pipeline.plan.chunk);
    const ensemble = this.#ensemble(extended, this.network);
    const byNetwork = origins.filter((origin) => ensemble.canForecast(origin));
    const short = origins.filter((origin) => !ensemble.canForecast(origin));
    const scales = this.#scales(panel);
    const widths = margins.map(fromJsonNumbers);
    const plain = await ensemble.forecast(extended, byNetwork, horizon);
    const wide = plain.map((each, n) => widenLongHorizon(each, widths, scales[byNetwork[n].series]));
    const other = this.baselineAt(panel, short, horizon);
    // Restore the order of the origins.
    let [n, m] = [0, 0];
    const intervals = origins.map((origin) => (origin === short[m] ? other[m++] : wide[n++]));
    return { intervals, short };
  }

  /** Forecasts of the best baseline from each origin. */
  baselineAt(panel: Panel, origins: readonly Origin[], horizon: number): Intervals[] {
    const { fallback, plan, fallbackMargins, levels } = this.pipeline;
    const rule = baselines({ ...plan, horizon }).get(fallback);
    if (rule === undefined) {
      throw new UnrollError('format', `pipeline.json: unknown baseline "${fallback}".`, { fallback });
    }
    const scales = this.#scales(panel);
    const widths = fallbackMargins.map(fromJsonNumbers);
    const plain = baselineForecasts(panel, rule, origins, { season: plan.season, levels });
    return plain.map((each, n) => widenLongHorizon(each, widths, scales[origins[n].series]));
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this);
    const { horizon, 'future-rows': future, dates, timezone } = request.options ?? {};
    const { rows } = request;
    if (typeof future === 'object' && rows === undefined) {
      throw valueError('future-rows needs data with the rows before them.');
    }
    const reading = {
      ...(dates !== undefined && { dates: dates as DateOrder }),
      ...(typeof timezone === 'string' && { timezone }),
    };
    const asTrained = { ...panelOptionsOf(this.pipeline), ...reading };
    const table = typeof future === 'object' && rows ? addFutureRows(rows, future, asTrained) : rows;
    const { panel, forecasts, notes } = await this.forecast(
      table,
      typeof horizon === 'number' ? horizon : undefined,
      reading,
    );
    const many = panel.idColumn !== null;
    return {
      ...forecastTable(forecasts, many, this.pipeline.levels),
      notes: [...panel.notes, ...notes],
    };
  }

  /** Scores rolling-origin forecasts over the rows after the stored ones. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    if (request.rows === undefined) {
      throw valueError('evaluate needs data with rows newer than the training data.');
    }
    return evaluateForecast(this, request.rows);
  }

  describe(): TaskFact[] {
    const { pipeline } = this;
    const { target, time, idColumn, frequency, plan, model, fallback, head, covariates } = pipeline;
    const stored = storedPanel(pipeline);
    const last = Math.max(...stored.series.map(endOf)) - 1;
    return [
      { name: 'target', value: target },
      { name: 'time', value: time.name },
      { name: 'frequency', value: describeFrequency(frequency) },
      { name: 'horizon', value: plan.horizon },
      { name: 'season', value: plan.season },
      { name: 'forecast by', value: model },
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

  #ensemble(panel: Panel, model: Network): Ensemble {
    const { plan, levels, head, views } = this.pipeline;
    const encoders = views.map(({ absolute, channels }, v) => {
      const transforms = this.#transforms(panel, v);
      return new PanelEncoder(panel, viewOf(plan, absolute), { channels, transforms });
    });
    const seen = views.map(({ absolute }) => absolute);
    return new Ensemble({ model, head: makeHead(head, levels), encoders, views: seen, plan, levels });
  }

  /** The fitted transform of each series; for a series not seen in training, one fitted on its rows. */
  #transforms(panel: Panel, view: number): (TransformConfig | null)[] {
    const { plan, series, views } = this.pipeline;
    const known = new Map(series.map(({ id, transforms }) => [id, transforms[view]]));
    const own = viewOf(plan, views[view].absolute);
    return panel.series.map(({ id, values }) => {
      const stored = known.get(id);
      if (stored !== undefined && stored !== null) return stored;
      const rows = filled(values, plan.season);
      const usable = rows.length >= warmUp(own) && (!plan.log || rows.some((value) => value > 0));
      return usable ? WindowTransform.fit(rows, own).config : null;
    });
  }

  #scales(panel: Panel): SeriesScale[] {
    const { plan, series } = this.pipeline;
    const known = new Map(series.map(({ id, unit, floor }) => [id, { unit, floor }]));
    const usual = quantile(Float64Array.from(series, ({ unit }) => unit).sort(), 0.5);
    const least = Math.min(...series.map(({ floor }) => floor));
    return panel.series.map(({ id }) => ({
      log: plan.log,
      counts: plan.scaler === 'counts',
      ...(known.get(id) ?? { unit: usual, floor: least }),
    }));
  }

  /** Notes about series not seen in training. */
  #newNotes(panel: Panel): string[] {
    const known = new Set(this.pipeline.series.map(({ id }) => id));
    const unknown = panel.series.filter(({ id }) => !known.has(id));
    if (unknown.length === 0) return [];
    return [`Not in the training data, scaled by the rows given here: ${listed(unknown)}.`];
  }
}

function shortNotes(panel: Panel, short: readonly Origin[], fallback: string): string[] {
  if (short.length === 0) return [];
  const series = short.map((origin) => panel.series[origin.series]);
  return [`Too short for the network, forecast by ${fallback}: ${listed(series)}.`];
}

function beyondNotes({ horizon: most }: Pick<ForecastPlan, 'horizon'>, horizon: number): string[] {
  if (horizon <= most) return [];
  return [
    `The model was backtested up to step ${most}. Steps ${most + 1} to ${horizon} are forecast recursively, with wider ` +
      'intervals for the accumulated error.',
  ];
}

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
