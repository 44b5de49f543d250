/** The naive forecast of the seasonally adjusted series. */
import { chooseIndices } from './decompose.js';
import { checkInputs, naive } from './simple.js';

/**
 * Returns the naive forecast of the seasonally adjusted series, with the season restored. Unlike {@link naive}, it continues the
 * season. Unlike {@link seasonalNaive}, it starts from the latest level: comparing its error with that of {@link naive}
 * therefore shows whether the season improves forecasts, even if the series has a trend. The seasonal indices are estimated by
 * classical decomposition, see {@link chooseIndices}.
 * @param history past values, without gaps, at least two seasons
 * @param season season length in rows; 1 for none, which gives the naive forecast
 */
export function seasonallyAdjustedNaive(
  history: ArrayLike<number>,
  horizon: number,
  season: number,
): Float64Array {
  checkInputs(history, horizon, season === 1 ? 1 : 2 * season, season);
  if (season === 1) return naive(history, horizon);
  const n = history.length;
  const { kind, indices } = chooseIndices(history, season);
  const lastIndex = indices[(n - 1) % season];
  return Float64Array.from({ length: horizon }, (_, k) => {
    const index = indices[(n + k) % season];
    return kind === 'multiplicative'
      ? (history[n - 1] / lastIndex) * index
      : history[n - 1] - lastIndex + index;
  });
}
