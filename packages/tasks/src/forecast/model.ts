/**
 * A forecasting model as it is used: from a panel's last rows to its next ones. It is what `forecast` ends with, what is
 * saved and loaded, and what the commands run. How it is laid out in files is in artifact.ts, how it reads a table in
 * reader.ts, how its networks forecast in ensemble.ts.
 */
import { UnrollError, valueError } from '@unroll/core';
import { type DateOrder, describeFrequency, quantile, type Table } from '@unroll/data';
import type { Network } from '@unroll/nn';
import { checkRequest } from '../shared/request.js';
import type { TaskFact, TaskModel, TaskOption, TaskRequest, TaskResult, TaskScores } from '../shared/task.js';
import { readForecast, writeForecast } from './artifact.js';
import { baselineForecasts, baselines } from './backtest.js';
import { type Intervals, type SeriesScale, widenedBeyond } from './calibration.js';
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
import { withRoomAhead } from './rollout.js';
import { filled, listed } from './rows.js';
import { forecastTable } from './tables.js';
import { type TransformConfig, WindowTransform, warmUp } from './transform.js';

/** The forecast of one series, in the unit of the target: arrays of [horizon]. */
export interface SeriesForecast extends Intervals {
  id: string;
  time: string[];
  /** Of counts that of their distribution; else the median, or with logarithms that of the lognormal with these intervals. */
  mean: Float64Array;
}

const OPTIONS: readonly TaskOption[] = [
  {
    name: 'horizon',
    type: 'integer',
    least: 1,
    help:
      'rows to forecast (default: as many as the model was made for; beyond, it continues from its own ' +
      'forecast)',
  },
  {
    name: 'future-rows',
    type: 'table',
    help: 'rows to forecast, with the future columns filled in, if they are not in the data',
  },
  {
    name: 'dates',
    type: 'text',
    help: 'dmy, mdy or ymd: order of day, month and year in dates such as 01/02/2024 (default: as in training)',
  },
  {
    name: 'timezone',
    type: 'text',
    help: 'time zone whose days the rows are, where times are in UTC (default: as in training)',
  },
];

export class ForecastModel implements TaskModel {
  readonly pipeline: Pipeline;
  /** The networks side by side: each takes its inputs and gives [N, horizon, parts]. Null for a baseline. */
  readonly network: Network | null;
  readonly options = OPTIONS;
  readonly about =
    'Forecasts the rows after those of --data, which hold the columns that the model was made from: all rows up to ' +
    'now, or the new ones alone. Without --data, the rows after those that the model was made from.';

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
   * @param training what is known of how it was made, for `training.json`
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
   * Forecasts what comes after the rows of a table, or after the rows the model was made from. A table may hold the newer
   * rows alone: the stored ones of the same series are put before them.
   * @param horizon rows to forecast; default: as many as the model was made for. For more, it continues from its own forecast
   * @param reading how the times of the table are read; default: as those that the model was made from, where they fit
   * @throws UnrollError `data` when the table lacks columns or covariates that the model needs
   */
  async forecast(
    table?: Table,
    horizon = this.pipeline.plan.horizon,
    reading: TimeReading = {},
  ): Promise<{ panel: Panel; forecasts: SeriesForecast[]; notes: string[] }> {
    if (!Number.isInteger(horizon) || horizon < 1) {
      throw valueError(`The horizon must be a whole number from 1, and it is ${horizon}.`, { horizon });
    }
    const panel = table === undefined ? storedPanel(this.pipeline) : readPanel(this.pipeline, table, reading);
    return { panel, ...(await this.forecastPanel(panel, horizon)) };
  }

  /** Forecasts every series from its last row; by the best baseline where one is too short for the network. */
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

  /** Forecasts from any origins, each from the rows before it; `short` are those where a baseline stands in. */
  async forecastAt(
    panel: Panel,
    origins: readonly Origin[],
    horizon: number,
  ): Promise<{ intervals: Intervals[]; short: Origin[] }> {
    const { margins } = this.pipeline;
    if (this.network === null) return { intervals: this.baselineAt(panel, origins, horizon), short: [] };
    const roomy = withRoomAhead(panel, horizon + this.pipeline.plan.reach);
    const ensemble = this.#ensemble(roomy, this.network);
    const reached = origins.filter((origin) => ensemble.reaches(origin));
    const short = origins.filter((origin) => !ensemble.reaches(origin));
    const scales = this.#scales(panel);
    const widths = margins.map(fromJsonNumbers);
    const plain = await ensemble.forecast(roomy, reached, horizon);
    const wide = plain.map((each, n) => widenedBeyond(each, widths, scales[reached[n].series]));
    const other = this.baselineAt(panel, short, horizon);
    // Back in the order of the origins.
    let [n, m] = [0, 0];
    const intervals = origins.map((origin) => (origin === short[m] ? other[m++] : wide[n++]));
    return { intervals, short };
  }

  /** The same by the best baseline. */
  baselineAt(panel: Panel, origins: readonly Origin[], horizon: number): Intervals[] {
    const { fallback, plan, fallbackMargins, levels } = this.pipeline;
    const rule = baselines({ ...plan, horizon }).get(fallback);
    if (rule === undefined) {
      throw new UnrollError('format', `pipeline.json: there is no baseline "${fallback}".`, { fallback });
    }
    const scales = this.#scales(panel);
    const widths = fallbackMargins.map(fromJsonNumbers);
    const plain = baselineForecasts(panel, rule, origins, { season: plan.season, levels });
    return plain.map((each, n) => widenedBeyond(each, widths, scales[origins[n].series]));
  }

  async predict(request: TaskRequest): Promise<TaskResult> {
    checkRequest(request, this);
    const { horizon, 'future-rows': future, dates, timezone } = request.options ?? {};
    const { rows } = request;
    if (typeof future === 'object' && rows === undefined) {
      throw valueError('The option future-rows goes with data, the rows up to now.');
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

  /** Rolling origins over the rows after the stored ones: each forecast from the rows before it, and scored. */
  async evaluate(request: TaskRequest): Promise<TaskScores> {
    checkRequest(request, { format: this.format, options: [] });
    if (request.rows === undefined) {
      throw valueError(
        'A forecast is evaluated on rows that are newer than those it was made from: give data.',
      );
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

  /** What each series' values are measured by: as in training; for a new series, fitted on the rows it has. */
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

  /** Which series the model does not know, where it knows series by name. */
  #newNotes(panel: Panel): string[] {
    const known = new Set(this.pipeline.series.map(({ id }) => id));
    const unknown = panel.series.filter(({ id }) => !known.has(id));
    if (unknown.length === 0) return [];
    return [`Not in training, measured by the rows given here: ${listed(unknown)}.`];
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
    `The model was tested ${most} rows ahead. Rows ${most + 1} to ${horizon} go on from its own forecast, with intervals ` +
      'widened as its errors add up.',
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
