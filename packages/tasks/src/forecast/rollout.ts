/**
 * Forecasts recursively beyond the horizon chunk of a network. Each forecast chunk is appended to the series as if its values were
 * observed, and the network forecasts the next chunk.
 */
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { Panel, PanelSeries } from './panel.js';
import { fillGaps } from './rows.js';

/** Forecast origins, and the panel whose rows they index. */
export interface ForecastOrigins {
  panel: Panel;
  origins: readonly Origin[];
  /** For each series of `panel`, the index of the series of the original panel that it extends or replaces. */
  sources: readonly number[];
}

export interface RollOutOptions {
  /** Number of rows to forecast. */
  horizon: number;
  /** Number of horizon steps of one network output. */
  chunk: number;
  /** Number of rows that a network needs before an origin. */
  rows: number;
  season: number;
}

/**
 * Forecasts `horizon` steps from each origin, one chunk at a time.
 * @param forecastChunk forecasts `chunk` steps from each of the given origins
 */
export async function rollOut(
  from: ForecastOrigins,
  options: RollOutOptions,
  forecastChunk: (from: ForecastOrigins) => Promise<Intervals[]>,
): Promise<Intervals[]> {
  const { horizon, chunk } = options;
  let current = from;
  const chunks = [await forecastChunk(current)];
  while (chunks.length * chunk < horizon) {
    current = advanceOrigins(current, chunks[chunks.length - 1], options);
    chunks.push(await forecastChunk(current));
  }
  return from.origins.map((_, n) =>
    joinChunks(
      chunks.map((each) => each[n]),
      horizon,
    ),
  );
}

/** Returns the origins moved to the end of the last chunk. The forecast means (or medians) are used as observed values. */
function advanceOrigins(
  { panel, origins, sources }: ForecastOrigins,
  forecasts: readonly Intervals[],
  options: RollOutOptions,
): ForecastOrigins {
  const series = origins.map(({ series, origin }, n) => {
    const { mean, median } = forecasts[n];
    return extendSeries(panel, panel.series[series], origin, mean ?? median, options);
  });
  return {
    panel: { ...panel, series },
    origins: series.map(({ offset, values }, n) => ({ series: n, origin: offset + values.length })),
    sources: origins.map((origin) => sources[origin.series]),
  };
}

/** Returns the last rows of a series before an origin, followed by the forecast. */
function extendSeries(
  panel: Panel,
  { id, offset, values, covariates }: PanelSeries,
  origin: number,
  forecast: Float64Array,
  { rows, season, chunk }: RollOutOptions,
): PanelSeries {
  const rowsBefore = origin - offset;
  const first = Math.max(0, rowsBefore - rows - season);
  const history = fillGaps(values.slice(0, rowsBefore), season).subarray(first);
  const length = history.length + forecast.length;
  return {
    id,
    offset: offset + first,
    values: Float64Array.of(...history, ...forecast),
    covariates: covariates.map((cells, c) => {
      if (panel.covariates[c].role === 'future') return sliceCells(cells, first, length + chunk);
      return sliceCells(cells.subarray(0, rowsBefore), first, length);
    }),
  };
}

/**
 * Returns `length` cells from index `first`, with NaN after the last cell. If the first cell is missing, it is replaced by the
 * last known value before it.
 */
function sliceCells(cells: Float64Array, first: number, length: number): Float64Array {
  const out = new Float64Array(length).fill(Number.NaN);
  out.set(cells.subarray(first, first + length));
  if (Number.isNaN(out[0]))
    out[0] = cells.slice(0, first).findLast((value) => !Number.isNaN(value)) ?? Number.NaN;
  return out;
}

/** Concatenates the chunks of one forecast and keeps the first `horizon` steps. */
function joinChunks(chunks: readonly Intervals[], horizon: number): Intervals {
  const [first] = chunks as [Intervals];
  if (chunks.length === 1 && first.median.length === horizon) return first;
  const concat = (part: (chunk: Intervals) => Float64Array) =>
    Float64Array.from(chunks.flatMap((chunk) => [...part(chunk)])).slice(0, horizon);
  const { lower, mean } = first;
  return {
    median: concat((chunk) => chunk.median),
    lower: lower.map((_, l) => concat((chunk) => chunk.lower[l])),
    upper: lower.map((_, l) => concat((chunk) => chunk.upper[l])),
    ...(mean && { mean: concat((chunk) => chunk.mean ?? chunk.median) }),
  };
}

/** Extends the future covariates to `rows` rows after the last target value. Missing values are NaN. */
export function withFutureCells(panel: Panel, rows: number): Panel {
  const series = panel.series.map((each) => ({
    ...each,
    covariates: each.covariates.map((cells, c) =>
      panel.covariates[c].role === 'future'
        ? sliceCells(cells, 0, Math.max(cells.length, each.values.length + rows))
        : cells,
    ),
  }));
  return { ...panel, series };
}
