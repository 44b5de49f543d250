/** Splits off rows for validation at random. */
import { RandomStream, UnrollError } from '@unroll/core';
import type { Table } from '@unroll/data';

/**
 * Draws a share of the rows for validation, at least one.
 * @param options.task name of the task; the drawn rows depend on it
 * @param options.most maximum number of validation rows
 * @returns the row indices of both parts, ascending
 * @throws UnrollError `data` for fewer than two rows
 */
export function randomRows(
  { rowCount, source }: Pick<Table, 'rowCount' | 'source'>,
  { task, share, most, seed }: { task: string; share: number; most: number; seed: number },
): { training: number[]; validation: number[] } {
  if (rowCount < 2) {
    const problem = 'at least 2 rows are needed, one for training and one for validation';
    throw new UnrollError('data', `${source}: ${problem}, got ${rowCount}.`);
  }
  const size = Math.min(most, Math.max(1, Math.round(rowCount * share)));
  const chosen = new Set(new RandomStream(seed, task, 'split').permutation(rowCount).slice(0, size));
  const all = Array.from({ length: rowCount }, (_, row) => row);
  return {
    training: all.filter((row) => !chosen.has(row)),
    validation: all.filter((row) => chosen.has(row)),
  };
}
