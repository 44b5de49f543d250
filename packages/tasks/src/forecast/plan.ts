/**
 * Plans a run: chooses the season, scaling, window and backtest origins. The values of the rows after the first backtest
 * origin do not influence these choices, so nothing leaks from the backtest.
 */
import { UnrollError, valueError } from '@unroll/core';
import { seasonCandidates } from '@unroll/data';
import { type CalendarOption, chooseCalendar } from './calendar.js';
import type { NetworkPlan } from './encoder.js';
import { withoutShifts } from './levelled.js';
import { type Representation, sameRepresentations } from './network.js';
import { type Panel, type PanelSeries, panelEnd } from './panel.js';
import { chooseRepresentations } from './representation.js';
import { fillGaps, ofSeries, rowsWithKnownHorizon } from './rows.js';
import { chooseSeason } from './seasons.js';
import { changePerSeason, warmUp } from './transform.js';

export interface PlanOptions {
  /** Number of rows to forecast. */
  horizon: number;
  /** Rows in a season, such as 12 for monthly rows; 1 for none. Default: inferred. */
  season?: number;
  /** Input rows of the network. Default: one season, or more if there are many rows. */
  window?: number;
  /**
   * How values are scaled: by differences (`changes`), differences of logarithms (`log`), statistics of the training rows of
   * each series (`standard`, `robust`, `minmax`), or statistics of each window (`instance`). Default: `changes`, or `log` if the
   * variation grows with the level or the held-out error with `log` is lower. If `changes` is given, the last difference of the
   * window is subtracted; with `log` and by default, the representation is chosen by comparison (representation.ts).
   */
  scaler?: ScalerName;
  /** `direct` forecasts all horizon steps at once; `recursive` feeds each step back as input to the next. Default `direct`. */
  decoding?: Decoding;
  /**
   * Calendar features: position in the day (`hour`), the week (`weekday`) and the year (`month`), or `auto` for the features that
   * vary between rows and whose cycle the training rows cover at least twice. Default `none`.
   */
  calendar?: CalendarOption;
  /** Number of backtest origins. Default: up to four within the last third of the rows, or up to 20 if there are many rows. */
  windows?: number;
  /** Rows between two backtest origins. Default: the horizon. */
  step?: number;
}

export const DECODINGS = ['direct', 'recursive'] as const;
export type Decoding = (typeof DECODINGS)[number];

export const SCALERS = ['changes', 'log', 'standard', 'robust', 'minmax', 'instance'] as const;
export type ScalerName = (typeof SCALERS)[number];

export interface ForecastPlan extends Omit<NetworkPlan, 'hasUnsubtractedChannel' | 'reference'> {
  /** Horizon chunk: the steps of one network output. Longer horizons are forecast recursively. */
  chunk: number;
  /**
   * Season length for the baselines `theta` and `ets`, which test whether each series is seasonal: the season of the plan or, if the
   * plan has no season, the usual season of the frequency; 1 for none.
   */
  period: number;
  /** All seasons found, the main one (`season`) first; empty for none. */
  seasons: readonly number[];
  /** Why the season of several series was chosen; empty for a single series, and if the season was given or none was found. */
  seasonReason: string;
  /** The representation of the target for each network (network.ts). The `lag` of the plan is the largest of their lags. */
  representations: readonly Representation[];
  /** Why these representations were chosen; empty if there was no choice. */
  representationReason: string;
  /** Grid index of the first row after the training rows of the backtest. */
  cut: number;
  /** Grid indices of the backtest origins. Only the rows before an origin are used to forecast from it. */
  origins: number[];
}

/** The part of a plan that forecasts depend on; a saved model stores it. */
export type StoredPlan = Omit<ForecastPlan, 'cut' | 'origins' | 'seasonReason' | 'representationReason'>;

/** Minimum number of training pairs of a network. */
const MIN_PAIRS = 8;
/** Minimum share of the series that are long enough for the window. */
const MIN_SERIES_SHARE = 0.8;

/**
 * Plans a run.
 * @param options `counts`: whether the head is `negbin`
 * @throws UnrollError `value` for invalid options; `data` if the series are too short for the horizon. In this case,
 *   `error.data.longest` is the longest possible horizon
 */
export function planForecast(panel: Panel, options: PlanOptions & { counts?: boolean }): ForecastPlan {
  checkScaler(options);
  const { decoding } = options;
  if (decoding !== undefined && !DECODINGS.includes(decoding)) {
    throw valueError(`decoding must be one of ${DECODINGS.join(', ')}, got "${decoding}".`, { decoding });
  }
  for (const name of ['horizon', 'season', 'window', 'windows', 'step'] as const)
    checkPositiveInteger(name, options[name]);
  const plan = tryPlan(panel, options);
  if (plan !== null)
    return { ...plan, calendar: chooseCalendar(panel, options.calendar ?? 'none', plan.cut) };
  const rows = Math.max(...panel.series.map(({ values }) => values.length));
  let longest = Math.min(options.horizon - 1, rows);
  while (longest > 0 && tryPlan(panel, { ...options, horizon: longest }) === null) longest--;
  const settings = Object.entries({
    window: options.window,
    windows: options.windows,
    season: options.season,
  })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  const length =
    panel.series.length === 1 ? `The series has ${rows} rows` : `The series have at most ${rows} rows`;
  const hasGaps = panel.series.some(({ values }) => values.some(Number.isNaN));
  const problem = hasGaps ? `and too few consecutive values of "${panel.target}"` : 'too few';
  const advice = longest > 0 ? `The longest possible horizon is ${longest}.` : 'Provide more rows.';
  const gapAdvice = hasGaps
    ? ' Fill the gaps, or remove rows that never have a value, such as weekends.'
    : '';
  throw new UnrollError(
    'data',
    `${length}, ${problem} to train and backtest a forecast of horizon ${options.horizon}` +
      `${settings.length > 0 ? ` with ${settings.join(' and ')}` : ''}. ${advice}${gapAdvice}`,
    { rows, horizon: options.horizon, longest },
  );
}

function checkPositiveInteger(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return;
  throw valueError(`${name} must be a positive integer, got ${value}.`, { option: name, value });
}

function checkScaler({ scaler, counts }: PlanOptions & { counts?: boolean }): void {
  if (scaler === undefined) return;
  if (!SCALERS.includes(scaler)) {
    throw valueError(`scaler must be one of ${SCALERS.join(', ')}, got "${scaler}".`, { scaler });
  }
  if (counts)
    throw valueError('The option scaler cannot be used with the head negbin, which has its own scaling.', {
      scaler,
    });
}

/** Returns the plan with the most backtest origins that the data allows; null if it allows none. */
function tryPlan(panel: Panel, options: PlanOptions & { counts?: boolean }): ForecastPlan | null {
  const { horizon, step = horizon } = options;
  const end = panelEnd(panel);
  const span = end - Math.min(...panel.series.map(({ offset }) => offset));
  const windowsInLastThird = Math.floor((span / 3 - horizon) / step) + 1;
  const maxWindows = options.windows ?? Math.max(1, Math.min(defaultWindows(span), windowsInLastThird));
  for (let windows = maxWindows; windows >= (options.windows ?? 1); windows--) {
    const cut = end - horizon - (windows - 1) * step;
    const training = panel.series
      .map((series) => knownBefore(series, cut))
      .filter((values) => values.length > 0);
    if (training.every((values) => values.length < 4)) continue;
    const transform = chooseTransform(panel, training, options);
    if (transform === null) continue;
    const period = options.season ?? (transform.season > 1 ? transform.season : usualSeason(panel, span));
    return { ...transform, period, cut, origins: Array.from({ length: windows }, (_, i) => cut + i * step) };
  }
  return null;
}

/** Returns the default number of backtest origins: one for every 200 rows, between 4 and 20. */
const defaultWindows = (rows: number): number => Math.max(4, Math.min(20, Math.floor(rows / 200)));

/** Returns the values of a series before grid index `cut`, without trailing gaps. */
function knownBefore({ offset, values }: PanelSeries, cut: number): Float64Array {
  let length = Math.min(values.length, Math.max(0, cut - offset));
  while (length > 0 && Number.isNaN(values[length - 1])) length--;
  return values.slice(0, length);
}

/** A plan without the backtest and the representations. */
type TransformChoice = Omit<
  ForecastPlan,
  'cut' | 'origins' | 'period' | 'representations' | 'representationReason'
>;

/** Chooses season, scaler, lag and window from the training rows. Returns null if there are too few rows. */
function chooseTransform(
  panel: Panel,
  rawTraining: readonly Float64Array[],
  options: PlanOptions & { counts?: boolean },
): (TransformChoice & Pick<ForecastPlan, 'representations' | 'representationReason'>) | null {
  const { horizon, decoding } = options;
  const chunk = decoding === 'recursive' ? 1 : horizon;
  const usual = usualSeason(panel, Math.max(...rawTraining.map(({ length }) => length)));
  const training = rawTraining.map((values) =>
    withoutShifts(values, { season: options.season ?? usual, log: false }),
  );
  const { season, seasons, reason: seasonReason } = chooseSeason(panel, training, horizon, options.season);
  // A series with a value of 0 or below has no logarithm, even if it becomes positive when it is moved to the level after a shift.
  const positive = training.map((values, s) => (isPositive(rawTraining[s]) ? values : rawTraining[s]));
  const { scaler, log } = chooseScaler(panel, positive, season, options);
  const withoutGaps = training.map((values) => fillGaps(values, season));
  const z = log ? withoutGaps.map((values) => values.map(Math.log)) : withoutGaps;
  const common = { scaler, horizon, chunk, season, seasons, seasonReason, log };
  for (const lag of scaler === 'changes' ? rankLags(z, season, horizon) : [1]) {
    const choice = withWindow(training, { ...common, lag }, options.window);
    if (choice !== null)
      return { ...choice, ...representationsOf(training, choice, options, positive.every(isPositive)) };
  }
  return null;
}

/** The choice of {@link needsLog} is reversed if that lowers the error by at least this share. */
const MIN_LOG_GAIN = 0.05;

/** Chooses the representation for each network, and whether to use logarithms. The `lag` of the result is the largest lag. */
function representationsOf(
  training: readonly Float64Array[],
  choice: TransformChoice,
  { scaler }: PlanOptions,
  arePositive: boolean,
): Pick<ForecastPlan, 'representations' | 'representationReason' | 'lag' | 'log'> {
  const { lag, log } = choice;
  if (choice.scaler !== 'changes' || scaler === 'changes')
    return {
      representations: sameRepresentations({ lag, reference: 'last' }),
      representationReason: '',
      lag,
      log,
    };
  const lags = [...new Set([lag, 1, ...choice.seasons])].filter(
    (each) => each <= lag || isLongEnough(training, { ...choice, lag: each }),
  );
  const plan = { ...choice, horizon: choice.chunk };
  const found = chooseRepresentations(training, plan, lags);
  const mayReverse = scaler === undefined && arePositive;
  const other = mayReverse ? chooseRepresentations(training, { ...plan, log: !log }, lags) : found;
  const isOtherBetter = other.error < (1 - MIN_LOG_GAIN) * found.error;
  const { representations, reason } = isOtherBetter ? other : found;
  const gain = `${(100 * (1 - other.error / found.error)).toFixed(0)} %`;
  const logReason = `${log ? 'without' : 'with'} logarithms the held-out error of a linear model is ${gain} lower`;
  return {
    representations,
    representationReason: isOtherBetter
      ? [logReason, reason].filter((text) => text !== '').join('; ')
      : reason,
    lag: Math.max(...representations.map((each) => each.lag)),
    log: isOtherBetter ? !log : log,
  };
}

/** Returns whether no known value is 0 or negative. */
const isPositive = (values: Float64Array): boolean => values.every((value) => !(value <= 0));

/** Returns the scaler (the default is `changes`), and whether to take logarithms. */
function chooseScaler(
  panel: Panel,
  training: readonly Float64Array[],
  season: number,
  { scaler, counts }: PlanOptions & { counts?: boolean },
): Pick<TransformChoice, 'scaler' | 'log'> {
  if (counts) return { scaler: 'counts', log: false };
  if (scaler === undefined) return { scaler: 'changes', log: needsLog(training, season) };
  if (scaler !== 'log') return { scaler, log: false };
  const nonPositive = panel.series.find(({ values }) => values.some((value) => value <= 0));
  if (nonPositive === undefined) return { scaler: 'changes', log: true };
  throw valueError(
    `The scaler log needs positive values, got zero or negative values in "${panel.target}"${ofSeries(nonPositive.id)}. Choose ` +
      'another scaler.',
    { scaler, series: nonPositive.id },
  );
}

/**
 * Returns the choice with the longest window, up to the default length, that leaves enough training pairs. Null if no
 * window does.
 * @param wanted window of the options; if it is set, no other window is tried
 */
function withWindow(
  training: readonly Float64Array[],
  choice: Omit<TransformChoice, 'window'>,
  wanted: number | undefined,
): TransformChoice | null {
  const trainingRows = Math.max(...training.map((values) => values.length));
  const longest = wanted ?? defaultWindow(windowSeason(choice), trainingRows, choice.horizon);
  const shortest = wanted ?? (choice.lag > 1 ? Math.min(choice.lag, 4) : 1);
  for (let window = longest; window >= shortest; window--) {
    if (hasEnoughPairs(training, { ...choice, window })) return { ...choice, window };
  }
  return null;
}

/** Maximum number of origins per series at which the lags are compared. */
const MAX_COMPARED_ORIGINS = 200;

/**
 * Returns the candidate lags (the season and 1), the better one first: the lag with which a network that outputs 0 has the lower
 * error in most series. With the season as lag, such a network forecasts the value one season earlier plus the latest
 * change; with lag 1, it forecasts the last value.
 * @param training the training values of each series, or their logarithms
 */
function rankLags(training: readonly Float64Array[], season: number, horizon: number): number[] {
  if (season === 1) return [1];
  const stride = Math.ceil(training.length / 50);
  const compared = training.filter((values, i) => i % stride === 0 && values.length > 2 * season + horizon);
  const seasonalBetter = compared.filter(
    (values) =>
      zeroOutputError(values, season, season, horizon) <= zeroOutputError(values, 1, season, horizon),
  );
  return seasonalBetter.length * 2 >= compared.length ? [season, 1] : [1, season];
}

/** Returns the sum of squared errors of a network that outputs 0. */
function zeroOutputError(z: Float64Array, lag: number, season: number, horizon: number): number {
  const origins = z.length - horizon - season;
  const stride = Math.ceil(origins / MAX_COMPARED_ORIGINS);
  let total = 0;
  for (let t = season; t + horizon < z.length; t += stride) {
    for (let k = 1; k <= horizon; k++) {
      const latest = lag === 1 ? z[t] : z[t] - z[t - lag];
      const seasons = lag === 1 ? 1 : Math.ceil(k / lag);
      total += (seasons * (changePerSeason({ z, lag }, t, k) - latest)) ** 2;
    }
  }
  return total;
}

/** Returns whether there are enough training pairs, and most series have at least one. */
function hasEnoughPairs(training: readonly Float64Array[], choice: TransformChoice): boolean {
  const pairs = training.map((values) => rowsWithKnownHorizon(values, warmUp(choice), choice.horizon).length);
  const used = pairs.filter((count) => count > 0).length;
  return (
    pairs.reduce((sum, count) => sum + count, 0) >= MIN_PAIRS && used >= training.length * MIN_SERIES_SHARE
  );
}

/** Returns whether there are enough training pairs, and most series are long enough to be forecast. */
function isLongEnough(training: readonly Float64Array[], choice: TransformChoice): boolean {
  const pairs = training.map((values) => rowsWithKnownHorizon(values, warmUp(choice), choice.horizon).length);
  const long = training.filter((values) => values.length >= warmUp(choice));
  return (
    pairs.reduce((sum, count) => sum + count, 0) >= MIN_PAIRS &&
    long.length >= training.length * MIN_SERIES_SHARE
  );
}

/** Returns the shortest usual season of the frequency; 1 if the frequency has none or the times are plain numbers. */
const usualSeason = ({ frequency }: Panel, rows: number): number =>
  frequency.unit === 'step' ? 1 : (seasonCandidates(frequency, rows)[0] ?? 1);

/** Maximum default window, in rows. Longer windows train slowly. */
const MAX_WINDOW = 96;

/** Returns the main season or, if it does not fit into a window, the longest season that does; 1 if there is none. */
const windowSeason = ({ season, seasons }: Pick<ForecastPlan, 'season' | 'seasons'>): number =>
  season <= MAX_WINDOW ? season : Math.max(1, ...seasons.filter((each) => each <= MAX_WINDOW));

/** The default window grows with the number of training rows: one row for every 20. */
const TRAINING_ROWS_PER_WINDOW_ROW = 20;

/**
 * Returns the default window: at least 8 rows, and more if there are many training rows. With a season, the window covers
 * whole seasons and at most MAX_WINDOW rows. Without a season of at most MAX_WINDOW rows, it covers two
 * horizons or more, but at most MAX_WINDOW / 2 rows.
 */
function defaultWindow(season: number, trainingRows: number, horizon: number): number {
  const rows = Math.floor(trainingRows / TRAINING_ROWS_PER_WINDOW_ROW);
  if (season === 1) return Math.max(8, Math.min(MAX_WINDOW / 2, Math.max(2 * horizon, rows)));
  const shortest = season * Math.ceil(8 / season);
  return shortest * Math.max(1, Math.floor(Math.min(MAX_WINDOW, rows) / shortest));
}

/** Returns whether all training values are positive and the variation of most series grows with their level. */
function needsLog(training: readonly Float64Array[], season: number): boolean {
  const withoutGaps = training.map((values) => fillGaps(values, season));
  if (!withoutGaps.every((values) => values.every((value) => value > 0))) return false;
  const growing = withoutGaps.filter((values) => growsWithLevel(values, season));
  return growing.length > withoutGaps.length / 2;
}

/**
 * Returns whether the series is positive and its variation grows with its level, so that a log transform stabilises the
 * variance. The criterion is the slope of log(deviation) on log(mean) over blocks of one season (Guerrero 1993): it must be
 * closer to 1 than to 0, with a correlation above 0.6.
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
  const jointCovariance = covariance(levels, variations);
  const slope = jointCovariance / covariance(levels, levels);
  const correlation =
    jointCovariance / Math.sqrt(covariance(levels, levels) * covariance(variations, variations));
  return slope > 0.5 && correlation > 0.6;
}

function covariance(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [centreA, centreB] = [mean(a), mean(b)];
  return mean(a.map((value, i) => (value - centreA) * (b[i] - centreB)));
}
