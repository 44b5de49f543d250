/** Evaluates a saved model on rows newer than its training data. */
import { UnrollError } from '@unroll/core';
import { describeFrequency, type Table } from '@unroll/data';
import type { TaskScores } from '../shared/task.js';
import { actualAt, leaderboard } from './backtest.js';
import type { Origin } from './encoder.js';
import type { ForecastModel } from './model.js';
import { endOf, type Panel, timeAt } from './panel.js';
import { type Pipeline, storedPanel } from './pipeline.js';
import { hasRowNumbers, readPanel } from './reader.js';
import { listSeries, subsample } from './rows.js';
import { scoreTable } from './run-events.js';

/** Maximum number of forecasts to score, over all series. */
const MAX_FORECASTS = 10_000;

/**
 * Returns the scores of the model and of the best baseline, as in a backtest. The forecast origins are all rows of the table that are
 * newer than the training data, or a sample of them. MASE is scaled by the seasonal naive error on the rows before the first origin.
 * @throws UnrollError `data` if no series of the training data has newer values in the table
 */
export async function evaluateForecast(model: ForecastModel, table: Table): Promise<TaskScores> {
  const { pipeline } = model;
  const { plan, levels } = pipeline;
  if (hasRowNumbers(pipeline.time)) {
    throw new UnrollError(
      'data',
      'The model was trained on rows without times, so newer rows cannot be identified. Train it on a table with a ' +
        'time column.',
    );
  }
  const panel = readPanel(pipeline, table);
  const allOrigins = newerOrigins(panel, pipeline);
  const origins = subsample(allOrigins, MAX_FORECASTS);
  const { intervals, short } = await model.forecastAt(panel, origins, plan.horizon);
  const entries = [{ model: pipeline.model, forecasts: intervals }];
  if (pipeline.model !== pipeline.fallback) {
    const forecasts = model.baselineAt(panel, origins, plan.horizon);
    entries.unshift({ model: pipeline.fallback, forecasts });
  }
  const indices = origins.map(({ origin }) => origin);
  const [first, last] = [Math.min(...indices), Math.max(...indices)];
  const scores = leaderboard(panel, { ...plan, cut: first }, origins, entries, levels);
  const sampling = origins.length < allOrigins.length ? `, sampled from ${allOrigins.length}` : '';
  const notes = [
    ...panel.notes,
    ...unknownNotes(panel, pipeline),
    `${origins.length} forecasts of up to ${plan.horizon} rows, from ${timeAt(panel, first)} to ${timeAt(panel, last)}${sampling}.`,
  ];
  if (short.length > 0) {
    notes.push(
      `${short.length} of the forecasts are by ${pipeline.fallback}, because the network needs more rows before the origin.`,
    );
  }
  return { ...scoreTable(scores), notes };
}

/** Returns the origins after the training rows of each series, without origins whose horizon has no known actual value. */
function newerOrigins(panel: Panel, pipeline: Pipeline): Origin[] {
  const stored = storedPanel(pipeline);
  if (panel.start !== stored.start) {
    throw new UnrollError(
      'data',
      `${panel.source}: the time ${timeAt(panel, 0)} is not on the time grid of the training rows of the model ` +
        `(${describeFrequency(panel.frequency)}, up to ${lastTimeOf(stored)}). Provide rows whose times are ` +
        'an integer number of periods after the last training row.',
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
    `${panel.source} has no values of "${panel.target}" after ${lastTimeOf(stored)}, the last training row of the model. ` +
      'Provide newer rows.',
    { column: panel.target },
  );
}

/** Returns the time of the last row of a panel. */
const lastTimeOf = (stored: Panel): string => timeAt(stored, Math.max(...stored.series.map(endOf)) - 1);

function unknownNotes(panel: Panel, { series }: Pipeline): string[] {
  const known = new Set(series.map(({ id }) => id));
  const unknown = panel.series.filter(({ id }) => !known.has(id));
  return unknown.length === 0
    ? []
    : [`Ignored series that are not in the training data: ${listSeries(unknown)}.`];
}
