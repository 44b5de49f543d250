/**
 * Moves the rows before a level shift to the level after it, so that a shift is not mistaken for growth or a season. A forecast uses
 * only shifts that are known at its origin (level-shifts.ts). If the last one or two rows may be outliers or the beginning of a new
 * level (an open shift), there is one forecast for each interpretation: with the open shift as a level shift, and with the last
 * rows as outliers. The intervals cover both forecasts.
 */
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import { type LevelShift, type OpenShift, ShiftSearch } from './level-shifts.js';
import { type Panel, type PanelSeries, timeAt } from './panel.js';
import type { ForecastPlan } from './plan.js';
import type { ForecastOrigins } from './rollout.js';
import { fillGaps, listSeries, ofSeries } from './rows.js';

type LevelPlan = Pick<ForecastPlan, 'season' | 'log'>;

/** Cache of searches, by the values of a series, then by season and logarithm. */
const searches = new WeakMap<Float64Array, Map<string, ShiftSearch>>();

/** Returns the finished search for level shifts in a series. It is computed only once for the same values and plan. */
export function shiftSearchOf(values: Float64Array, { season, log }: LevelPlan): ShiftSearch {
  const known = searches.get(values) ?? new Map<string, ShiftSearch>();
  searches.set(values, known);
  const key = `${season} ${log}`;
  let search = known.get(key);
  if (search === undefined) {
    const filled = fillGaps(values, season);
    search = new ShiftSearch(
      log ? filled.map((value) => Math.log(Math.max(value, Number.MIN_VALUE))) : filled,
      season,
    );
    known.set(key, search);
  }
  return search;
}

/**
 * Returns whether a search that begins at row `first` finds the same shifts at the rows `from` and later as a search of all rows.
 * Without the earlier rows, a jump may look unusual although the series varied as much before.
 */
export function hasSameShifts(values: Float64Array, first: number, from: number, plan: LevelPlan): boolean {
  const foundFrom = (start: number): string => {
    const part = start === 0 ? values : values.slice(start);
    const search = shiftSearchOf(part, plan);
    const open = search.openShiftAt(part.length);
    return [...search.shifts, ...(open === undefined ? [] : [{ ...open, knownAt: part.length }])]
      .filter(({ row }) => start + row >= from)
      .map(({ row, knownAt, size }) => `${start + row} ${start + knownAt} ${size.toPrecision(6)}`)
      .join();
  };
  return foundFrom(first) === foundFrom(0);
}

/** Returns values with the rows before each shift moved to the level after it. */
function moved(
  values: Float64Array,
  shifts: readonly Pick<LevelShift, 'row' | 'size'>[],
  { log }: Pick<LevelPlan, 'log'>,
): Float64Array {
  const result = values.slice();
  for (const { row, size } of shifts) {
    const end = Math.min(row, values.length);
    for (let t = 0; t < end; t++) result[t] = log ? result[t] * Math.exp(size) : result[t] + size;
  }
  return result;
}

/** Returns training values, which end before the first forecast origin, without level shifts. */
export function withoutShifts(values: Float64Array, plan: LevelPlan): Float64Array {
  const { shifts } = shiftSearchOf(values, plan);
  return shifts.length === 0 ? values : moved(values, shifts, plan);
}

/** Returns the panel without the level shifts that are known at grid index `cut`; the same panel if there are none. */
export function levelledPanel(panel: Panel, plan: LevelPlan, cut: number): Panel {
  let isChanged = false;
  const series = panel.series.map((each) => {
    const shifts = shiftSearchOf(each.values, plan).shifts.filter(
      ({ knownAt }) => knownAt <= cut - each.offset,
    );
    if (shifts.length === 0) return each;
    isChanged = true;
    return { ...each, values: moved(each.values, shifts, plan) };
  });
  return isChanged ? { ...panel, series } : panel;
}

/** Forecast origins in panels from which level shifts are removed. */
export interface LevelledOrigins {
  /** One origin for each original origin. An open shift at the origin is treated as a level shift. */
  asShifts: ForecastOrigins;
  /**
   * One origin for each original origin with an open shift. The rows of the open shift are treated as outliers: they are moved
   * back to the level before it. Each origin has its own panel: the last digits of a network's results depend on the other rows
   * of the batch, and later rows must not change the forecast from an earlier origin.
   */
  asOutliers: ForecastOrigins[];
  /** Returns one forecast for each original origin, given the forecasts of `asShifts` and of `asOutliers`. */
  merge(shiftForecasts: readonly Intervals[], outlierForecasts: readonly Intervals[]): Intervals[];
}

/**
 * Returns the origins in a panel from which the level shifts known at each origin are removed. If the known shifts of a series
 * differ between origins, the panel contains several versions of the series.
 */
export function levelledOrigins(panel: Panel, origins: readonly Origin[], plan: LevelPlan): LevelledOrigins {
  const series: PanelSeries[] = [...panel.series];
  const sources = panel.series.map((_, s) => s);
  const copies = new Map<string, number>();
  const asOutliers: ForecastOrigins[] = [];
  const outlierIndexOf = new Map<number, number>();
  const copyOf = (source: number, key: string, values: () => Float64Array): number => {
    const name = `${source} ${key}`;
    const copy = copies.get(name) ?? series.length;
    if (copy === series.length) {
      series.push({ ...panel.series[source], values: values() });
      sources.push(source);
      copies.set(name, copy);
    }
    return copy;
  };
  const shiftOrigins = origins.map(({ series: source, origin }, n): Origin => {
    const { offset, values } = panel.series[source];
    const row = origin - offset;
    const search = shiftSearchOf(values, plan);
    const known = search.shifts.filter(({ knownAt }) => knownAt <= row);
    const open = search.openShiftAt(row);
    if (open === undefined) {
      if (known.length === 0) return { series: source, origin };
      return { series: copyOf(source, String(known.length), () => moved(values, known, plan)), origin };
    }
    const levelled = moved(values, known, plan);
    const outlier = { ...panel.series[source], values: withoutOutliers(levelled, open, row, plan) };
    outlierIndexOf.set(n, asOutliers.length);
    asOutliers.push({
      panel: { ...panel, series: [outlier] },
      origins: [{ series: 0, origin }],
      sources: [source],
    });
    return { series: copyOf(source, `open ${row}`, () => moved(levelled, [open], plan)), origin };
  });
  const isLevelled = series.length > panel.series.length;
  return {
    asShifts: { panel: isLevelled ? { ...panel, series } : panel, origins: shiftOrigins, sources },
    asOutliers,
    merge: (shiftForecasts, outlierForecasts) =>
      shiftForecasts.map((each, n) => {
        const index = outlierIndexOf.get(n);
        return index === undefined ? each : unionOf(each, outlierForecasts[index]);
      }),
  };
}

/** Returns the values with the rows of an open shift moved back to the level before it. */
function withoutOutliers(
  values: Float64Array,
  { row, size }: OpenShift,
  end: number,
  { log }: LevelPlan,
): Float64Array {
  const result = values.slice();
  for (let t = row; t < Math.min(end, values.length); t++)
    result[t] = log ? result[t] * Math.exp(-size) : result[t] - size;
  return result;
}

/** Returns the mean of two forecasts, with intervals that cover both. */
function unionOf(a: Intervals, b: Intervals): Intervals {
  const mean = (x: Float64Array, y: Float64Array) => x.map((value, k) => (value + y[k]) / 2);
  return {
    median: mean(a.median, b.median),
    lower: a.lower.map((bounds, l) => bounds.map((value, k) => Math.min(value, b.lower[l][k]))),
    upper: a.upper.map((bounds, l) => bounds.map((value, k) => Math.max(value, b.upper[l][k]))),
    ...(a.mean && b.mean && { mean: mean(a.mean, b.mean) }),
  };
}

/**
 * Returns notes on level shifts within the last season (at least 12 rows) of a series, and on series whose last rows may be
 * outliers or a new level.
 */
export function shiftNotes(panel: Panel, plan: LevelPlan): string[] {
  const recent: string[] = [];
  const open: { id: string }[] = [];
  for (const { id, offset, values } of panel.series) {
    const search = shiftSearchOf(values, plan);
    if (search.openShiftAt(values.length) !== undefined) open.push({ id });
    const last = search.shifts.filter(({ knownAt }) => knownAt <= values.length).at(-1);
    if (last === undefined || last.row < values.length - Math.max(12, plan.season)) continue;
    recent.push(`${timeAt(panel, offset + last.row)}${ofSeries(id)}`);
  }
  const more = recent.length > 3 ? `, and ${recent.length - 3} more` : '';
  return [
    ...(recent.length === 0
      ? []
      : [`Level shift at ${recent.slice(0, 3).join(', ')}${more}; earlier rows are moved to the new level.`]),
    ...(open.length === 0
      ? []
      : [
          `The last rows of ${listSeries(open)} may be outliers or a new level; the intervals cover both cases.`,
        ]),
  ];
}
