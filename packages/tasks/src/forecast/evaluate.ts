/** How good a saved model is on rows that are newer than those it was made from. */
import { UnrollError } from '@unroll/core';
import { describeFrequency, type Table } from '@unroll/data';
import type { TaskScores } from '../shared/task.js';
import { actualAt, leaderboard } from './backtest.js';
import type { Origin } from './encoder.js';
import type { ForecastModel } from './model.js';
import { endOf, type Panel, timeAt } from './panel.js';
import { type Pipeline, storedPanel } from './pipeline.js';
import { isCounted, readPanel } from './reader.js';
import { scoreTable } from './run-events.js';
import { listed, thinned } from './rows.js';

/** Forecasts that are scored, of all series together. */
const MOST_FORECASTS = 10_000;

/**
 * A forecast from every row after the stored ones, made from the rows before it and scored as the backtest is: the model,
 * and beside it the best baseline. MASE is in units of what "same as one season before" missed in the rows before the
 * first of these forecasts.
 * @throws UnrollError `data` where no row of a known series is newer than the stored ones
 */
export async function evaluateForecast(model: ForecastModel, table: Table): Promise<TaskScores> {
  const { pipeline } = model;
  const { plan, levels } = pipeline;
  if (isCounted(pipeline.time)) {
    throw new UnrollError(
      'data',
      'The model was made from rows without times, so that newer rows cannot be told from them. Make it from a table ' +
        'with a column of times.',
    );
  }
  const panel = readPanel(pipeline, table);
  const all = newerOrigins(panel, pipeline);
  const origins = thinned(all, MOST_FORECASTS);
  const { intervals, short } = await model.forecastAt(panel, origins, plan.horizon);
  const entries = [{ model: pipeline.model, forecasts: intervals }];
  if (pipeline.model !== pipeline.fallback) {
    const forecasts = model.baselineAt(panel, origins, plan.horizon);
    entries.unshift({ model: pipeline.fallback, forecasts });
  }
  const places = origins.map(({ origin }) => origin);
  const [first, last] = [Math.min(...places), Math.max(...places)];
  const scores = leaderboard(panel, { ...plan, cut: first }, origins, entries, levels);
  const drawn = origins.length < all.length ? `, drawn by chance from ${all.length}` : '';
  const notes = [
    ...panel.notes,
    ...unknownNotes(panel, pipeline),
    `${origins.length} forecasts of up to ${plan.horizon} rows, from ${timeAt(panel, first)} to ${timeAt(panel, last)}${drawn}.`,
  ];
  if (short.length > 0) {
    notes.push(`${short.length} of them by ${pipeline.fallback}: too few rows before for the network.`);
  }
  return { ...scoreTable(scores), notes };
}

/** Every row after the stored ones from which at least one known value lies ahead, of the series that are stored. */
function newerOrigins(panel: Panel, pipeline: Pipeline): Origin[] {
  const stored = storedPanel(pipeline);
  if (panel.start !== stored.start) {
    throw new UnrollError(
      'data',
      `${panel.source}: the times do not continue those of the model, which are ` +
        `${describeFrequency(panel.frequency)} up to ${lastOf(stored)}.`,
    );
  }
  const ends = new Map(stored.series.map((series) => [series.id, endOf(series)]));
  const origins = panel.series.flatMap((series, s) => {
    const from = ends.get(series.id) ?? Number.POSITIVE_INFINITY;
    const rows = Array.from({ length: Math.max(0, endOf(series) - from) }, (_, i) => from + i);
    return rows
      .map((origin): Origin => ({ series: s, origin }))
      .filter((origin) =>
        actualAt(panel, origin, pipeline.plan.horizon).some((value) => !Number.isNaN(value)),
      );
  });
  if (origins.length > 0) return origins;
  throw new UnrollError(
    'data',
    `${panel.source} has no values of "${panel.target}" after ${lastOf(stored)}, the last row that the model was made ` +
      'from: there is nothing to compare its forecasts with. Give newer rows.',
    { column: panel.target },
  );
}

const lastOf = (stored: Panel): string => timeAt(stored, Math.max(...stored.series.map(endOf)) - 1);

function unknownNotes(panel: Panel, { series }: Pipeline): string[] {
  const known = new Set(series.map(({ id }) => id));
  const unknown = panel.series.filter(({ id }) => !known.has(id));
  return unknown.length === 0 ? [] : [`Not in training, left out: ${listed(unknown)}.`];
}
