/**
 * A forecasting model as it is used: from a panel's last rows to its next ones. It is what `forecast` ends with, what is
 * saved and loaded, and what `unroll predict` runs; all of them compute by the same lines.
 */
import { predictAll, UnrollError, valueError } from '@unroll/core';
import { quantile, type Table } from '@unroll/data';
import { fromArtifact, toArtifact } from '@unroll/formats';
import { model as joined, type Network } from '@unroll/nn';
import { asIntervals, baselines, historyAt, type Score } from './backtest.js';
import {
  type Calibration,
  type Intervals,
  type ScoreScale,
  type SeriesScale,
  widenedBeyond,
} from './calibration.js';
import { checkCounts } from './counts.js';
import { normalQuantile } from './distributions.js';
import { type Origin, PanelEncoder } from './encoder.js';
import { checkFuture } from './future.js';
import { type HeadName, makeHead } from './heads.js';
import { afterStored } from './history.js';
import { askedOf, intervalsOf } from './intervals.js';
import { type FittedNetwork, inputTensors, quantilesOf, viewOf } from './network.js';
import { endOf, type Panel, type PanelOptions, panelFromTable, timeAt } from './panel.js';
import {
  checkPipeline,
  fromJsonNumbers,
  historyOf,
  PIPELINE_FORMAT,
  type Pipeline,
  storedPanel,
  toJsonNumbers,
} from './pipeline.js';
import type { ForecastPlan } from './plan.js';
import { rollOut, type Stand, withRoomAhead } from './rollout.js';
import { filled } from './rows.js';
import { type TransformConfig, WindowTransform, warmUp } from './transform.js';

/** The forecast of one series, in the unit of the target: arrays of [horizon]. */
export interface SeriesForecast extends Intervals {
  id: string;
  time: string[];
  /** Of counts that of their distribution; else the median, or with logarithms that of the lognormal with these intervals. */
  mean: Float64Array;
}

/** What a run has found out, to make a model of. */
export interface ModelParts {
  panel: Panel;
  plan: ForecastPlan;
  levels: readonly number[];
  head: HeadName;
  scores: readonly Score[];
  /** Null where a baseline won. */
  networks: readonly FittedNetwork[] | null;
  calibrations: ReadonlyMap<string, Calibration>;
  scale: ScoreScale;
}

export class ForecastModel {
  readonly pipeline: Pipeline;
  /** The networks side by side: each takes its inputs and gives [N, horizon, parts]. Null for a baseline. */
  readonly network: Network | null;

  constructor(pipeline: Pipeline, network: Network | null) {
    this.pipeline = pipeline;
    this.network = network;
  }

  static assemble(parts: ModelParts): ForecastModel {
    const { networks } = parts;
    if (networks === null) return new ForecastModel(pipelineOf(parts), null);
    const inputs = networks.flatMap(({ model }) => model.inputs);
    const outputs = networks.flatMap(({ model }) => model.outputs);
    return new ForecastModel(pipelineOf(parts), joined({ inputs, outputs }));
  }

  /**
   * The model in files: `pipeline.json`, and for a network also `config.json` and `model.safetensors`.
   * @param training what is known of how it was made, for `training.json`
   */
  toFiles(training?: unknown): Map<string, Uint8Array> {
    const { pipeline } = this;
    if (this.network !== null) return toArtifact(this.network, { pipeline, training });
    return new Map([['pipeline.json', new TextEncoder().encode(`${JSON.stringify(pipeline, null, 2)}\n`)]]);
  }

  /** @throws UnrollError `format` for files that are missing, damaged, or not a forecasting model's */
  static fromFiles(files: ReadonlyMap<string, Uint8Array>): ForecastModel {
    if (files.has('config.json')) {
      const { model, pipeline } = fromArtifact(files);
      return new ForecastModel(checkPipeline(pipeline), model);
    }
    const bytes = files.get('pipeline.json');
    if (bytes === undefined)
      throw new UnrollError('format', 'There is no model here: pipeline.json is missing.');
    let json: unknown;
    try {
      json = JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      throw new UnrollError('format', 'pipeline.json is damaged: it is not JSON.');
    }
    const pipeline = checkPipeline(json);
    if (pipeline.views.length > 0)
      throw new UnrollError('format', 'There is no network here: config.json is missing.');
    return new ForecastModel(pipeline, null);
  }

  /**
   * Forecasts what comes after the rows of a table, or after the rows the model was made from. A table may hold the newer
   * rows alone: the stored ones of the same series are put before them.
   * @param horizon rows to forecast; default: as many as the model was made for. For more, it goes on from its own forecast
   * @throws UnrollError `data` when the table lacks columns or covariates that the model needs
   */
  async forecast(
    table?: Table,
    horizon = this.pipeline.plan.horizon,
  ): Promise<{ panel: Panel; forecasts: SeriesForecast[]; notes: string[] }> {
    if (!Number.isInteger(horizon) || horizon < 1) {
      throw valueError(`The horizon must be a whole number from 1, and it is ${horizon}.`, { horizon });
    }
    const panel = table === undefined ? storedPanel(this.pipeline) : this.#panelOf(table);
    return { panel, ...(await this.forecastPanel(panel, horizon)) };
  }

  /** Forecasts every series from its last row; by the best baseline where one is too short for the network. */
  async forecastPanel(
    panel: Panel,
    horizon = this.pipeline.plan.horizon,
  ): Promise<{ forecasts: SeriesForecast[]; notes: string[] }> {
    const { model, fallback, plan, margins, fallbackMargins, levels } = this.pipeline;
    checkFuture(panel, horizon);
    const ends = panel.series.map((series, i): Origin => ({ series: i, origin: endOf(series) }));
    const byNetwork = await this.#networkForecasts(panel, ends, horizon);
    const rule = baselines({ ...plan, horizon }).get(this.network === null ? model : fallback)!;
    const scales = this.#scales(panel);
    const forecasts = ends.map((origin, n): SeriesForecast => {
      const own = byNetwork.get(n);
      const plain = own ?? asIntervals(rule(historyAt(panel, origin, plan.season)), levels);
      const widths = own !== undefined || this.network === null ? margins : fallbackMargins;
      const intervals = widenedBeyond(plain, widths.map(fromJsonNumbers), scales[n]!);
      const time = Array.from({ length: horizon }, (_, k) => timeAt(panel, origin.origin + k));
      const mean = intervals.mean ?? meanOf(intervals, plan, levels);
      return { id: panel.series[n]!.id, time, ...intervals, mean };
    });
    const short = this.network === null ? [] : ends.filter((_, n) => !byNetwork.has(n));
    const notes = [
      ...this.#newNotes(panel),
      ...shortNotes(panel, short, fallback),
      ...beyondNotes(plan, horizon),
    ];
    return { forecasts, notes };
  }

  /** Uncalibrated forecasts of the networks, by series. */
  async #networkForecasts(
    panel: Panel,
    ends: readonly Origin[],
    horizon: number,
  ): Promise<Map<number, Intervals>> {
    const { plan, views } = this.pipeline;
    if (this.network === null) return new Map();
    const roomy = withRoomAhead(panel, horizon + plan.reach);
    const encoders = views.map(
      ({ absolute, channels }, v) =>
        new PanelEncoder(roomy, viewOf(plan, absolute), { channels, transforms: this.#transforms(panel, v) }),
    );
    const reached = ends.filter((origin) => encoders.every((encoder) => encoder.reaches(origin)));
    if (reached.length === 0) return new Map();
    const options = { ...plan, horizon, rows: warmUp(plan) };
    const intervals = await rollOut(roomy, reached, options, (stand) => this.#block(encoders, stand));
    return new Map(reached.map(({ series }, n) => [series, intervals[n]]));
  }

  /** The rows that the networks say at once. */
  async #block(encoders: readonly PanelEncoder[], stand: Stand): Promise<Intervals[]> {
    const { plan, levels, head: name, views } = this.pipeline;
    const head = makeHead(name, levels);
    const { origins } = stand;
    const each = views.map(({ absolute }, v) => ({
      plan: viewOf(plan, absolute),
      head,
      encoder: encoders[v].for(stand),
    }));
    const inputs = each.flatMap(({ encoder, plan: own }) =>
      inputTensors(encoder.encode(origins, false), encoder, own),
    );
    const outputs = await predictAll(this.network!, inputs);
    const quantiles: Float64Array[][][] = [];
    for (const [v, view] of each.entries())
      quantiles.push(quantilesOf(await outputs[v].data(), view, origins, askedOf(levels, head)));
    return intervalsOf(quantiles, origins.length, levels);
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

  /** How the rows of a table are read: as those that the model was made from. */
  get panelOptions(): PanelOptions {
    const { target, time, idColumn, frequency, covariates } = this.pipeline;
    const named = (role: string) => covariates.filter((each) => each.role === role).map(({ name }) => name);
    return {
      target,
      frequency,
      ...(time.name === 'row' ? {} : { time: time.name }),
      ...(idColumn === null ? {} : { series: idColumn }),
      past: named('past'),
      future: named('future'),
      static: named('static'),
    };
  }

  /** The table as a panel, behind the stored rows. */
  #panelOf(table: Table): Panel {
    const stored = storedPanel(this.pipeline);
    const known = new Set(stored.series.map(({ id }) => id));
    // Rows that are only counted begin at 1 in every table: they cannot be put behind others.
    const counted = stored.time.name === 'row';
    const given = panelFromTable(table, this.panelOptions, (id) => (known.has(id) && !counted ? 0 : 2));
    if (this.pipeline.plan.scaler === 'counts') checkCounts(given);
    const renumbered = this.#withKnownCategories(given);
    if (counted) return renumbered;
    const { panel, notes } = afterStored(renumbered, stored);
    return { ...panel, notes: [...panel.notes, ...notes] };
  }

  /** Categories numbered as in training; one that was not there is -1: known, and none of them. */
  #withKnownCategories(panel: Panel): Panel {
    const notes: string[] = [];
    const mapped = this.pipeline.covariates.map(({ name, categories }, c) => {
      const found = panel.covariates[c];
      if ((categories === null) !== (found.categories === null)) {
        const [was, is] = categories === null ? ['numbers', 'text'] : ['text', 'numbers'];
        throw new UnrollError(
          'data',
          `${panel.source}, column "${name}" held ${was} in training and holds ${is} now.`,
          { column: name },
        );
      }
      if (categories === null) return null;
      const unknown = found.categories!.filter((word) => !categories.includes(word));
      if (unknown.length > 0) {
        const words = unknown.slice(0, 3).map((word) => `"${word}"`);
        const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : '';
        notes.push(
          `Column "${name}" did not hold ${words.join(', ')}${more} in training: counted as none of ${categories.join(', ')}.`,
        );
      }
      return found.categories!.map((word) => categories.indexOf(word));
    });
    const renumbered = (cells: Float64Array, numbers: readonly number[] | null) =>
      numbers === null ? cells : cells.map((value) => numbers[value] ?? Number.NaN);
    return {
      ...panel,
      notes: [...panel.notes, ...notes],
      covariates: panel.covariates.map((each, c) => ({
        ...each,
        categories: this.pipeline.covariates[c].categories,
      })),
      series: panel.series.map((series) => ({
        ...series,
        covariates: series.covariates.map((cells, c) => renumbered(cells, mapped[c])),
      })),
    };
  }

  /** Which series the model does not know, where it knows series by name. */
  #newNotes(panel: Panel): string[] {
    const known = new Set(this.pipeline.series.map(({ id }) => id));
    const unknown = panel.series.filter(({ id }) => !known.has(id));
    if (unknown.length === 0) return [];
    return [`Not in training, measured by the rows given here: ${listed(unknown)}.`];
  }
}

function pipelineOf(parts: ModelParts): Pipeline {
  const { panel, plan, levels, head, scores, calibrations } = parts;
  const rules = baselines(plan);
  const model = scores[0].model;
  const fallback = scores.find((score) => rules.has(score.model))!.model;
  const marginsOf = (name: string) =>
    calibrations.get(name)!.margins(Number.POSITIVE_INFINITY).map(toJsonNumbers);
  // Drift looks at the first row too.
  const kept = [model, fallback].includes('drift') ? Number.POSITIVE_INFINITY : warmUp(plan) + plan.season;
  const { target, time, idColumn, frequency, start } = panel;
  const { horizon, reach, season, lag, window, log, scaler, calendar = [] } = plan;
  return {
    format: PIPELINE_FORMAT,
    ...{ model, fallback, target, time, idColumn, frequency, start },
    covariates: panel.covariates.map(({ name, role, categories }) => ({
      ...{ name, role },
      categories: categories === null ? null : [...categories],
    })),
    plan: { horizon, reach, season, lag, window, log, scaler, calendar },
    head,
    levels: [...levels],
    ...trainedParts(parts),
    margins: marginsOf(model),
    fallbackMargins: marginsOf(fallback),
    history: historyOf(panel, kept),
  };
}

/** What training has fitted for each network and series. */
function trainedParts({ panel, networks, scale }: ModelParts): Pick<Pipeline, 'views' | 'series'> {
  const trained = networks ?? [];
  return {
    views: trained.map(({ plan, encoder }) => ({
      absolute: plan.absolute,
      channels: encoder.config.channels,
    })),
    series: panel.series.map(({ id }, s) => ({
      id,
      transforms: trained.map(({ encoder }) => encoder.config.transforms[s]),
      unit: scale.units[s],
      floor: scale.floors[s],
    })),
  };
}

function shortNotes(panel: Panel, short: readonly Origin[], fallback: string): string[] {
  if (short.length === 0) return [];
  const series = short.map((origin) => panel.series[origin.series]);
  return [`Too short for the network, forecast by ${fallback}: ${listed(series)}.`];
}

/** The first three by name. */
const listed = (series: readonly { id: string }[]): string =>
  series
    .slice(0, 3)
    .map(({ id }) => id || 'the series')
    .join(', ') + (series.length > 3 ? `, and ${series.length - 3} more` : '');

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
