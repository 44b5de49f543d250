/**
 * Defaults, chosen from the training part of the data: season, logarithm, window, how the backtest is laid out, and how
 * long to train. Nothing here looks at rows after the first backtest origin, except to count them.
 */
import { UnrollError, valueError } from '@unroll/core';
import { inferSeason } from '@unroll/data';
import { filled, type Series } from './series.js';
import { type TransformPlan, warmUp } from './transform.js';

export interface PlanOptions {
  horizon: number;
  /** Rows in a season; 1 for none. Default: inferred. */
  season?: number;
  /** Rows the network sees. Default: one season, two where the history is long. */
  window?: number;
  /** Backtest forecasts. Default: up to four that fit into the last third. */
  windows?: number;
  /** Rows between two backtest origins. Default: the horizon. */
  step?: number;
}

export interface ForecastPlan extends Omit<TransformPlan, 'absolute'> {
  /** Rows before the first backtest origin: what the backtest trains on. */
  trainingRows: number;
  /** Number of rows known at each backtest origin. */
  origins: number[];
}

/** Fewer training pairs than this teach a network nothing. */
const MIN_PAIRS = 8;

/**
 * Lays out the whole run.
 * @throws UnrollError `value` for options that are not positive whole numbers, `data` when the series is too short for
 *   the horizon; `data.longest` is then the longest horizon that would do
 */
export function planForecast(series: Series, options: PlanOptions): ForecastPlan {
  for (const name of ['horizon', 'season', 'window', 'windows', 'step'] as const)
    checkCount(name, options[name]);
  const plan = tryPlan(series, options);
  if (plan !== null) return plan;
  const rows = series.values.length;
  let longest = Math.min(options.horizon - 1, rows);
  while (longest > 0 && tryPlan(series, { ...options, horizon: longest }) === null) longest--;
  const also = Object.entries({ window: options.window, windows: options.windows, season: options.season })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  throw new UnrollError(
    'data',
    `The series has ${rows} rows, too few to forecast ${options.horizon} ahead` +
      `${also.length > 0 ? ` with ${also.join(' and ')}` : ''} and to test it on rows left out of training. ` +
      (longest > 0 ? `The longest horizon for this series is ${longest}.` : 'More rows are needed.'),
    { rows, horizon: options.horizon, longest },
  );
}

function checkCount(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return;
  throw valueError(`The ${name} must be a whole number from 1, and it is ${value}.`, { option: name, value });
}

function tryPlan(series: Series, options: PlanOptions): ForecastPlan | null {
  const { horizon, step = horizon } = options;
  const rows = series.values.length;
  const third = Math.floor((rows / 3 - horizon) / step) + 1;
  const most = options.windows ?? Math.max(1, Math.min(4, third));
  for (let windows = most; windows >= (options.windows ?? 1); windows--) {
    const trainingRows = rows - horizon - (windows - 1) * step;
    if (trainingRows < 4) continue;
    const origins = Array.from({ length: windows }, (_, i) => trainingRows + i * step);
    const transform = chooseTransform(series, trainingRows, options);
    if (warmUp(transform) + horizon + MIN_PAIRS - 1 <= trainingRows)
      return { ...transform, trainingRows, origins };
  }
  return null;
}

function chooseTransform(
  series: Series,
  trainingRows: number,
  options: PlanOptions,
): Omit<TransformPlan, 'absolute'> {
  const { horizon } = options;
  const known = filled(series.values.slice(0, trainingRows), 1);
  const room = trainingRows - horizon - MIN_PAIRS + 1;
  const inferred = options.season ?? inferSeason(known, series.frequency);
  const season = options.season === undefined && inferred + Math.min(inferred, 4) > room ? 1 : inferred;
  const forWindow = Math.max(1, room - (season > 1 ? season : 0));
  const window = options.window ?? Math.min(defaultWindow(season, trainingRows, horizon), forWindow);
  const whole = filled(series.values.slice(0, trainingRows), season);
  return { horizon, season, window, log: growsWithLevel(whole, season) };
}

/** At least 8 rows and whole seasons: one, or two where 20 of them are known; without a season, twice the horizon. */
function defaultWindow(season: number, trainingRows: number, horizon: number): number {
  if (season === 1) return Math.max(8, Math.min(48, 2 * horizon));
  const whole = season * Math.ceil(8 / season);
  return trainingRows >= 20 * whole && whole <= 84 ? 2 * whole : whole;
}

/**
 * True if the series is positive and its variation grows with its level, so that its logarithm is steadier: the slope
 * of log(deviation) on log(mean) over blocks of one season (Guerrero 1993) is nearer to 1 than to 0.
 */
export function growsWithLevel(values: Float64Array, season: number): boolean {
  if (!values.every((value) => value > 0)) return false;
  const length = season > 3 ? season : Math.max(4, Math.min(12, Math.floor(values.length / 6)));
  const points: { level: number; variation: number }[] = [];
  for (let end = values.length; end >= length; end -= length) {
    const block = values.subarray(end - length, end);
    const mean = block.reduce((sum, value) => sum + value, 0) / length;
    const deviation = Math.sqrt(block.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (length - 1));
    if (deviation > 0) points.push({ level: Math.log(mean), variation: Math.log(deviation) });
  }
  if (points.length < 4) return false;
  const centre = (key: 'level' | 'variation') =>
    points.reduce((sum, point) => sum + point[key], 0) / points.length;
  const [level, variation] = [centre('level'), centre('variation')];
  const spread = (a: 'level' | 'variation', b: 'level' | 'variation') =>
    points.reduce(
      (sum, p) =>
        sum + (p[a] - (a === 'level' ? level : variation)) * (p[b] - (b === 'level' ? level : variation)),
      0,
    );
  const slope = spread('level', 'variation') / spread('level', 'level');
  const correlation =
    spread('level', 'variation') / Math.sqrt(spread('level', 'level') * spread('variation', 'variation'));
  return slope > 0.5 && correlation > 0.6;
}
