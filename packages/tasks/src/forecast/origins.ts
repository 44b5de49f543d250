/** Forecast origins of the backtest and of calibration. */
import { quantile } from '@unroll/data';
import type { ScoreScale } from './calibration.js';
import type { Origin } from './encoder.js';
import { type Panel, panelEnd } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { filled, thinned } from './rows.js';
import { warmUp } from './transform.js';

/** Most calibration forecasts, over all series. */
const MOST_CALIBRATION = 10_000;

/**
 * The origins of the backtest: every series at every planned index, if it was long enough for a network in training and has
 * at least one actual value.
 */
export function backtestOrigins(panel: Panel, plan: ForecastPlan, refit: boolean): Origin[] {
  return plan.origins.flatMap((origin) =>
    panel.series.flatMap(({ offset, values }, series) => {
      const trained = (refit ? origin : plan.cut) - offset >= warmUp(plan);
      const actuals = values.subarray(
        Math.max(0, origin - offset),
        Math.max(0, origin - offset + plan.horizon),
      );
      return trained && actuals.some((value) => !Number.isNaN(value)) ? [{ series, origin }] : [];
    }),
  );
}

/** Every row of every series from `from`, subsampled if there are too many. */
export function calibrationOrigins(panel: Panel, plan: ForecastPlan, from: number): readonly Origin[] {
  const end = panelEnd(panel);
  const all = Array.from({ length: end - from }, (_, i) => from + i).flatMap((origin) =>
    panel.series.flatMap(({ offset, values }, series) => {
      const known = origin - offset;
      return known >= warmUp(plan) && known < values.length ? [{ series, origin }] : [];
    }),
  );
  return thinned(all, MOST_CALIBRATION);
}

/** The typical change of each series over one season before the backtest; the median over the series if it has none. */
export function scoreScale(panel: Panel, plan: ForecastPlan): ScoreScale {
  const training = panel.series.map(({ offset, values }) =>
    filled(values.slice(0, Math.max(0, plan.cut - offset)), plan.season),
  );
  const floors = training.map((values) => {
    const positive = values.filter((value) => value > 0);
    return positive.length === 0 ? Number.MIN_VALUE : positive.reduce((a, b) => Math.min(a, b)) / 100;
  });
  const own = training.map((values, s) => {
    const z = plan.log ? values.map((value) => Math.log(Math.max(value, floors[s]))) : values;
    const changes = Array.from(z.slice(plan.season), (value, i) => Math.abs(value - z[i]));
    return changes.reduce((sum, change) => sum + change, 0) / changes.length;
  });
  const known = Float64Array.from(own.filter((unit) => unit > 0)).sort();
  const usual = known.length === 0 ? 1 : quantile(known, 0.5);
  return {
    log: plan.log,
    counts: plan.scaler === 'counts',
    floors,
    units: own.map((unit) => (unit > 0 ? unit : usual)),
  };
}
