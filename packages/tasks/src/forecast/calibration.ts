/**
 * Intervals from past errors (split conformal prediction; with a probabilistic head, conformalised quantile regression).
 * For each row ahead, a model's score at an earlier origin is how far the value that came lay outside the interval that
 * the model gave (a point forecast is an interval of no width). The interval of a new forecast is widened by the score
 * that a share of `level` of the earlier ones do not exceed. Only errors already seen at the time of a forecast are used.
 *
 * Scores are taken in the scale of the forecast (its logarithm, where the plan takes logarithms) and in units of the
 * series' usual change, so that the errors of many series may be put together.
 */
import { normalQuantile } from './distributions.js';
import type { Origin } from './encoder.js';
import type { Panel } from './panel.js';

/** A forecast with its intervals: arrays of [horizon]. */
export interface Intervals {
  median: Float64Array;
  /** One for each level. */
  lower: Float64Array[];
  upper: Float64Array[];
  /** Where the model tells it apart from the median. */
  mean?: Float64Array;
}

/** What scores are measured in. */
export interface ScoreScale {
  log: boolean;
  /** Counts do not fall below 0. */
  counts: boolean;
  /** Usual change of each series. */
  units: readonly number[];
  /** Least value of each series whose logarithm is taken. */
  floors: readonly number[];
}

interface Score {
  /** Grid place of the value that came. */
  place: number;
  score: number;
}

export class Calibration {
  readonly levels: readonly number[];
  readonly #scale: ScoreScale;
  /** [level][row ahead] */
  readonly #scores: Score[][][];
  /** Margins [level][row ahead] by origin, for as long as nothing new is learned. */
  readonly #margins = new Map<number, Float64Array[]>();

  constructor(levels: readonly number[], horizon: number, scale: ScoreScale) {
    this.levels = levels;
    this.#scale = scale;
    this.#scores = levels.map(() => Array.from({ length: horizon }, () => []));
  }

  /** Takes in how a forecast from `origin` compares with what came, as far as it has. */
  learn(panel: Panel, { series, origin }: Origin, { lower, upper }: Intervals): void {
    this.#margins.clear();
    const { offset, values } = panel.series[series];
    for (const [l, scores] of this.#scores.entries()) {
      for (const [k, list] of scores.entries()) {
        const actual = values[origin - offset + k];
        if (actual === undefined || Number.isNaN(actual)) continue;
        const below = this.#up(series, lower[l][k]) - this.#up(series, actual);
        const above = this.#up(series, actual) - this.#up(series, upper[l][k]);
        list.push({ place: origin + k, score: Math.max(below, above) / this.#scale.units[series] });
      }
    }
  }

  /** The forecast with its intervals widened by what was known at its origin; NaN where nothing was. */
  widen({ series, origin }: Origin, intervals: Intervals): Intervals {
    const { log, counts, units, floors } = this.#scale;
    return widened(intervals, this.margins(origin), {
      log,
      counts,
      unit: units[series],
      floor: floors[series],
    });
  }

  /** How far each interval [level][row ahead] is widened at an origin, in units of the usual change. */
  margins(origin: number): Float64Array[] {
    let margins = this.#margins.get(origin);
    if (margins === undefined) {
      margins = this.#scores.map((scores, l) =>
        Float64Array.from(scores, (list, k) => margin(list, origin, this.levels[l], k + 1)),
      );
      this.#margins.set(origin, margins);
    }
    return margins;
  }

  #up(series: number, value: number): number {
    return up(value, { log: this.#scale.log, floor: this.#scale.floors[series] });
  }
}

/** What scores of one series are measured in. */
export interface SeriesScale {
  log: boolean;
  counts: boolean;
  unit: number;
  floor: number;
}

const up = (value: number, { log, floor }: Pick<SeriesScale, 'log' | 'floor'>): number =>
  log ? Math.log(Math.max(value, floor)) : value;

const down = (value: number, { log, counts }: Pick<SeriesScale, 'log' | 'counts'>): number =>
  log ? Math.exp(value) : counts ? Math.max(0, value) : value;

/** Intervals moved apart by margins [level][row ahead]. */
export function widened(
  { lower, upper, ...intervals }: Intervals,
  margins: readonly ArrayLike<number>[],
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const moved = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] =>
    bounds.map((bound, l) =>
      bound.map((value, k) => {
        const far = up(value, scale) + sign * margins[l][k] * scale.unit;
        const wide = down(far, scale);
        // An interval that was too wide is narrowed, but never past the forecast itself.
        return sign * (wide - median[k]) < 0 ? median[k] : wide;
      }),
    );
  return { ...intervals, lower: moved(lower, -1), upper: moved(upper, 1) };
}

/**
 * Intervals of rows beyond those that margins are known for, too: there the model goes on from its own forecast, whose
 * error comes to that of the rows that follow. Taken as independent, their squares add up, block by block.
 */
export function widenedBeyond(
  intervals: Intervals,
  margins: readonly ArrayLike<number>[],
  scale: SeriesScale,
): Intervals {
  const { median } = intervals;
  const known = margins[0]?.length ?? median.length;
  const repeated = margins.map((margin) => median.map((_, k) => margin[k % known]));
  const wide = widened(intervals, repeated, scale);
  const grown = (bounds: readonly Float64Array[], sign: 1 | -1): Float64Array[] =>
    bounds.map((bound) => {
      const away = bound.map((value, k) => Math.abs(up(value, scale) - up(median[k], scale)));
      for (let k = known; k < away.length; k++) {
        away[k] = Math.hypot(away[k], away[known * Math.floor(k / known) - 1]);
      }
      return bound.map((value, k) =>
        k < known ? value : down(up(median[k], scale) + sign * away[k], scale),
      );
    });
  return { ...wide, lower: grown(wide.lower, -1), upper: grown(wide.upper, 1) };
}

/**
 * The score that a new one, `ahead` rows ahead, exceeds with probability at most 1 - level. From n independent ones it
 * would be that of rank ceil((n + 1) level). Errors of neighbouring origins share all but one of the rows between origin
 * and target, so n of them tell less than that: about as much as n / sqrt(ahead), which is what the rank allows for.
 * Where that rank is beyond the largest, which n scores hold only for the share n / (n + sqrt(ahead)), the largest is
 * stretched as the errors of a normal distribution would be between that share and the level.
 */
function margin(list: readonly Score[], origin: number, level: number, ahead: number): number {
  const seen = Float64Array.from(
    list.filter(({ place }) => place < origin),
    ({ score }) => score,
  ).sort();
  const n = seen.length;
  if (n === 0) return Number.NaN;
  const all = n + Math.sqrt(ahead);
  const rank = Math.ceil(all * level);
  if (rank <= n) return seen[rank - 1];
  const largest = seen[n - 1];
  const share = n / all;
  return largest * Math.max(1, absoluteNormalQuantile(level) / absoluteNormalQuantile(share));
}

/** What the absolute value of a standard normal number exceeds with probability 1 - p. */
const absoluteNormalQuantile = (p: number): number => normalQuantile((1 + p) / 2);
