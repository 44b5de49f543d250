/**
 * Chooses the season length of a panel. A single series has the season that `inferSeason` finds. If there are several series, the
 * candidates are the seasons that the autocorrelation finds in some of them. The candidate whose seasonally adjusted naive forecast
 * has the lowest error on held-out rows is chosen, or no season if none beats the naive forecast. Errors are compared because a
 * season helps a panel even if most of its series have none. Only training rows are used.
 */
import { inferSeason, inferSeasons, isSeasonal, naive, seasonallyAdjustedNaive } from '@unroll/data';
import type { Panel } from './panel.js';
import { fillGaps } from './rows.js';

export interface SeasonChoice {
  /** Season length in rows; 1 for none. */
  season: number;
  /** All seasons found (of several series: those that lower the error), the chosen one first; empty if there is none. */
  seasons: number[];
  /**
   * Why the season of several series was chosen, for the plan and the report. Empty for a single series, and if the season was given
   * or none was found.
   */
  reason: string;
}

/** At most this many series are examined. */
const MAX_SERIES = 50;
/** A candidate must be found in at least this share of the series that cover two seasons. */
const MIN_SHARE = 0.1;
/** The error with a season must be lower than the error without a season, or with a shorter season, by at least this share. */
const MIN_GAIN = 0.02;
/** Maximum number of held-out forecasts of each series, one horizon apart. */
const MAX_ORIGINS = 8;

/**
 * Chooses the season of the training rows of each series.
 * @param wanted season of the options; if it is set, it is the only season
 */
export function chooseSeason(
  panel: Panel,
  training: readonly Float64Array[],
  horizon: number,
  wanted?: number,
): SeasonChoice {
  if (wanted !== undefined) return { season: wanted, seasons: wanted > 1 ? [wanted] : [], reason: '' };
  const stride = Math.ceil(training.length / MAX_SERIES);
  const filled = training.filter((_, i) => i % stride === 0).map((values) => fillGaps(values, 1));
  return filled.length === 1 ? ofOneSeries(filled[0], panel) : ofPanel(filled, panel, horizon);
}

function ofOneSeries(values: Float64Array, { frequency }: Panel): SeasonChoice {
  const season = inferSeason(values, frequency);
  const others = inferSeasons(values, frequency).filter((each) => each !== season);
  return { season, seasons: season === 1 ? [] : [season, ...others], reason: '' };
}

function ofPanel(series: readonly Float64Array[], { frequency }: Panel, horizon: number): SeasonChoice {
  const found = series.map((values) => new Set(inferSeasons(values, frequency)));
  const counts = new Map<number, number>();
  for (const season of found.flatMap((each) => [...each])) counts.set(season, (counts.get(season) ?? 0) + 1);
  const shareOf = (season: number) =>
    (counts.get(season) ?? 0) / series.filter(({ length }) => length >= 2 * season).length;
  const candidates = [...counts.keys()].filter((season) => shareOf(season) >= MIN_SHARE);
  if (candidates.length === 0) return { season: 1, seasons: [], reason: '' };
  const gains = candidates
    .map((season) => ({ season, gain: gainOf(series, season, horizon) }))
    .sort((a, b) => a.season - b.season);
  const helpful = gains.filter(({ gain }) => gain >= MIN_GAIN);
  const share = (season: number) => `found in ${(100 * shareOf(season)).toFixed(0)} % of the series`;
  const isBetter = (gain: number, other: number) => 1 - gain < (1 - MIN_GAIN) * (1 - other);
  let best = helpful.at(0);
  for (const candidate of helpful)
    if (best !== undefined && isBetter(candidate.gain, best.gain)) best = candidate;
  if (best !== undefined) {
    const { season: length } = best;
    const gain = `lowers the held-out error of the naive forecast by ${(100 * best.gain).toFixed(0)} %`;
    return {
      season: length,
      seasons: [length, ...helpful.map(({ season }) => season).filter((each) => each !== length)],
      reason: `${share(length)}, ${gain}`,
    };
  }
  const [first] = gains;
  if (!Number.isNaN(first.gain))
    return {
      season: 1,
      seasons: [],
      reason: `a season of ${first.season} does not lower the held-out error`,
    };
  // No series is long enough for a held-out forecast.
  const usual = candidates.find((season) => shareOf(season) > 0.5);
  return usual === undefined
    ? { season: 1, seasons: [], reason: 'none found in most of the series' }
    : { season: usual, seasons: [usual], reason: share(usual) };
}

/**
 * Returns the share by which the mean absolute error of the naive forecast on held-out rows falls if the series with a significant
 * season are seasonally adjusted. The errors of each series are divided by its mean absolute change from row to row. NaN if all
 * series are too short.
 */
function gainOf(series: readonly Float64Array[], season: number, horizon: number): number {
  let [adjusted, plain] = [0, 0];
  for (const values of series) {
    const changes = values.reduce(
      (sum, value, t) => (t === 0 ? 0 : sum + Math.abs(value - values[t - 1])),
      0,
    );
    const unit = changes / (values.length - 1);
    for (let i = 1; i <= MAX_ORIGINS; i++) {
      const origin = values.length - i * horizon;
      if (origin < 2 * season + 1 || !(unit > 0)) break;
      const history = values.subarray(0, origin);
      const actual = values.subarray(origin, origin + horizon);
      const errorOf = (forecast: Float64Array): number =>
        forecast.reduce((sum, value, k) => sum + Math.abs(value - actual[k]), 0) / unit;
      const naiveError = errorOf(naive(history, horizon));
      plain += naiveError;
      adjusted +=
        season < 4 || isSeasonal(history, season)
          ? errorOf(seasonallyAdjustedNaive(history, horizon, season))
          : naiveError;
    }
  }
  return 1 - adjusted / plain;
}
