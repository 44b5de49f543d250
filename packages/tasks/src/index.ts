/** @unroll/tasks: from data to a trained and tested model. No Node built-ins: it runs in browsers too. */
export { actualAt, levelName, type ModelForecasts, type Score } from './forecast/backtest.js';
export type { CalendarName, CalendarOption } from './forecast/calendar.js';
export type { Intervals } from './forecast/calibration.js';
export type { CovariateNames, Role } from './forecast/covariates.js';
export type { Origin } from './forecast/encoder.js';
export {
  type ForecastEvent,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastEvents,
  prepareForecast,
} from './forecast/forecast.js';
export type { Stage } from './forecast/forecaster.js';
export type { FutureTemplate } from './forecast/future.js';
export { addFutureRows } from './forecast/future-rows.js';
export type { HeadName } from './forecast/heads.js';
export { ForecastModel, type SeriesForecast } from './forecast/model.js';
export type { CellName, FittedNetwork } from './forecast/network.js';
export {
  endOf,
  type Panel,
  type PanelOptions,
  type PanelSeries,
  panelEnd,
  panelFromTable,
  timeAt,
} from './forecast/panel.js';
export type { Pipeline } from './forecast/pipeline.js';
export type { Decoding, ForecastPlan, ScalerName } from './forecast/plan.js';
export type { RunStore } from './shared/resume.js';
