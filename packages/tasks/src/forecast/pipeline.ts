/**
 * The content of `pipeline.json`: everything that a saved model needs to forecast, except the weights. Missing numbers are
 * null.
 */
import type { Decimal, Frequency, Thousands, TimeFormat } from '@unroll/data';
import { baselines, type Score } from './backtest.js';
import type { Calibration, ScoreScale } from './calibration.js';
import type { ChannelConfig, Role } from './covariates.js';
import type { HeadName } from './heads.js';
import type { FittedNetwork } from './network.js';
import type { Panel, PanelSeries } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { type TransformConfig, warmUp } from './transform.js';

export const PIPELINE_FORMAT = 'unroll-forecast-1';

export interface Pipeline {
  format: typeof PIPELINE_FORMAT;
  /** The query that produced the training rows; it also runs on the files to predict from. */
  sql?: string | undefined;
  /** How to read the file, if set by the user. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string } | undefined;
  /** A baseline's name, or the network's cell. */
  model: string;
  /** The best baseline, for series that are too short for a network. */
  fallback: string;
  target: string;
  time: { name: string; format: TimeFormat };
  idColumn: string | null;
  frequency: Frequency;
  start: number;
  covariates: { name: string; role: Role; categories: string[] | null }[];
  plan: Pick<ForecastPlan, 'horizon' | 'chunk' | 'season' | 'lag' | 'window' | 'log' | 'scaler' | 'calendar'>;
  head: HeadName;
  levels: number[];
  /** For each network: whether it sees the absolute size of changes, and the channels of its covariates. */
  views: { absolute: boolean; channels: ChannelConfig[] }[];
  series: {
    id: string;
    /** One for each view; null if the series was too short. */
    transforms: (TransformConfig | null)[];
    unit: number;
    floor: number;
  }[];
  /** [level][step], of the model and of the fallback. */
  margins: (number | null)[][];
  fallbackMargins: (number | null)[][];
  /** The last rows of the training data. */
  history: { id: string; offset: number; values: (number | null)[]; covariates: (number | null)[][] }[];
}

const toJsonNumbers = (values: Iterable<number>): (number | null)[] =>
  Array.from(values, (value) => (Number.isFinite(value) ? value : null));

export const fromJsonNumbers = (values: readonly (number | null)[]): Float64Array =>
  Float64Array.from(values, (value) => value ?? Number.NaN);

/** The last `rows` rows of each series. */
function historyOf(panel: Panel, rows: number): Pipeline['history'] {
  return panel.series.map(({ id, offset, values, covariates }) => {
    const skipped = Math.max(0, values.length - rows);
    return {
      id,
      offset: offset + skipped,
      values: toJsonNumbers(values.subarray(skipped)),
      covariates: covariates.map((cells) => toJsonNumbers(cells.subarray(skipped))),
    };
  });
}

/** The panel of the stored rows. */
export function storedPanel(pipeline: Pipeline): Panel {
  const { target, time, idColumn, frequency, start, covariates, history } = pipeline;
  return {
    source: 'the stored rows',
    target,
    time,
    idColumn,
    frequency,
    start,
    covariates: covariates.map((covariate) => ({ ...covariate, cells: new Float64Array() })),
    series: history.map(
      ({ id, offset, values, covariates: cells }): PanelSeries => ({
        id,
        offset,
        values: fromJsonNumbers(values),
        covariates: cells.map(fromJsonNumbers),
      }),
    ),
    notes: [],
  };
}

/** The results of a run that make up a model. */
export interface ModelParts {
  panel: Panel;
  plan: ForecastPlan;
  levels: readonly number[];
  head: HeadName;
  scores: readonly Score[];
  /** Null if a baseline won. */
  networks: readonly FittedNetwork[] | null;
  /** Calibration of each model, by name. */
  calibrations: ReadonlyMap<string, Calibration>;
  scale: ScoreScale;
}

export function pipelineOf(parts: ModelParts): Pipeline {
  const { panel, plan, levels, head, scores, calibrations } = parts;
  const rules = baselines(plan);
  const [{ model }] = scores;
  const fallback = scores.find((score) => rules.has(score.model))!.model; // every leaderboard has baselines
  const marginsOf = (name: string) =>
    calibrations.get(name)!.margins(Number.POSITIVE_INFINITY).map(toJsonNumbers);
  // Drift also needs the first row.
  const rows = [model, fallback].includes('drift') ? Number.POSITIVE_INFINITY : warmUp(plan) + plan.season;
  const { target, time, idColumn, frequency, start } = panel;
  const { horizon, chunk, season, lag, window, log, scaler, calendar = [] } = plan;
  return {
    format: PIPELINE_FORMAT,
    ...{ model, fallback, target, time, idColumn, frequency, start },
    covariates: panel.covariates.map(({ name, role, categories }) => ({
      ...{ name, role },
      categories: categories === null ? null : [...categories],
    })),
    plan: { horizon, chunk, season, lag, window, log, scaler, calendar },
    head,
    levels: [...levels],
    ...trainedParts(parts),
    margins: marginsOf(model),
    fallbackMargins: marginsOf(fallback),
    history: historyOf(panel, rows),
  };
}

/** The fitted parts of each network and series. */
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
