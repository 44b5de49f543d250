/**
 * All that turns a user's rows into a forecast and back, but for the weights: what `pipeline.json` of a saved model holds.
 * JSON; missing numbers are null.
 */
import { UnrollError } from '@unroll/core';
import type { Frequency, TimeFormat } from '@unroll/data';
import type { ChannelConfig, Role } from './covariates.js';
import type { HeadName } from './heads.js';
import type { Panel, PanelSeries } from './panel.js';
import type { ForecastPlan } from './plan.js';
import type { TransformConfig } from './transform.js';

export const PIPELINE_FORMAT = 'unroll-forecast-1';

export interface Pipeline {
  format: typeof PIPELINE_FORMAT;
  /** The query that the rows came from; who runs the model on a file asks it again. */
  sql?: string;
  /** A baseline's name, or the network's cell. */
  model: string;
  /** The best baseline: for series that are too short for a network. */
  fallback: string;
  target: string;
  time: { name: string; format: TimeFormat };
  idColumn: string | null;
  frequency: Frequency;
  start: number;
  covariates: { name: string; role: Role; categories: string[] | null }[];
  plan: Pick<ForecastPlan, 'horizon' | 'reach' | 'season' | 'lag' | 'window' | 'log' | 'scaler' | 'calendar'>;
  head: HeadName;
  levels: number[];
  /** One for each network: whether it sees the absolute size of changes, and its covariates' channels. */
  views: { absolute: boolean; channels: ChannelConfig[] }[];
  series: {
    id: string;
    /** One for each view; null where the series was too short. */
    transforms: (TransformConfig | null)[];
    unit: number;
    floor: number;
  }[];
  /** [level][row ahead], of the model and of the fallback. */
  margins: (number | null)[][];
  fallbackMargins: (number | null)[][];
  /** The last rows of the data it was made from. */
  history: { id: string; offset: number; values: (number | null)[]; covariates: (number | null)[][] }[];
}

export const toJsonNumbers = (values: Iterable<number>): (number | null)[] =>
  Array.from(values, (value) => (Number.isFinite(value) ? value : null));

export const fromJsonNumbers = (values: readonly (number | null)[]): Float64Array =>
  Float64Array.from(values, (value) => value ?? Number.NaN);

/** The last `rows` rows of each series. */
export function historyOf(panel: Panel, rows: number): Pipeline['history'] {
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

/** @throws UnrollError `format` when this is not a pipeline that this version reads */
export function checkPipeline(json: unknown): Pipeline {
  const found = json as Partial<Pipeline> | null;
  if (found === null || typeof found !== 'object' || found.format !== PIPELINE_FORMAT) {
    throw new UnrollError('format', 'pipeline.json: this is not a model made by a forecast.', {
      format: found?.format,
    });
  }
  const names = [
    'model',
    'fallback',
    'target',
    'time',
    'frequency',
    'plan',
    'head',
    'levels',
    'views',
    'series',
  ] as const;
  const missing = [...names, 'margins', 'fallbackMargins', 'history', 'covariates'].filter(
    (name) => !(name in found),
  );
  if (missing.length === 0) return found as Pipeline;
  throw new UnrollError('format', `pipeline.json is damaged: ${missing.join(', ')} missing.`, { missing });
}
