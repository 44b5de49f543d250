/** Checks that future covariates are known for every row to forecast. */
import { UnrollError } from '@unroll/core';
import type { Template } from '../shared/task.js';
import { endOf, type Panel, timeAt } from './panel.js';

/**
 * Checks that all future covariates are known for the `horizon` rows after the last row of each series.
 * @throws UnrollError `data` if values are missing; the message names the series, times and columns. `error.data` has the
 *   properties `template` (the rows to fill in) and `option` (the name of the option that takes these rows)
 */
export function checkFutureCovariates(panel: Panel, horizon: number): void {
  const futureCovariates = panel.covariates.flatMap(({ name, role }, c) =>
    role === 'future' ? [{ name, c }] : [],
  );
  if (futureCovariates.length === 0) return;
  const gaps = panel.series.flatMap((series, s) => {
    const rows = Array.from({ length: horizon }, (_, k) => series.values.length + k);
    return rows.flatMap((row) => {
      const missing = futureCovariates.filter(({ c }) =>
        Number.isNaN(series.covariates[c][row] ?? Number.NaN),
      );
      return missing.length === 0 ? [] : [{ s, row, columns: missing.map(({ name }) => name) }];
    });
  });
  if (gaps.length === 0) return;
  const columns = [...new Set(gaps.flatMap((gap) => gap.columns))];
  const incomplete = [...new Set(gaps.map(({ s }) => s))];
  const spans = incomplete.slice(0, 3).map((s) => {
    const rows = gaps.filter((gap) => gap.s === s).map(({ row }) => row);
    const time = (row: number) => timeAt(panel, panel.series[s].offset + row);
    const span = rows.length === 1 ? time(rows[0]) : `${time(rows[0])} to ${time(rows[rows.length - 1])}`;
    return panel.idColumn === null ? span : `${panel.series[s].id} ${span}`;
  });
  const more = incomplete.length > 3 ? `, and ${incomplete.length - 3} more series` : '';
  throw new UnrollError(
    'data',
    `${columns.map((name) => `"${name}"`).join(' and ')} must be known for the ${horizon} rows to forecast, but ` +
      `${columns.length === 1 ? 'is' : 'are'} missing for ${spans.join(', ')}${more}. Add these rows to ${panel.source} ` +
      `and leave "${panel.target}" empty.`,
    {
      columns,
      series: incomplete.map((s) => panel.series[s].id),
      template: templateOf(panel, futureCovariates, horizon),
      option: 'future-rows',
    },
  );
}

/** Returns the rows to forecast as a table, with the known covariates filled in. */
function templateOf(
  panel: Panel,
  futureCovariates: readonly { name: string; c: number }[],
  horizon: number,
): Template {
  const idColumns = panel.idColumn === null ? [] : [panel.idColumn];
  const rows = panel.series.flatMap((series) =>
    Array.from({ length: horizon }, (_, k) => {
      const row = series.values.length + k;
      const cells = futureCovariates.map(({ c }) =>
        cellText(panel, c, series.covariates[c][row] ?? Number.NaN),
      );
      const id = panel.idColumn === null ? [] : [series.id];
      return [...id, timeAt(panel, endOf(series) + k), '', ...cells];
    }),
  );
  const covariateNames = futureCovariates.map(({ name }) => name);
  return { columns: [...idColumns, panel.time.name, panel.target, ...covariateNames], rows };
}

function cellText(panel: Panel, covariate: number, value: number): string {
  if (Number.isNaN(value)) return '';
  const { categories } = panel.covariates[covariate];
  return categories === null ? String(value) : (categories[value] ?? '');
}
