/**
 * Forecasts of more rows than a network says at once: what it has said is taken for known, and it is asked again, until
 * there are rows enough. Each time a panel is made whose series end where the forecasts have got to.
 */
import type { Intervals } from './calibration.js';
import type { Origin } from './encoder.js';
import type { Panel, PanelSeries } from './panel.js';
import { filled } from './rows.js';

/** Where forecasts are to be made from. */
export interface Stand {
  panel: Panel;
  origins: readonly Origin[];
  /** Which series of the panel at the beginning each series of this one goes on. */
  sources: readonly number[];
}

export interface RollOptions {
  /** Rows to forecast, and how many of them a network says at once. */
  horizon: number;
  reach: number;
  /** Rows before an origin that a network needs. */
  rows: number;
  season: number;
}

/** Forecasts [horizon] at each origin; `block` gives those of the first `reach` rows. */
export async function rollOut(
  panel: Panel,
  origins: readonly Origin[],
  options: RollOptions,
  block: (stand: Stand) => Promise<Intervals[]>,
): Promise<Intervals[]> {
  const { horizon, reach } = options;
  let stand: Stand = { panel, origins, sources: panel.series.map((_, series) => series) };
  const blocks = [await block(stand)];
  while (blocks.length * reach < horizon) {
    stand = advanced(stand, blocks[blocks.length - 1], options);
    blocks.push(await block(stand));
  }
  return origins.map((_, n) =>
    joined(
      blocks.map((each) => each[n]),
      horizon,
    ),
  );
}

/** The same origins, a block later: the means (or medians) of the block stand for what has come. */
function advanced(
  { panel, origins, sources }: Stand,
  block: readonly Intervals[],
  options: RollOptions,
): Stand {
  const series = origins.map(({ series, origin }, n) => {
    const { mean, median } = block[n];
    return continued(panel, panel.series[series], origin, mean ?? median, options);
  });
  return {
    panel: { ...panel, series },
    origins: series.map(({ offset, values }, n) => ({ series: n, origin: offset + values.length })),
    sources: origins.map((origin) => sources[origin.series]),
  };
}

/** The last rows of a series before an origin, and behind them the forecast. */
function continued(
  panel: Panel,
  { id, offset, values, covariates }: PanelSeries,
  origin: number,
  forecast: Float64Array,
  { rows, season, reach }: RollOptions,
): PanelSeries {
  const known = origin - offset;
  const first = Math.max(0, known - rows - season);
  const history = filled(values.slice(0, known), season).subarray(first);
  const length = history.length + forecast.length;
  return {
    id,
    offset: offset + first,
    values: Float64Array.of(...history, ...forecast),
    covariates: covariates.map((cells, c) => {
      const future = panel.covariates[c].role === 'future';
      return section(cells.subarray(0, future ? cells.length : known), first, length + (future ? reach : 0));
    }),
  };
}

/** `length` cells from `first` on, NaN beyond the last. What was known before `first` is held on to. */
function section(cells: Float64Array, first: number, length: number): Float64Array {
  const out = new Float64Array(length).fill(Number.NaN);
  out.set(cells.subarray(first, first + length));
  if (Number.isNaN(out[0]))
    out[0] = cells.slice(0, first).findLast((value) => !Number.isNaN(value)) ?? Number.NaN;
  return out;
}

function joined(blocks: readonly Intervals[], horizon: number): Intervals {
  const whole = (part: (block: Intervals) => Float64Array) =>
    Float64Array.from(blocks.flatMap((block) => [...part(block)])).slice(0, horizon);
  const [{ lower, mean }] = blocks as [Intervals];
  return {
    median: whole((block) => block.median),
    lower: lower.map((_, l) => whole((block) => block.lower[l])),
    upper: lower.map((_, l) => whole((block) => block.upper[l])),
    ...(mean && { mean: whole((block) => block.mean ?? block.median) }),
  };
}

/** The panel with room for `rows` rows ahead in its future covariates; those that are not known are missing. */
export function withRoomAhead(panel: Panel, rows: number): Panel {
  const series = panel.series.map((each) => ({
    ...each,
    covariates: each.covariates.map((cells, c) =>
      panel.covariates[c].role === 'future'
        ? section(cells, 0, Math.max(cells.length, each.values.length + rows))
        : cells,
    ),
  }));
  return { ...panel, series };
}
