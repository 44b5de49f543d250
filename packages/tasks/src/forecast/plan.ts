/**
 * Plans a run: chooses season, log transform, window and backtest origins from the training rows. Rows after the first
 * backtest origin are only counted, so the plan leaks nothing from the backtest.
 */
import { UnrollError, valueError } from '@unroll/core';
import { inferSeason } from '@unroll/data';
import { type CalendarOption, chooseCalendar } from './calendar.js';
import type { NetworkPlan } from './encoder.js';
import { type Panel, type PanelSeries, panelEnd } from './panel.js';
import { filled, knownAhead, ofSeries } from './rows.js';
import { changeAhead, warmUp } from './transform.js';

export interface PlanOptions {
  /** Rows to forecast. */
  horizon: number;
  /** Rows in a season; 1 for none. Default: inferred. */
  season?: number;
  /** Input rows of the network. Default: one season, or more if the history is long. */
  window?: number;
  /**
   * How values are scaled: differences (`changes`), differences of logarithms (`log`), statistics of the series' training
   * rows (`standard`, `robust`, `minmax`), or statistics of each window (`instance`). Default: `changes`, or `log` if the
   * variation grows with the level.
   */
  scaler?: ScalerName;
  /** `direct` forecasts all horizon steps at once; `recursive` feeds each step back as input to the next. Default `direct`. */
  decoding?: Decoding;
  /**
   * Calendar features: position in the day (`hour`), the week (`weekday`) and the year (`month`), or `auto` for those that
   * vary between rows and are covered twice by the training rows. Default `none`.
   */
  calendar?: CalendarOption;
  /** Backtest forecasts. Default: up to four within the last third of the rows, more for long series. */
  windows?: number;
  /** Rows between two backtest origins. Default: the horizon. */
  step?: number;
}

export const DECODINGS = ['direct', 'recursive'] as const;
export type Decoding = (typeof DECODINGS)[number];

export const SCALERS = ['changes', 'log', 'standard', 'robust', 'minmax', 'instance'] as const;
export type ScalerName = (typeof SCALERS)[number];

export interface ForecastPlan extends Omit<NetworkPlan, 'absolute'> {
  /** Horizon steps of one network output (horizon chunk); longer horizons feed forecasts back as input. */
  chunk: number;
  /** Grid index of the first row after the training rows of the backtest. */
  cut: number;
  /** Grid indices of the backtest origins: the rows before each are known. */
  origins: number[];
}

/** A network needs at least this many training pairs. */
const MIN_PAIRS = 8;
/** Share of the series that must be long enough for the window. */
const MOST_SERIES = 0.8;

/**
 * Plans the whole run.
 * @throws UnrollError `value` for options that are not positive integers, `data` if the series are too short for the
 *   horizon; `data.longest` is then the longest possible horizon
 */
export function planForecast(panel: Panel, options: PlanOptions & { counts?: boolean }): ForecastPlan {
  checkScaler(options);
  const { decoding } = options;
  if (decoding !== undefined && !DECODINGS.includes(decoding)) {
    throw valueError(`decoding must be one of ${DECODINGS.join(', ')}, got "${decoding}".`, { decoding });
  }
  for (const name of ['horizon', 'season', 'window', 'windows', 'step'] as const)
    checkCount(name, options[name]);
  const plan = tryPlan(panel, options);
  if (plan !== null)
    return { ...plan, calendar: chooseCalendar(panel, options.calendar ?? 'none', plan.cut) };
  const rows = Math.max(...panel.series.map(({ values }) => values.length));
  let longest = Math.min(options.horizon - 1, rows);
  while (longest > 0 && tryPlan(panel, { ...options, horizon: longest }) === null) longest--;
  const also = Object.entries({ window: options.window, windows: options.windows, season: options.season })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  const have =
    panel.series.length === 1 ? `The series has ${rows} rows` : `The series have at most ${rows} rows`;
  const gaps = panel.series.some(({ values }) => values.some(Number.isNaN));
  const few = gaps ? `and too few consecutive values of "${panel.target}"` : 'too few';
  const allowed = longest > 0 ? `The longest possible horizon is ${longest}.` : 'Provide more rows.';
  const fill = gaps ? ' Fill the gaps, or remove rows that never have a value, such as weekends.' : '';
  throw new UnrollError(
    'data',
    `${have}, ${few} to train and backtest a forecast of horizon ${options.horizon}` +
      `${also.length > 0 ? ` with ${also.join(' and ')}` : ''}. ${allowed}${fill}`,
    { rows, horizon: options.horizon, longest },
  );
}

function checkCount(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return;
  throw valueError(`${name} must be a positive integer, got ${value}.`, { option: name, value });
}

function checkScaler({ scaler, counts }: PlanOptions & { counts?: boolean }): void {
  if (scaler === undefined) return;
  if (!SCALERS.includes(scaler)) {
    throw valueError(`scaler must be one of ${SCALERS.join(', ')}, got "${scaler}".`, { scaler });
  }
  if (counts) throw valueError('The head negbin uses its own scaling: remove the scaler option.', { scaler });
}

function tryPlan(panel: Panel, options: PlanOptions & { counts?: boolean }): ForecastPlan | null {
  const { horizon, step = horizon } = options;
  const end = panelEnd(panel);
  const span = end - Math.min(...panel.series.map(({ offset }) => offset));
  const third = Math.floor((span / 3 - horizon) / step) + 1;
  const most = options.windows ?? Math.max(1, Math.min(usualWindows(span), third));
  for (let windows = most; windows >= (options.windows ?? 1); windows--) {
    const cut = end - horizon - (windows - 1) * step;
    const training = panel.series
      .map((series) => knownBefore(series, cut))
      .filter((values) => values.length > 0);
    if (training.every((values) => values.length < 4)) continue;
    const transform = chooseTransform(panel, training, options);
    if (transform === null) continue;
    return { ...transform, cut, origins: Array.from({ length: windows }, (_, i) => cut + i * step) };
  }
  return null;
}

/** Four, or one for every 200 rows of a long series, at most 20: more forecasts make the scores of a long series reliable. */
const usualWindows = (rows: number): number => Math.max(4, Math.min(20, Math.floor(rows / 200)));

/** The values of a series before a grid index, without trailing gaps. */
function knownBefore({ offset, values }: PanelSeries, cut: number): Float64Array {
  let length = Math.min(values.length, Math.max(0, cut - offset));
  while (length > 0 && Number.isNaN(values[length - 1])) length--;
  return values.slice(0, length);
}

type Choice = Omit<ForecastPlan, 'cut' | 'origins'>;

function chooseTransform(
  panel: Panel,
  training: readonly Float64Array[],
  options: PlanOptions & { counts?: boolean },
): Choice | null {
  const { horizon, decoding } = options;
  const chunk = decoding === 'recursive' ? 1 : horizon;
  const season = options.season ?? commonSeason(panel, training);
  const { scaler, log } = chooseScaler(panel, training, season, options);
  const whole = training.map((values) => filled(values, season));
  const scaled = log ? whole.map((values) => values.map(Math.log)) : whole;
  for (const lag of scaler === 'changes' ? lagsByMerit(scaled, season, horizon) : [1]) {
    const choice = withWindow(training, { scaler, horizon, chunk, season, lag, log }, options.window);
    if (choice !== null) return choice;
  }
  return null;
}

function chooseScaler(
  panel: Panel,
  training: readonly Float64Array[],
  season: number,
  { scaler, counts }: PlanOptions & { counts?: boolean },
): Pick<Choice, 'scaler' | 'log'> {
  if (counts) return { scaler: 'counts', log: false };
  if (scaler === undefined) return { scaler: 'changes', log: needsLog(training, season) };
  if (scaler !== 'log') return { scaler, log: false };
  const low = panel.series.find(({ values }) => values.some((value) => value <= 0));
  if (low === undefined) return { scaler: 'changes', log: true };
  throw valueError(
    `The scaler log needs positive values, got zero or negative values in "${panel.target}"${ofSeries(low.id)}. Choose ` +
      'another scaler.',
    { scaler, series: low.id },
  );
}

/** The longest window, up to the default, that leaves enough training pairs; null if there is none. */
function withWindow(
  training: readonly Float64Array[],
  choice: Omit<Choice, 'window'>,
  wanted: number | undefined,
): Choice | null {
  const longest = Math.max(...training.map((values) => values.length));
  const usual = wanted ?? defaultWindow(choice.season, longest, choice.horizon);
  const least = wanted ?? (choice.lag > 1 ? Math.min(choice.lag, 4) : 1);
  for (let window = usual; window >= least; window--) {
    if (fits(training, { ...choice, window })) return { ...choice, window };
  }
  return null;
}

/** Origins per series on which the lags are compared. */
const MOST_COMPARED = 200;

/**
 * The candidate lags (the season, and 1), best first: the better one has the lower error in most series for a network that
 * outputs 0. With the season as lag, this is the seasonal naive forecast shifted by the latest change; with lag 1, the
 * naive forecast.
 */
function lagsByMerit(training: readonly Float64Array[], season: number, horizon: number): number[] {
  if (season === 1) return [1];
  const every = Math.ceil(training.length / 50);
  const compared = training.filter((values, i) => i % every === 0 && values.length > 2 * season + horizon);
  const better = compared.filter(
    (values) => restingError(values, season, season, horizon) <= restingError(values, 1, season, horizon),
  );
  return better.length * 2 >= compared.length ? [season, 1] : [1, season];
}

function restingError(z: Float64Array, lag: number, season: number, horizon: number): number {
  const origins = z.length - horizon - season;
  const every = Math.ceil(origins / MOST_COMPARED);
  let total = 0;
  for (let t = season; t + horizon < z.length; t += every) {
    for (let k = 1; k <= horizon; k++) {
      const latest = lag === 1 ? z[t] : z[t] - z[t - lag];
      const seasons = lag === 1 ? 1 : Math.ceil(k / lag);
      total += (seasons * (changeAhead({ z, lag }, t, k) - latest)) ** 2;
    }
  }
  return total;
}

/** True if there are enough training pairs, and nearly all series have some. */
function fits(training: readonly Float64Array[], choice: Choice): boolean {
  const pairs = training.map((values) => knownAhead(values, warmUp(choice), choice.horizon).length);
  const used = pairs.filter((count) => count > 0).length;
  return pairs.reduce((sum, count) => sum + count, 0) >= MIN_PAIRS && used >= training.length * MOST_SERIES;
}

/** The most frequent season of at most 50 series. */
function commonSeason(panel: Panel, training: readonly Float64Array[]): number {
  const every = Math.ceil(training.length / 50);
  const votes = new Map<number, number>();
  for (const values of training.filter((_, i) => i % every === 0)) {
    const season = inferSeason(filled(values, 1), panel.frequency);
    votes.set(season, (votes.get(season) ?? 0) + 1);
  }
  return [...votes].sort((a, b) => b[1] - a[1])[0][0];
}

/** Longest default window, in rows: longer windows train slowly. */
const LONG = 96;

/** The training rows must be this many times as long as the default window. */
const TIMES_KNOWN = 20;

/**
 * At least 8 rows, and more if more rows are known. With a season: whole seasons, up to LONG rows. Without one, or if it is
 * longer than LONG: at least two horizons, at most LONG / 2 rows.
 */
function defaultWindow(season: number, trainingRows: number, horizon: number): number {
  const known = Math.floor(trainingRows / TIMES_KNOWN);
  if (season === 1 || season > LONG) return Math.max(8, Math.min(LONG / 2, Math.max(2 * horizon, known)));
  const whole = season * Math.ceil(8 / season);
  return whole * Math.max(1, Math.floor(Math.min(LONG, known) / whole));
}

/** True if all training values are positive and the variation of most series grows with their level. */
function needsLog(training: readonly Float64Array[], season: number): boolean {
  const whole = training.map((values) => filled(values, season));
  if (!whole.every((values) => values.every((value) => value > 0))) return false;
  return whole.filter((values) => growsWithLevel(values, season)).length > whole.length / 2;
}

/**
 * True if the series is positive and its variation grows with its level, so a log transform stabilises the variance: the
 * slope of log(deviation) on log(mean) over blocks of one season (Guerrero 1993) is closer to 1 than to 0.
 */
export function growsWithLevel(values: Float64Array, season: number): boolean {
  if (!values.every((value) => value > 0)) return false;
  const length = season > 3 ? season : Math.max(4, Math.min(12, Math.floor(values.length / 6)));
  const levels: number[] = [];
  const variations: number[] = [];
  for (let end = values.length; end >= length; end -= length) {
    const block = values.subarray(end - length, end);
    const mean = block.reduce((sum, value) => sum + value, 0) / length;
    const deviation = Math.sqrt(block.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (length - 1));
    if (deviation === 0) continue;
    levels.push(Math.log(mean));
    variations.push(Math.log(deviation));
  }
  if (levels.length < 4) return false;
  const shared = covariance(levels, variations);
  const slope = shared / covariance(levels, levels);
  const correlation = shared / Math.sqrt(covariance(levels, levels) * covariance(variations, variations));
  return slope > 0.5 && correlation > 0.6;
}

function covariance(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [centreA, centreB] = [mean(a), mean(b)];
  return mean(a.map((value, i) => (value - centreA) * (b[i] - centreB)));
}
