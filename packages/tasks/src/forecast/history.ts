/** Appends newer rows to the rows stored with a model. */
import { periodsBetween } from '@unroll/data';
import { endOf, type Panel, type PanelSeries, timeAt } from './panel.js';

/**
 * The panel with the stored rows of its series prepended, if they start earlier. Rows of the panel take precedence. Notes
 * name the stored rows that were used.
 */
export function afterStored(panel: Panel, stored: Panel): { panel: Panel; notes: string[] } {
  const shift = periodsBetween(stored.start, panel.start, panel.frequency);
  if (Math.abs(shift - Math.round(shift)) > 1e-6) return { panel, notes: [] };
  const byId = new Map(stored.series.map((series) => [series.id, series]));
  const notes: string[] = [];
  const series = panel.series.map((given) => {
    const own = { ...given, offset: given.offset + Math.round(shift) };
    const before = byId.get(given.id);
    if (before === undefined || before.offset >= own.offset) return own;
    const missing = Math.max(0, own.offset - endOf(before));
    if (notes.length === 0) {
      const last = timeAt(stored, Math.min(own.offset, endOf(before)) - 1);
      const gap =
        missing > 0 && own.values.length > 0
          ? `; ${missing} ${missing === 1 ? 'row is' : 'rows are'} missing after that`
          : '';
      notes.push(`Rows up to ${last} were taken from the model${gap}.`);
    }
    return appended(before, own);
  });
  return { panel: { ...panel, start: stored.start, series }, notes };
}

function appended(before: PanelSeries, { id, offset, values, covariates }: PanelSeries): PanelSeries {
  const from = offset - before.offset;
  const joined = (old: Float64Array, fresh: Float64Array): Float64Array => {
    const out = new Float64Array(Math.max(fresh.length === 0 ? old.length : 0, from + fresh.length)).fill(
      Number.NaN,
    );
    out.set(old.subarray(0, Math.min(from, out.length)));
    out.set(fresh, from);
    return out;
  };
  return {
    id,
    offset: before.offset,
    values: values.length === 0 ? before.values : joined(before.values, values),
    covariates: covariates.map((cells, c) => joined(before.covariates[c], cells)),
  };
}
