/** Chooses the forecast origins of the backtest and of calibration, and the scale of the calibration scores. */
import { quantile } from '@unroll/data';
import type { ScoreScale } from './calibration.js';
import type { Origin } from './encoder.js';
import { levelledPanel } from './levelled.js';
import { type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { fillGaps, subsample } from './rows.js';
import { seasonalSpread } from './seasonal-spread.js';
import { warmUp } from './transform.js';

/**
 * Maximum number of calibration origins. Forecasts from adjacent rows overlap almost completely, so that more of them cost
 * time and memory but tell little more about the errors.
 */
const maxCalibration = (series: number): number => Math.min(10_000, Math.max(2000, 40 * series));

/**
 * Returns the origins of the backtest: every planned grid index of every series, if the series has enough training rows for
 * a network, and at least one actual value within the horizon.
 */
export function backtestOrigins(panel: Panel, plan: ForecastPlan, refit: boolean): Origin[] {
  return plan.origins.flatMap((origin) =>
    panel.series.flatMap(({ offset, values }, series) => {
      const isTrained = (refit ? origin : plan.cut) - offset >= warmUp(plan);
      const actuals = values.subarray(
        Math.max(0, origin - offset),
        Math.max(0, origin - offset + plan.horizon),
      );
      return isTrained && actuals.some((value) => !Number.isNaN(value)) ? [{ series, origin }] : [];
    }),
  );
}

/** Returns the calibration origins: all rows from grid index `from` on with enough rows before them, or a sample of these. */
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

/**
 * Returns the scale of the calibration scores. The unit of each series is its mean absolute change over one season, on the
 * rows before the backtest; if it is 0 or undefined, the median of the other units.
 */
export function scoreScale(panel: Panel, plan: ForecastPlan): ScoreScale {
  const { series } = levelledPanel(panel, plan, plan.cut);
  const training = series.map(({ offset, values }) =>
    fillGaps(values.slice(0, Math.max(0, plan.cut - offset)), plan.season),
  );
  const floors = training.map((values) => {
    const positive = values.filter((value) => value > 0);
    return positive.length === 0 ? Number.MIN_VALUE : positive.reduce((a, b) => Math.min(a, b)) / 100;
  });
  const changes = training.map((values, s) => {
    const z = plan.log ? values.map((value) => Math.log(Math.max(value, floors[s]))) : values;
    return z.slice(plan.season).map((value, i) => Math.abs(value - z[i]));
  });
  const meanChanges = changes.map((each) => each.reduce((sum, change) => sum + change, 0) / each.length);
  const positiveUnits = Float64Array.from(meanChanges.filter((unit) => unit > 0)).sort();
  const medianUnit = positiveUnits.length === 0 ? 1 : quantile(positiveUnits, 0.5);
  return {
    log: plan.log,
    counts: plan.scaler === 'counts',
    spread: seasonalSpread(
      panel,
      plan.season,
      changes.map((each, s) => each.map((change) => change / meanChanges[s])),
      series.map(({ offset }) => offset + plan.season),
    ),
    floors,
    ceilings: training.map((values) => values.reduce((a, b) => Math.max(a, b), 0)),
    units: meanChanges.map((unit) => (unit > 0 ? unit : medianUnit)),
  };
}
