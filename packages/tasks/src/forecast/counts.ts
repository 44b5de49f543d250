/** Checks the counts that the head `negbin` forecasts. */
import { UnrollError } from '@unroll/core';
import { type Panel, timeAt } from './panel.js';
import { ofSeries } from './rows.js';

/** @throws UnrollError `data` for the first value that is not a non-negative integer */
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
