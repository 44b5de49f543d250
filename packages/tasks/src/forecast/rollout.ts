/**
 * Forecasts beyond the horizon chunk of a network: each chunk is appended to the series as if it were observed, and the
 * network forecasts the next one from there.
 */
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { Panel, PanelSeries } from './panel.js';
import { filled } from './rows.js';

/** Forecast origins, and the panel that they refer to. */
export interface ForecastOrigins {
  panel: Panel;
  origins: readonly Origin[];
  /** For each series of this panel, the index of the series in the original panel that it extends. */
  sources: readonly number[];
}

export interface RollOptions {
  /** Rows to forecast. */
  horizon: number;
  /** Horizon steps of one network output. */
  chunk: number;
  /** Rows that a network needs before an origin. */
  rows: number;
  season: number;
}

/** Forecasts [horizon] at each origin; `forecastChunk` forecasts the first `chunk` steps. */
export async function rollOut(
  panel: Panel,
  origins: readonly Origin[],
  options: RollOptions,
  forecastChunk: (from: ForecastOrigins) => Promise<Intervals[]>,
): Promise<Intervals[]> {
  const { horizon, chunk } = options;
  let from: ForecastOrigins = { panel, origins, sources: panel.series.map((_, series) => series) };
  const chunks = [await forecastChunk(from)];
  while (chunks.length * chunk < horizon) {
    from = withNextRows(from, chunks[chunks.length - 1], options);
    chunks.push(await forecastChunk(from));
  }
  return origins.map((_, n) =>
    joined(
      chunks.map((each) => each[n]),
      horizon,
    ),
  );
}

/** The origins one chunk later: the means (or medians) of the forecast serve as observed values. */
function withNextRows(
  { panel, origins, sources }: ForecastOrigins,
  forecasts: readonly Intervals[],
  options: RollOptions,
): ForecastOrigins {
  const series = origins.map(({ series, origin }, n) => {
    const { mean, median } = forecasts[n];
    return extended(panel, panel.series[series], origin, mean ?? median, options);
  });
  return {
    panel: { ...panel, series },
    origins: series.map(({ offset, values }, n) => ({ series: n, origin: offset + values.length })),
    sources: origins.map((origin) => sources[origin.series]),
  };
}

/** The last rows of a series before an origin, followed by the forecast. */
function extended(
  panel: Panel,
  { id, offset, values, covariates }: PanelSeries,
  origin: number,
  forecast: Float64Array,
  { rows, season, chunk }: RollOptions,
): PanelSeries {
  const known = origin - offset;
  const first = Math.max(0, known - rows - season);
  const history = filled(values.slice(0, known), season).subarray(first);
  const length = history.length + forecast.length;
  return {
    id,
    offset: offset + first,
    values: Float64Array.of(...history, ...forecast),
    covariates: covariates.map((cells, c) => {
      const future = panel.covariates[c].role === 'future';
      return section(cells.subarray(0, future ? cells.length : known), first, length + (future ? chunk : 0));
    }),
  };
}

/** `length` cells from `first`, NaN beyond the last. If the first is missing, the last known earlier value replaces it. */
function section(cells: Float64Array, first: number, length: number): Float64Array {
  const out = new Float64Array(length).fill(Number.NaN);
  out.set(cells.subarray(first, first + length));
  if (Number.isNaN(out[0]))
    out[0] = cells.slice(0, first).findLast((value) => !Number.isNaN(value)) ?? Number.NaN;
  return out;
}

function joined(chunks: readonly Intervals[], horizon: number): Intervals {
  const whole = (part: (chunk: Intervals) => Float64Array) =>
    Float64Array.from(chunks.flatMap((chunk) => [...part(chunk)])).slice(0, horizon);
  const [{ lower, mean }] = chunks as [Intervals];
  return {
    median: whole((chunk) => chunk.median),
    lower: lower.map((_, l) => whole((chunk) => chunk.lower[l])),
    upper: lower.map((_, l) => whole((chunk) => chunk.upper[l])),
    ...(mean && { mean: whole((chunk) => chunk.mean ?? chunk.median) }),
  };
}

/** The panel with future covariates extended to `rows` rows after the target; unknown ones are NaN. */
export function withFutureCells(panel: Panel, rows: number): Panel {
  const series = panel.series.map((each) => ({
    ...each,
    covariates: each.covariates.map((cells, c) =>
      panel.covariates[c].role === 'future'
        ? section(cells, 0, Math.max(cells.length, each.values.length + rows))
        : cells,
    ),
  }));
  return { ...panel, series };
}
