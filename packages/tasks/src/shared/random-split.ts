/** Splits off rows for validation at random. */
import { RandomStream, UnrollError } from '@unroll/core';
import type { Table } from '@unroll/data';

/**
 * Draws rows for validation, at least one.
 * @param options.task name of the task; the drawn rows depend on it
 * @param options.share fraction of the rows to draw
 * @param options.max maximum number of validation rows
 * @returns the row indices of both parts, ascending
 * @throws UnrollError `data` for fewer than two rows
 */
export function randomRows(
  { rowCount, source }: Pick<Table, 'rowCount' | 'source'>,
  { task, share, max, seed }: { task: string; share: number; max: number; seed: number },
): { training: number[]; validation: number[] } {
  if (rowCount < 2) {
    const problem = 'at least 2 rows are needed, one for training and one for validation';
    throw new UnrollError('data', `${source}: ${problem}, got ${rowCount}.`);
  }
  const size = Math.min(max, Math.max(1, Math.round(rowCount * share)));
  const chosen = new Set(new RandomStream(seed, task, 'split').permutation(rowCount).slice(0, size));
  const all = Array.from({ length: rowCount }, (_, row) => row);
  return {
    training: all.filter((row) => !chosen.has(row)),
    validation: all.filter((row) => chosen.has(row)),
  };
}
