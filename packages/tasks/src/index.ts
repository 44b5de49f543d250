/** @unroll/tasks: trains and backtests models on tables. It uses no Node built-ins, so it also runs in browsers. */
export {
  type ClassifyOptions,
  type ClassifyResult,
  classifyEvents,
  prepareClassifier,
  trainClassifier,
} from './classify/classify.js';
export { ClassifyModel } from './classify/model.js';
export type { ClassifyCell } from './classify/network.js';
export type { ClassifyPipeline } from './classify/pipeline.js';
export type { PreparedClassifier } from './classify/plan.js';
export { classifyReport } from './classify/report.js';
export { planEvent as classifyPlanEvent } from './classify/run-events.js';
export { type ClassifyScores, type ClassScore, classifyScores } from './classify/scores.js';
export { actualAt, levelName, type ModelForecasts, type Score } from './forecast/backtest.js';
export type { FittedBaselineName } from './forecast/baselines.js';
export type { CalendarName, CalendarOption } from './forecast/calendar.js';
export type { Intervals } from './forecast/calibration.js';
export type { CovariateNames, Role } from './forecast/covariates.js';
export type { Origin } from './forecast/encoder.js';
export {
  backtestEvents,
  type ForecastBacktest,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastEvents,
  prepareForecast,
} from './forecast/forecast.js';
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
export { forecastPlot } from './forecast/plot-file.js';
export { forecastReport, type ReportInfo } from './forecast/report.js';
export { type PreparedForecast, planEvent } from './forecast/run-events.js';
export { backtestTable, forecastTable } from './forecast/tables.js';
export { TASKS, taskModelFromFiles } from './registry.js';
export type * from './shared/events.js';
export { taskFormat, taskName } from './shared/pipeline-file.js';
export { type ChartBand, type ChartData, type ChartLine, chart } from './shared/report/chart.js';
export { historyCapacity, type PlotData, type PlotOptions, plot } from './shared/report/plot.js';
export { checkRequest } from './shared/request.js';
export type { RunStore } from './shared/resume.js';
export { type ScoreColumn, type ScoreFormat, type ScoreTable, scoreTexts } from './shared/scores.js';
export type * from './shared/task.js';
export type { EpochRecord, NetworkTraining } from './shared/training.js';
