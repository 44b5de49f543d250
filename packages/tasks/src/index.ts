/** @unroll/tasks: from data to a trained and tested model. No Node built-ins: it runs in browsers too. */
export type { ModelForecasts, Score } from './backtest.js';
export {
  type ForecastEvent,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastEvents,
  type Stage,
} from './forecast.js';
export type { FittedNetwork } from './network.js';
export type { ForecastPlan } from './plan.js';
export { type Series, seriesFromTable } from './series.js';
export type { TransformConfig, WindowTransform } from './transform.js';
