/** Counts: what the head `negbin` forecasts. */
import { UnrollError } from '@unroll/core';
import { type Panel, timeAt } from './panel.js';
import { ofSeries } from './rows.js';

/** @throws UnrollError `data` for the first value that is no whole number from 0 */
export function checkCounts(panel: Panel): void {
  for (const { id, offset, values } of panel.series) {
    const row = values.findIndex((value) => value < 0 || (!Number.isInteger(value) && !Number.isNaN(value)));
    if (row < 0) continue;
    const value = values[row];
    throw new UnrollError(
      'data',
      `${panel.source}, column "${panel.target}"${ofSeries(id)}: ${value} at ${timeAt(panel, offset + row)} is not a count, ` +
        'and the head negbin forecasts counts, whole numbers from 0. Choose the head quantile.',
      { column: panel.target, series: id, value },
    );
  }
}
