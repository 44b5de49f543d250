/** Checks that future covariates are known for every row to forecast. */
import { UnrollError } from '@unroll/core';
import type { Template } from '../shared/task.js';
import { endOf, type Panel, timeAt } from './panel.js';

/**
 * @throws UnrollError `data` with the missing series, times and columns; `data.template` holds the rows to fill in, and
 *   `data.option` the option for them
 */
export function checkFuture(panel: Panel, horizon: number): void {
  const needed = panel.covariates.flatMap(({ name, role }, c) => (role === 'future' ? [{ name, c }] : []));
  if (needed.length === 0) return;
  const gaps = panel.series.flatMap((series, s) => {
    const rows = Array.from({ length: horizon }, (_, k) => series.values.length + k);
    const missing = (row: number, c: number) => Number.isNaN(series.covariates[c][row] ?? Number.NaN);
    return rows
      .filter((row) => needed.some(({ c }) => missing(row, c)))
      .map((row) => ({ s, row, columns: needed.filter(({ c }) => missing(row, c)).map(({ name }) => name) }));
  });
  if (gaps.length === 0) return;
  const columns = [...new Set(gaps.flatMap((gap) => gap.columns))];
  const ids = [...new Set(gaps.map(({ s }) => s))];
  const named = ids.slice(0, 3).map((s) => {
    const rows = gaps.filter((gap) => gap.s === s).map(({ row }) => row);
    const time = (row: number) => timeAt(panel, panel.series[s].offset + row);
    const span = rows.length === 1 ? time(rows[0]) : `${time(rows[0])} to ${time(rows[rows.length - 1])}`;
    return panel.idColumn === null ? span : `${panel.series[s].id} ${span}`;
  });
  const more = ids.length > 3 ? `, and ${ids.length - 3} more series` : '';
  throw new UnrollError(
    'data',
    `${columns.map((name) => `"${name}"`).join(' and ')} must be known for the ${horizon} rows to forecast, but ` +
      `${columns.length === 1 ? 'is' : 'are'} missing for ${named.join(', ')}${more}. Add these rows to ${panel.source} ` +
      `and leave "${panel.target}" empty.`,
    {
      columns,
      series: ids.map((s) => panel.series[s].id),
      template: templateOf(panel, needed, horizon),
      option: 'future-rows',
    },
  );
}

/** The rows to forecast, with known values filled in. */
function templateOf(panel: Panel, needed: readonly { name: string; c: number }[], horizon: number): Template {
  const ids = panel.idColumn === null ? [] : [panel.idColumn];
  const rows = panel.series.flatMap((series) =>
    Array.from({ length: horizon }, (_, k) => {
      const row = series.values.length + k;
      const known = needed.map(({ c }) => shown(panel, c, series.covariates[c][row] ?? Number.NaN));
      const id = panel.idColumn === null ? [] : [series.id];
      return [...id, timeAt(panel, endOf(series) + k), '', ...known];
    }),
  );
  return { columns: [...ids, panel.time.name, panel.target, ...needed.map(({ name }) => name)], rows };
}

function shown(panel: Panel, covariate: number, value: number): string {
  if (Number.isNaN(value)) return '';
  const { categories } = panel.covariates[covariate];
  return categories === null ? String(value) : (categories[value] ?? '');
}
