/** Chooses the forecast origins of the backtest and of calibration. */
import type { Origin } from './encoder.js';
import { type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { subsample } from './rows.js';
import { warmUp } from './transform.js';

/**
 * Returns the maximum number of calibration origins. Forecasts from adjacent rows overlap almost completely, so more origins cost
 * time and memory but add little information about the errors.
 */
const maxCalibration = (series: number): number => Math.min(10_000, Math.max(2000, 40 * series));

/**
 * Returns the origins of the backtest: every planned grid index of every series, if the series has enough training rows for
 * a network, and at least one actual value within the horizon.
 */
export function backtestOrigins(panel: Panel, plan: ForecastPlan, refit: boolean): Origin[] {
  return plan.origins.flatMap((origin) =>
    panel.series.flatMap(({ offset, values }, series) => {
      const hasTrainingRows = (refit ? origin : plan.cut) - offset >= warmUp(plan);
      const actuals = values.subarray(
        Math.max(0, origin - offset),
        Math.max(0, origin - offset + plan.horizon),
      );
      return hasTrainingRows && actuals.some((value) => !Number.isNaN(value)) ? [{ series, origin }] : [];
    }),
  );
}

/** Returns the calibration origins: all rows from grid index `from` on that have enough rows before them, or a sample of these. */
export function calibrationOrigins(panel: Panel, plan: ForecastPlan, from: number): readonly Origin[] {
  const end = panelEnd(panel);
  const origins = Array.from({ length: end - from }, (_, i) => from + i).flatMap((origin) =>
    panel.series.flatMap(({ offset, values }, series) => {
      const row = origin - offset;
      return row >= warmUp(plan) && row < values.length ? [{ series, origin }] : [];
    }),
  );
  return subsample(origins, maxCalibration(panel.series.length));
}
