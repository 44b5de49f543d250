/**
 * The scale of the calibration scores. Errors are divided by the size of the changes of their series over one season in the rows
 * before the origin, so that the errors of quiet and restless years, and those of several series, can be pooled (locally weighted
 * conformal prediction, Lei et al. 2018).
 */
import { quantile } from '@unroll/data';
import type { ScoreScale } from './calibration.js';
import { levelledPanel, searchOf } from './levelled.js';
import type { Panel, PanelSeries } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { seasonalSpread } from './seasonal-spread.js';

/** The changes of this many last seasons count, at least of this many rows. */
const [RECENT_SEASONS, RECENT_ROWS] = [5, 60];
/** The mean over all training rows counts as much as the changes of one season, at least as those of this many rows. */
const MEAN_ROWS = 12;

type ScalePlan = Pick<ForecastPlan, 'season' | 'log' | 'cut'>;

/** The changes of each series over one season in the training rows, on the scale of the scores. */
interface TrainingChanges {
  /** The training rows, without level shifts. */
  training: Float64Array[];
  /** NaN at gaps. */
  changes: Float64Array[];
  /** The mean absolute change; if it is 0 or undefined, the median of those of the other series. */
  means: number[];
  floors: number[];
}

/** Returns the mean absolute change of each series over one season (without a season, over one row) in the training rows. */
export const meanChanges = (panel: Panel, plan: ScalePlan): readonly number[] =>
  trainingChanges(panel, { ...plan, log: false }).means;

/** Returns the scale of the calibration scores of a run. */
export function scoreScale(panel: Panel, plan: ForecastPlan): ScoreScale {
  const { training, changes, means, floors } = trainingChanges(panel, plan);
  return {
    log: plan.log,
    counts: plan.scaler === 'counts',
    spread: seasonalSpread(
      panel,
      plan.season,
      changes.map((each, s) => each.map((change) => change / means[s])),
      panel.series.map(({ offset }) => offset + plan.season),
    ),
    floors,
    ceilings: training.map((values) => values.reduce((a, b) => Math.max(a, Number.isNaN(b) ? 0 : b), 0)),
    units: means,
    recentUnit: (s, origin) => {
      const recent = recentChanges(panel.series[s], origin, plan, floors[s]);
      const weight = Math.max(MEAN_ROWS, plan.season);
      return (recent.sum + weight * means[s]) / (recent.count + weight);
    },
  };
}

function trainingChanges(panel: Panel, { season, log, cut }: ScalePlan): TrainingChanges {
  const training = levelledPanel(panel, { season, log }, cut).series.map(({ offset, values }) =>
    values.slice(0, Math.max(0, cut - offset)),
  );
  const floors = training.map((values) => {
    const positive = values.filter((value) => value > 0);
    return positive.length === 0 ? Number.MIN_VALUE : positive.reduce((a, b) => Math.min(a, b)) / 100;
  });
  const changes = training.map((values, s) => {
    const z = log ? values.map((value) => Math.log(Math.max(value, floors[s]))) : values;
    return z.slice(season).map((value, i) => Math.abs(value - z[i]));
  });
  const means = changes.map((each) => {
    const known = each.filter((change) => !Number.isNaN(change));
    return known.reduce((sum, change) => sum + change, 0) / known.length;
  });
  const positive = Float64Array.from(means.filter((mean) => mean > 0)).sort();
  const median = positive.length === 0 ? 1 : quantile(positive, 0.5);
  return { training, changes, means: means.map((mean) => (mean > 0 ? mean : median)), floors };
}

/**
 * Returns the sum of the absolute changes over one season in the last rows before an origin, and their number. A level shift that
 * is known at the origin is no change.
 */
function recentChanges(
  { offset, values }: PanelSeries,
  origin: number,
  plan: ScalePlan,
  floor: number,
): { sum: number; count: number } {
  const { season, log } = plan;
  const end = Math.min(origin - offset, values.length);
  const first = Math.max(season, end - Math.max(RECENT_SEASONS * season, RECENT_ROWS));
  const shifts = searchOf(values, plan).shifts.filter(({ knownAt }) => knownAt <= end);
  const at = (row: number): number => (log ? Math.log(Math.max(values[row], floor)) : values[row]);
  let [sum, count] = [0, 0];
  for (let row = first; row < end; row++) {
    let change = at(row) - at(row - season);
    for (const shift of shifts) if (shift.row > row - season && shift.row <= row) change -= shift.size;
    if (Number.isNaN(change)) continue; // a gap
    sum += Math.abs(change);
    count++;
  }
  return { sum, count };
}
