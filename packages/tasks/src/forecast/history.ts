/** Joins new rows to the rows that are stored with a model. */
import { periodsBetween } from '@unroll/data';
import { endOf, type Panel, type PanelSeries, timeAt } from './panel.js';

/**
 * Prepends the stored rows of each series to its rows in the panel, if the stored rows start earlier. If both have a row
 * of the same time, the row of the panel is used. If the times do not lie on the same grid, the panel is returned unchanged.
 * @returns the panel, and a note that names the last stored row that was used
 */
export function prependStoredRows(panel: Panel, stored: Panel): { panel: Panel; notes: string[] } {
  const shift = periodsBetween(stored.start, panel.start, panel.frequency);
  if (Math.abs(shift - Math.round(shift)) > 1e-6) return { panel, notes: [] };
  const byId = new Map(stored.series.map((series) => [series.id, series]));
  const notes: string[] = [];
  const series = panel.series.map((panelSeries) => {
    const newer = { ...panelSeries, offset: panelSeries.offset + Math.round(shift) };
    const older = byId.get(panelSeries.id);
    if (older === undefined || older.offset >= newer.offset) return newer;
    const missing = Math.max(0, newer.offset - endOf(older));
    if (notes.length === 0) {
      const last = timeAt(stored, Math.min(newer.offset, endOf(older)) - 1);
      const gap =
        missing > 0 && newer.values.length > 0
          ? `; ${missing} ${missing === 1 ? 'row is' : 'rows are'} missing after that`
          : '';
      notes.push(`Rows up to ${last} are training rows stored in the model${gap}.`);
    }
    return joinSeries(older, newer);
  });
  return { panel: { ...panel, start: stored.start, series }, notes };
}

function joinSeries(older: PanelSeries, { id, offset, values, covariates }: PanelSeries): PanelSeries {
  const shift = offset - older.offset;
  const join = (oldCells: Float64Array, newCells: Float64Array): Float64Array => {
    const length = Math.max(newCells.length === 0 ? oldCells.length : 0, shift + newCells.length);
    const joined = new Float64Array(length).fill(Number.NaN);
    joined.set(oldCells.subarray(0, Math.min(shift, length)));
    joined.set(newCells, shift);
    return joined;
  };
  return {
    id,
    offset: older.offset,
    values: values.length === 0 ? older.values : join(older.values, values),
    covariates: covariates.map((cells, c) => join(older.covariates[c], cells)),
  };
}
