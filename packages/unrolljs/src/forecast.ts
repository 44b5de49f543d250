/**
 * unrolljs/forecast: forecasts the columns of a table and backtests the forecasts, like the command `unroll forecast`.
 *
 *     import { forecast, parseCsv } from 'unrolljs/forecast';
 *
 *     const { leaderboard, forecasts, model } = await forecast(parseCsv(text), { target: 'units', horizon: 28 });
 */
// biome-ignore-all assist/source/organizeImports: grouped by subject
import type { Table } from '@unroll/data';

// Forecasts
export {
  addFutureRows,
  backtestEvents,
  type CalendarName,
  type CalendarOption,
  type CellName,
  type CovariateNames,
  type Decoding,
  type FittedBaselineName,
  type FittedNetwork,
  type ForecastBacktest,
  ForecastModel,
  type ForecastOptions,
  type ForecastPlan,
  type ForecastResult,
  forecast,
  forecastEvents,
  type HeadName,
  type Intervals,
  type ModelForecasts,
  type Origin,
  type Panel,
  type PanelOptions,
  type PanelSeries,
  type Pipeline,
  type PreparedForecast,
  panelFromTable,
  prepareForecast,
  type Role,
  type RunEvent,
  type RunStore,
  type ScalerName,
  type Score,
  type SeriesForecast,
} from '@unroll/tasks';

// Tables
export {
  type Cell,
  type Column,
  type CsvOptions,
  column,
  type Frequency,
  inferFrequency,
  inferSeason,
  makeTable,
  numbers,
  parseCsv,
  parseFrequency,
  parseJsonLines,
  type Table,
  type TimeColumn,
  type TimeFormat,
  texts,
  times,
} from '@unroll/data';

/**
 * Parses a Parquet file to a table. The Parquet reader is imported on the first call.
 * @throws UnrollError `format` if the file cannot be read, `data` for columns of lists or structures
 */
export async function parseParquet(bytes: Uint8Array, options: { source?: string } = {}): Promise<Table> {
  const reader = await import('@unroll/data/parquet');
  return reader.parseParquet(bytes, options);
}

// Baselines, and metrics that compare arrays of forecasts and of actuals
export {
  coverage,
  crpsOfNormal,
  crpsOfQuantiles,
  crostonSba,
  drift,
  ets,
  mae,
  mape,
  mase,
  naive,
  pinball,
  type QuantileForecast,
  r2,
  rmse,
  rmsse,
  seasonalNaive,
  smape,
  theta,
  weightedQuantileLoss,
  winkler,
  wmape,
} from '@unroll/data';
