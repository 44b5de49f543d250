/** Checks that the target of the head `negbin` consists of counts. */
import { UnrollError } from '@unroll/core';
import { type Panel, timeAt } from './panel.js';
import { ofSeries } from './rows.js';

/**
 * Checks that all target values are counts; missing values are allowed.
 * @throws UnrollError `data` for the first value that is negative or not an integer
 */
export function checkCounts(panel: Panel): void {
  for (const { id, offset, values } of panel.series) {
    const row = values.findIndex((value) => value < 0 || (!Number.isInteger(value) && !Number.isNaN(value)));
    if (row < 0) continue;
    const value = values[row];
    throw new UnrollError(
      'data',
      `${panel.source}, column "${panel.target}"${ofSeries(id)}: the head negbin needs counts (non-negative integers), got ` +
        `${value} at ${timeAt(panel, offset + row)}. Use the head quantile instead.`,
      { column: panel.target, series: id, value },
    );
  }
}
