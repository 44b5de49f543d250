/** Reads a table for a saved model: like the training rows, and appended to the rows stored with the model. */
import { UnrollError } from '@unroll/core';
import type { Table } from '@unroll/data';
import { checkCounts } from './counts.js';
import { afterStored } from './history.js';
import { type Panel, type PanelOptions, panelFromTable } from './panel.js';
import { type Pipeline, storedPanel } from './pipeline.js';

/** How to read the times of a table, if not like the training rows. */
export type TimeReading = Pick<PanelOptions, 'dates' | 'timezone'>;

/** Options that read a table like the training rows. */
export function panelOptionsOf({ target, time, idColumn, frequency, covariates }: Pipeline): PanelOptions {
  const named = (role: string) => covariates.filter((each) => each.role === role).map(({ name }) => name);
  return {
    target,
    frequency,
    ...(isCounted(time) ? {} : { time: time.name, timeFormat: time.format }),
    ...(idColumn === null ? {} : { series: idColumn }),
    past: named('past'),
    future: named('future'),
    static: named('static'),
  };
}

/** True if the training table had no times: its rows are numbered from 1, so other rows cannot be appended. */
export const isCounted = (time: Pipeline['time']): boolean =>
  time.name === 'row' && time.format.template === 'number';

/** The table as a panel, appended to the stored rows. */
export function readPanel(pipeline: Pipeline, table: Table, reading: TimeReading = {}): Panel {
  const stored = storedPanel(pipeline);
  const known = new Set(stored.series.map(({ id }) => id));
  const counted = isCounted(pipeline.time);
  const least = (id: string) => (known.has(id) && !counted ? 0 : 2);
  const given = panelFromTable(table, { ...panelOptionsOf(pipeline), ...reading }, least);
  if (pipeline.plan.scaler === 'counts') checkCounts(given);
  const renumbered = withKnownCategories(pipeline, given);
  if (counted) return renumbered;
  const { panel, notes } = afterStored(renumbered, stored);
  return { ...panel, notes: [...panel.notes, ...notes] };
}

/** Numbers the categories as in training; one not seen in training becomes -1, which differs from missing. */
function withKnownCategories({ covariates }: Pipeline, panel: Panel): Panel {
  const notes: string[] = [];
  const numbers = covariates.map(({ name, categories: known }, c) => {
    const found = panel.covariates[c].categories;
    if (known === null && found === null) return null;
    if (known === null || found === null) {
      const [was, is] = known === null ? ['numbers', 'text'] : ['text', 'numbers'];
      throw new UnrollError(
        'data',
        `${panel.source}, column "${name}" must hold ${was} as in training, got ${is}.`,
        { column: name },
      );
    }
    const unknown = found.filter((word) => !known.includes(word));
    if (unknown.length > 0) notes.push(unknownNote(name, unknown, known));
    return found.map((word) => known.indexOf(word));
  });
  const renumbered = (cells: Float64Array, own: readonly number[] | null) =>
    own === null ? cells : cells.map((value) => own[value] ?? Number.NaN);
  return {
    ...panel,
    notes: [...panel.notes, ...notes],
    covariates: panel.covariates.map((each, c) => ({ ...each, categories: covariates[c].categories })),
    series: panel.series.map((series) => ({
      ...series,
      covariates: series.covariates.map((cells, c) => renumbered(cells, numbers[c])),
    })),
  };
}

function unknownNote(name: string, unknown: readonly string[], known: readonly string[]): string {
  const words = unknown.slice(0, 3).map((word) => `"${word}"`);
  const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : '';
  return `Column "${name}": ${words.join(', ')}${more} not seen in training (known: ${known.join(', ')}); encoded as "unknown".`;
}
