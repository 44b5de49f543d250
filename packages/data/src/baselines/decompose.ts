/**
 * Seasonal indices by classical decomposition: the trend, a centred moving average over one season, is removed from the values;
 * the index of each position in the season is the mean of the remaining values (Macaulay 1931; Hyndman & Athanasopoulos 2021,
 * section 3.4).
 */

export type SeasonKind = 'additive' | 'multiplicative';

/** Returns the seasonal indices [season]; index i belongs to rows i, i + season, ... Their mean is 0, or 1 if multiplicative. */
export function seasonalIndices(values: ArrayLike<number>, season: number, kind: SeasonKind): Float64Array {
  const n = values.length;
  const half = Math.floor(season / 2);
  // The moving average over an even season has season + 1 rows; the first and the last one count half.
  const edge = season % 2 === 0 ? 0.5 : 1;
  const sums = new Float64Array(season);
  const counts = new Float64Array(season);
  for (let t = half; t + half < n; t++) {
    let trend = edge * (values[t - half] + values[t + half]);
    for (let i = t - half + 1; i < t + half; i++) trend += values[i];
    trend /= season;
    sums[t % season] += kind === 'multiplicative' ? values[t] / trend : values[t] - trend;
    counts[t % season]++;
  }
  const means = sums.map((sum, i) =>
    counts[i] === 0 ? (kind === 'multiplicative' ? 1 : 0) : sum / counts[i],
  );
  const mean = means.reduce((sum, value) => sum + value, 0) / season;
  return means.map((value) => (kind === 'multiplicative' ? value / mean : value - mean));
}

/**
 * Returns seasonal indices: multiplicative if all values are positive and no index is close to 0, otherwise additive.
 */
export function chooseIndices(
  values: ArrayLike<number>,
  season: number,
): { kind: SeasonKind; indices: Float64Array } {
  if (Array.prototype.every.call(values, (value) => value > 0)) {
    const indices = seasonalIndices(values, season, 'multiplicative');
    if (indices.every((index) => index >= MIN_INDEX)) return { kind: 'multiplicative', indices };
  }
  return { kind: 'additive', indices: seasonalIndices(values, season, 'additive') };
}

/** Multiplicative indices below this would blow up the adjusted series. */
const MIN_INDEX = 0.01;

/** The 95 % quantile of the standard normal distribution. */
const NORMAL_95 = 1.6448536269514722;

/**
 * Returns whether the season of a series or of its differences is significant. If the series has a trend, the test finds the season
 * only in the differences, because the autocorrelations of the values are high at all lags.
 */
export function isSeasonal(values: ArrayLike<number>, season: number): boolean {
  const differences = Float64Array.from({ length: values.length - 1 }, (_, t) => values[t + 1] - values[t]);
  return isSignificant(values, season) || isSignificant(differences, season);
}

/**
 * Returns whether the autocorrelation at the lag of one season is significant, given the shorter lags (Bartlett's formula; the
 * test of Fiorucci et al. 2016, section 2.1). False for seasons of fewer than 4 rows and for less than two seasons of values.
 */
function isSignificant(values: ArrayLike<number>, season: number): boolean {
  const n = values.length;
  if (season < 4 || n < 2 * season) return false;
  let mean = 0;
  for (let t = 0; t < n; t++) mean += values[t] / n;
  const covariance = (lag: number): number => {
    let sum = 0;
    for (let t = lag; t < n; t++) sum += (values[t] - mean) * (values[t - lag] - mean);
    return sum;
  };
  const variance = covariance(0);
  let squares = 0;
  for (let lag = 1; lag < season; lag++) squares += (covariance(lag) / variance) ** 2;
  return Math.abs(covariance(season) / variance) > NORMAL_95 * Math.sqrt((1 + 2 * squares) / n);
}
