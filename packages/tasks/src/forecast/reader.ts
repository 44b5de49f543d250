/** Reads a table for a saved model in the same way as the training rows, and appends it to the stored rows. */
import { UnrollError } from '@unroll/core';
import type { Table } from '@unroll/data';
import { checkCounts } from './counts.js';
import { prependStoredRows } from './history.js';
import { type Panel, type PanelOptions, panelFromTable, unknownNote } from './panel.js';
import { type Pipeline, storedPanel } from './pipeline.js';

/** How to read the times of a table. Default: as in training. */
export type TimeReading = Pick<PanelOptions, 'dates' | 'timezone'>;

/** Returns the options with which a table is read in the same way as the training rows. */
export function panelOptionsOf({ target, time, idColumn, frequency, covariates }: Pipeline): PanelOptions {
  const namesOf = (role: string) => covariates.filter((each) => each.role === role).map(({ name }) => name);
  return {
    target,
    frequency,
    ...(hasRowNumbers(time) ? {} : { time: time.name, timeFormat: time.format }),
    ...(idColumn === null ? {} : { series: idColumn }),
    past: namesOf('past'),
    future: namesOf('future'),
    static: namesOf('static'),
  };
}

/**
 * Returns whether the training table had no times. In that case its rows are numbered from 1, it is unknown whether the
 * rows of another table are newer, and the rows of the other table are not appended.
 */
export const hasRowNumbers = (time: Pipeline['time']): boolean =>
  time.name === 'row' && time.format.template === 'number';

/** Reads a table as a panel and, if the rows have times, appends it to the stored rows. */
export function readPanel(pipeline: Pipeline, table: Table, reading: TimeReading = {}): Panel {
  const stored = storedPanel(pipeline);
  const storedIds = new Set(stored.series.map(({ id }) => id));
  const hasTimes = !hasRowNumbers(pipeline.time);
  const minValues = (id: string) => (storedIds.has(id) && hasTimes ? 0 : 2);
  const newPanel = panelFromTable(table, { ...panelOptionsOf(pipeline), ...reading }, minValues);
  if (pipeline.plan.scaler === 'counts') checkCounts(newPanel);
  const encoded = withTrainingCategories(pipeline, newPanel);
  if (!hasTimes) return encoded;
  const { panel, notes } = prependStoredRows(encoded, stored);
  return { ...panel, notes: [...panel.notes, ...notes] };
}

/** Replaces category indices by the indices of training. A category that was not seen in training gets -1; NaN is kept. */
function withTrainingCategories({ covariates }: Pipeline, panel: Panel): Panel {
  const notes: string[] = [];
  const newIndices = covariates.map(({ name, categories: known }, c) => {
    const found = panel.covariates[c].categories;
    if (known === null && found === null) return null;
    if (known === null || found === null) {
      const [expected, got] = known === null ? ['numbers', 'text'] : ['text', 'numbers'];
      throw new UnrollError(
        'data',
        `${panel.source}, column "${name}" must hold ${expected} as in training, got ${got}.`,
        { column: name },
      );
    }
    const unknown = found.filter((category) => !known.includes(category));
    if (unknown.length > 0) notes.push(unknownNote(name, unknown, known));
    return found.map((category) => known.indexOf(category));
  });
  const renumber = (cells: Float64Array, indices: readonly number[] | null) =>
    indices === null ? cells : cells.map((value) => indices[value] ?? Number.NaN);
  return {
    ...panel,
    notes: [...panel.notes, ...notes],
    covariates: panel.covariates.map((each, c) => ({ ...each, categories: covariates[c].categories })),
    series: panel.series.map((series) => ({
      ...series,
      covariates: series.covariates.map((cells, c) => renumber(cells, newIndices[c])),
    })),
  };
}
