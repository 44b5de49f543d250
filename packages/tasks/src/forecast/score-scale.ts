/**
 * The scale of the calibration scores. Errors are divided by the mean absolute seasonal difference of their series in the rows before
 * the origin, so that errors of quiet and volatile years, and of several series, can be pooled (locally weighted conformal
 * prediction, Lei et al. 2018). In this file, a change is such a difference: a value minus the value one season earlier (without a
 * season, the previous value). There are two means: of all changes, and one in which recent changes count more. Both use only the
 * rows before an origin: if they also used later rows, they would describe the calibration errors better than the errors of new
 * forecasts. Only their lower limit is computed from all training rows, because a series may begin with rows that hardly change.
 */
import { quantile } from '@unroll/data';
import type { ScoreScale } from './calibration.js';
import type { LevelShift } from './level-shifts.js';
import { levelledPanel, shiftSearchOf } from './levelled.js';
import type { Panel, PanelSeries } from './panel.js';
import type { ForecastPlan } from './plan.js';
import { isNonNegative } from './rows.js';
import { seasonalSpread } from './seasonal-spread.js';

/** In the mean of recent changes, the weight of a change halves after this many seasons or this many rows, whichever is longer. */
const [HALF_LIFE_SEASONS, HALF_LIFE_ROWS] = [2, 24];
/**
 * The mean of recent changes is shrunk towards the mean of all earlier changes. The weight of the latter is the number of rows
 * in a season, but at least this many rows.
 */
const MEAN_ROWS = 12;
/** Both means are at least this share of the mean over the training rows. */
const MIN_SHARE = 0.1;

/**
 * The levels of the intervals adapt to the coverage over about the longest of these periods: this many seasons, this many rows,
 * and the rows in which all series together have this many errors of one horizon step.
 */
const [ADAPTATION_SEASONS, ADAPTATION_ROWS, ADAPTATION_ERRORS] = [1, 12, 240];

/**
 * Returns the shortest season of the plan that consists of several seasons, such as 168 hours for 24; the season itself if there is
 * none.
 */
const longSeasonOf = ({ season, seasons }: Pick<ForecastPlan, 'season' | 'seasons'>): number => {
  const longer = season < 2 ? [] : seasons.filter((each) => each > season && each % season === 0);
  return longer.reduce((shortest, each) => Math.min(shortest, each), longer.at(0) ?? season);
};

type ScalePlan = Pick<ForecastPlan, 'season' | 'log' | 'cut'>;

/** The changes of each series in the training rows, on the scale of the scores. */
interface TrainingChanges {
  /** The training rows, without level shifts. */
  training: Float64Array[];
  /** The absolute changes; NaN at gaps. */
  changes: Float64Array[];
  /** The mean absolute change; if it is 0 or unknown, the median of the means of the other series. */
  means: number[];
  /** Lower limit of the values before the logarithm: a hundredth of the smallest positive training value. */
  floors: number[];
}

/** Returns the mean absolute change of each series in the training rows. */
export const meanChanges = (panel: Panel, plan: ScalePlan): readonly number[] =>
  trainingChanges(panel, { ...plan, log: false }).means;

/** Returns the scale of the calibration scores of a run. */
export function scoreScale(panel: Panel, plan: ForecastPlan): ScoreScale {
  const { training, changes, means, floors } = trainingChanges(panel, plan);
  const sizes: ChangeSizes[] = [];
  return {
    log: plan.log,
    spread: seasonalSpread(
      panel,
      plan.season,
      changes.map((each, s) => each.map((change) => change / means[s])),
      panel.series.map(({ offset }) => offset + plan.season),
    ),
    floors,
    ceilings: training.map((values) => values.reduce((a, b) => Math.max(a, Number.isNaN(b) ? 0 : b), 0)),
    nonNegative: panel.series.map(({ offset, values }) =>
      isNonNegative(values.subarray(0, Math.max(0, plan.cut - offset))),
    ),
    season: plan.season,
    longSeason: longSeasonOf(plan),
    units: means,
    adaptationRows: Math.max(
      ADAPTATION_SEASONS * plan.season,
      ADAPTATION_ROWS,
      ADAPTATION_ERRORS / panel.series.length,
    ),
    sizesAt: (s, origin) => {
      sizes[s] ??= new ChangeSizes(panel.series[s], plan, floors[s], means[s]);
      return sizes[s].sizesAt(origin);
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

/** The mean absolute changes of one series in the rows before each row. A level shift that is known at the row does not count. */
class ChangeSizes {
  readonly #series: PanelSeries;
  readonly #plan: ScalePlan;
  readonly #floor: number;
  /** The mean over the training rows. */
  readonly #trainingMean: number;
  /** The means before each row, by the number of known level shifts. */
  readonly #running: RunningSizes[] = [];

  constructor(series: PanelSeries, plan: ScalePlan, floor: number, trainingMean: number) {
    this.#series = series;
    this.#plan = plan;
    this.#floor = floor;
    this.#trainingMean = trainingMean;
  }

  /** Returns the mean of all absolute changes before an origin, and the mean of recent ones. */
  sizesAt(origin: number): { mean: number; recent: number } {
    const { offset, values } = this.#series;
    const row = Math.max(0, Math.min(origin - offset, values.length));
    const shifts = shiftSearchOf(values, this.#plan).shifts.filter(({ knownAt }) => knownAt <= row);
    this.#running[shifts.length] ??= runningSizes(this.#absoluteChanges(shifts), this.#plan.season);
    const { means, recent } = this.#running[shifts.length];
    const minSize = MIN_SHARE * this.#trainingMean;
    const limited = (size: number): number =>
      Number.isNaN(size) ? this.#trainingMean : Math.max(minSize, size);
    return { mean: limited(means[row]), recent: limited(recent[row]) };
  }

  /** Returns the absolute changes without the given shifts; NaN at gaps and in the first season. */
  #absoluteChanges(shifts: readonly LevelShift[]): Float64Array {
    const { values } = this.#series;
    const { season, log } = this.#plan;
    const z = log ? values.map((value) => Math.log(Math.max(value, this.#floor))) : values;
    const changes = z.map((value, row) => (row < season ? Number.NaN : value - z[row - season]));
    for (const { row, size } of shifts)
      for (let t = row; t < Math.min(row + season, z.length); t++) changes[t] -= size;
    return changes.map(Math.abs);
  }
}

/** Means of the absolute changes before each row [rows + 1]; NaN where none is known. */
interface RunningSizes {
  /** Of all changes. */
  means: Float64Array;
  /** Of recent changes: a weighted mean in which the weights of earlier changes decrease exponentially. */
  recent: Float64Array;
}

function runningSizes(changes: Float64Array, season: number): RunningSizes {
  const decay = 0.5 ** (1 / Math.max(HALF_LIFE_SEASONS * season, HALF_LIFE_ROWS));
  const weight = Math.max(MEAN_ROWS, season);
  const means = new Float64Array(changes.length + 1).fill(Number.NaN);
  const recent = means.slice();
  let [sum, count, recentSum, recentCount] = [0, 0, 0, 0];
  for (const [row, change] of changes.entries()) {
    recentSum *= decay;
    recentCount *= decay;
    if (!Number.isNaN(change)) {
      sum += change;
      count++;
      recentSum += change;
      recentCount++;
    }
    if (count === 0) continue;
    const mean = sum / count;
    means[row + 1] = mean;
    recent[row + 1] = (recentSum + weight * mean) / (recentCount + weight);
  }
  return { means, recent };
}
