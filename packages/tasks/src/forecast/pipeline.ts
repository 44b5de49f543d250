/**
 * The content of `pipeline.json`: everything that a saved model needs to forecast, except the weights. NaN and infinities are
 * stored as null.
 */
import type { Decimal, Frequency, Thousands, TimeFormat } from '@unroll/data';
import type { Score } from './backtest.js';
import { baselines, fitWindow, isFitted, usesAllRows } from './baselines.js';
import type { Calibration, Margins, ScoreScale } from './calibration.js';
import type { Combination } from './combination.js';
import type { ChannelConfig, Role } from './covariates.js';
import type { HeadName } from './heads.js';
import { REMEMBERED_ROWS, searchedRows } from './level-shifts.js';
import { hasSameShifts } from './levelled.js';
import type { FittedNetwork, Representation } from './network.js';
import { type Panel, type PanelSeries, panelEnd } from './panel.js';
import type { ForecastPlan, StoredPlan } from './plan.js';
import { isNonNegative } from './rows.js';
import type { SeasonalSpread } from './seasonal-spread.js';
import { type TransformConfig, warmUp } from './transform.js';

export const PIPELINE_FORMAT = 'unroll-forecast-1';

export interface Pipeline {
  format: typeof PIPELINE_FORMAT;
  /** The query that produced the training rows; it also runs on the files to predict from. */
  sql?: string | undefined;
  /** How the training file was read, if set by the user; other files are read the same way. */
  reading?: { decimal?: Decimal; thousands?: Thousands; encoding?: string } | undefined;
  /** The name of a baseline, the cell of the networks, or the name of a combined model. */
  model: string;
  /** The members of a combined model (combination.ts). */
  combination?:
    | { network: string; weights: Record<string, number>; series?: Record<string, Record<string, number>> }
    | undefined;
  /** The best baseline, which forecasts series that are too short for a network. */
  fallback: string;
  target: string;
  time: { name: string; format: TimeFormat };
  /** The series column; null if the table is one series. */
  idColumn: string | null;
  frequency: Frequency;
  /** Time of grid index 0. */
  start: number;
  covariates: { name: string; role: Role; categories: string[] | null }[];
  plan: Omit<StoredPlan, 'representations'>;
  head: HeadName;
  /** Probabilities of the intervals. */
  levels: number[];
  /** For each network: its representation of the target ({@link Representation}), and the channels of its covariates. */
  representations: (Representation & { channels: ChannelConfig[] })[];
  series: {
    id: string;
    /** The transform for each network; null if the series was too short. */
    transforms: (TransformConfig | null)[];
    /** Scale of the interval margins of the model (calibration.ts). */
    unit: number;
    /** Scale of the interval margins of the fallback; missing if it equals `unit`. */
    fallbackUnit?: number;
    /** Values below this are raised to it before the logarithm. */
    floor: number;
    /**
     * The largest training value. With a log transform, upper bounds are limited to a multiple of this value (calibration.ts). Missing
     * in models of earlier versions.
     */
    ceiling?: number;
    /** Whether interval bounds are clipped at 0; missing in models of earlier versions, which clip the bounds of counts. */
    nonNegative?: boolean;
  }[];
  /**
   * Size of the errors of the model, and of the fallback, at each position in the season; missing if this size is the same
   * everywhere.
   */
  spread?: SeasonalSpread | undefined;
  fallbackSpread?: SeasonalSpread | undefined;
  /** Interval margins of the model for the lower bounds, by [level][step]. */
  margins: (number | null)[][];
  /** Those for the upper bounds; missing if they are equal. */
  upperMargins?: (number | null)[][];
  /** Interval margins of the fallback. */
  fallbackMargins: (number | null)[][];
  fallbackUpperMargins?: (number | null)[][];
  /** The last rows of the training data. */
  history: { id: string; offset: number; values: (number | null)[]; covariates: (number | null)[][] }[];
}

const toJsonNumbers = (values: Iterable<number>): (number | null)[] =>
  Array.from(values, (value) => (Number.isFinite(value) ? value : null));

export const fromJsonNumbers = (values: readonly (number | null)[]): Float64Array =>
  Float64Array.from(values, (value) => value ?? Number.NaN);

/**
 * Returns the last rows of each series. The forecast from these rows equals the forecast from all training rows. With newer rows,
 * the two may differ: a jump in the newer rows may count as a level shift only because earlier, larger swings are not stored.
 * @internal
 */
export function historyOf(panel: Panel, models: readonly string[], plan: ForecastPlan): Pipeline['history'] {
  const rows = forecastRows(models, plan);
  return panel.series.map(({ id, offset, values, covariates }) => {
    const skipped = skippedRows(values, rows, plan);
    return {
      id,
      offset: offset + skipped,
      values: toJsonNumbers(values.subarray(skipped)),
      covariates: covariates.map((cells) => toJsonNumbers(cells.subarray(skipped))),
    };
  });
}

/** Returns the stored rows as a panel. */
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

/** What a model is made from: the results of a run. */
export interface ModelParts {
  panel: Panel;
  plan: ForecastPlan;
  levels: readonly number[];
  head: HeadName;
  /** The leaderboard, best first. */
  scores: readonly Score[];
  /** The model that makes the forecast. */
  winner: string;
  /** Null if the forecast is by baselines. */
  networks: readonly FittedNetwork[] | null;
  /** The members of the winner, if it is a combined model. */
  combination: Combination | undefined;
  /** Returns the calibration of a model. */
  calibrationOf: (model: string) => Calibration;
  scale: ScoreScale;
}

/** Returns the content of pipeline.json for a new model. */
export function pipelineOf(parts: ModelParts): Pipeline {
  const { panel, plan, levels, head, scores, combination } = parts;
  const baselineNames = baselines(plan);
  const { winner: model } = parts;
  const fallback = scores.find((score) => baselineNames.has(score.model))!.model; // every leaderboard has baselines
  const end = panelEnd(panel);
  const calibrations = [model, fallback].map(parts.calibrationOf);
  const [margins, fallbackMargins] = calibrations.map((each) => each.margins(end));
  const scalesOf = (series: number) => calibrations.map((each) => each.scaleAt({ series, origin: end }));
  const [{ spread }, { spread: fallbackSpread }] = scalesOf(0);
  const members = combination === undefined ? {} : { combination: storedCombination(combination, panel) };
  const memberNames = combination === undefined ? [] : membersOf(combination);
  const { target, time, idColumn, frequency, start } = panel;
  const { horizon, chunk, season, seasons, period, lag, window, log, scaler, calendar = [] } = plan;
  return {
    format: PIPELINE_FORMAT,
    ...{ model, fallback, target, time, idColumn, frequency, start },
    ...members,
    covariates: panel.covariates.map(({ name, role, categories }) => ({
      ...{ name, role },
      categories: categories === null ? null : [...categories],
    })),
    plan: { horizon, chunk, season, seasons: [...seasons], period, lag, window, log, scaler, calendar },
    head,
    levels: [...levels],
    ...fittedParts(parts, (series) => {
      const [{ unit }, { unit: fallbackUnit }] = scalesOf(series);
      return { unit, ...(fallbackUnit !== unit && { fallbackUnit }) };
    }),
    ...(spread && { spread }),
    ...(fallbackSpread && { fallbackSpread }),
    margins: marginsToJson(margins.lower),
    ...(!isSymmetric(margins) && { upperMargins: marginsToJson(margins.upper) }),
    fallbackMargins: marginsToJson(fallbackMargins.lower),
    ...(!isSymmetric(fallbackMargins) && { fallbackUpperMargins: marginsToJson(fallbackMargins.upper) }),
    history: historyOf(panel, [model, fallback, ...memberNames], plan),
  };
}

const isSymmetric = ({ lower, upper }: Margins): boolean =>
  lower.every((margins, l) => Array.from(margins).every((margin, k) => Object.is(margin, upper[l][k])));

const marginsToJson = (byLevel: Margins['lower']) =>
  byLevel.map((margins) => toJsonNumbers(Array.from(margins)));

/** Returns margins that are stored as JSON. */
export const marginsFrom = (
  lower: readonly (number | null)[][],
  upper: readonly (number | null)[][] = lower,
): Margins => ({ lower: lower.map(fromJsonNumbers), upper: upper.map(fromJsonNumbers) });

/** Returns a combination as JSON. */
function storedCombination(
  { network, weights, bySeries }: Combination,
  panel: Panel,
): Pipeline['combination'] {
  const series = bySeries?.map((each, s) => [panel.series[s].id, Object.fromEntries(each)] as const);
  return {
    network,
    weights: Object.fromEntries(weights),
    ...(series && { series: Object.fromEntries(series) }),
  };
}

/** Returns the names of all members. */
const membersOf = ({ weights, bySeries = [] }: Combination): string[] =>
  [weights, ...bySeries].flatMap((each) => [...each.keys()]);

/** Returns how many of the last rows the models read. */
function forecastRows(models: readonly string[], plan: ForecastPlan): number {
  if (models.some(usesAllRows)) return Number.POSITIVE_INFINITY;
  return warmUp(plan) + plan.season + (models.some(isFitted) ? fitWindow(plan.period) : 0);
}

/**
 * Returns how many rows at the beginning of a series are not stored. The stored rows are those that the models read, and the
 * rows before them that the search for level shifts needs, usually a few hundred. If a search of these rows would find other
 * shifts than a search of all rows, more rows or all rows are stored.
 */
function skippedRows(values: Float64Array, rows: number, plan: ForecastPlan): number {
  const searched = searchedRows(plan.season);
  for (const earlier of [searched, searched + REMEMBERED_ROWS]) {
    let skipped = Math.max(0, values.length - rows - earlier);
    while (skipped > 0 && Number.isNaN(values[skipped])) skipped--; // Gaps are filled from earlier values.
    if (skipped === 0 || hasSameShifts(values, skipped, values.length - rows, plan)) return skipped;
  }
  return 0;
}

/** Returns the fitted parameters of each network and series. */
function fittedParts(
  { panel, networks, scale }: ModelParts,
  unitsOf: (series: number) => { unit: number; fallbackUnit?: number },
): Pick<Pipeline, 'representations' | 'series'> {
  const trainedNetworks = networks ?? [];
  return {
    representations: trainedNetworks.map(({ plan, encoder }) => ({
      ...{
        hasUnsubtractedChannel: plan.hasUnsubtractedChannel,
        lag: plan.lag,
        reference: plan.reference ?? 'last',
      },
      channels: encoder.config.channels,
    })),
    series: panel.series.map(({ id, values }, s) => ({
      id,
      transforms: trainedNetworks.map(({ encoder }) => encoder.config.transforms[s]),
      ...unitsOf(s),
      floor: scale.floors[s],
      ceiling: scale.ceilings[s],
      nonNegative: isNonNegative(values),
    })),
  };
}
