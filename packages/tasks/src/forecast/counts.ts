/** Recognises counts, and checks that the target of the head `negbin` consists of counts. */
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

/** If at least this share of the counts is 0, the head `negbin` is proposed. */
const MIN_ZEROS = 0.3;

/** Returns a note that proposes the head `negbin` if the target consists of counts and many of them are 0. */
export function countNotes({ target, series }: Panel): string[] {
  let [known, zeros] = [0, 0];
  for (const { values } of series) {
    for (const value of values) {
      if (Number.isNaN(value)) continue;
      if (value < 0 || !Number.isInteger(value)) return [];
      known++;
      if (value === 0) zeros++;
    }
  }
  if (zeros < MIN_ZEROS * known) return [];
  const share = ((100 * zeros) / known).toFixed(0);
  return [
    `"${target}" holds counts, of which ${share} % are 0. Compare with the head negbin (--head negbin), made for such counts.`,
  ];
}
