/** @unroll/tasks: from data to a trained and tested model. No Node built-ins: it runs in browsers too. */
export { actualAt, levelName, type ModelForecasts, type Score } from './backtest.js';
export type { CalendarName, CalendarOption } from './calendar.js';
export type { Intervals } from './calibration.js';
export type { CovariateNames, Role } from './covariates.js';
export type { Origin } from './encoder.js';
export {
  type ForecastEvent,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastEvents,
  prepareForecast,
} from './forecast.js';
export type { Stage } from './forecaster.js';
export type { FutureTemplate } from './future.js';
export { addFutureRows } from './future-rows.js';
export type { HeadName } from './heads.js';
export { ForecastModel, type SeriesForecast } from './model.js';
export type { CellName, FittedNetwork } from './network.js';
export {
  endOf,
  type Panel,
  type PanelOptions,
  type PanelSeries,
  panelEnd,
  panelFromTable,
  timeAt,
} from './panel.js';
export type { Pipeline } from './pipeline.js';
export type { Decoding, ForecastPlan, ScalerName } from './plan.js';
export type { RunStore } from './resume.js';
