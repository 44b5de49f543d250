/** Sinks that write the records of a `recorder` to TensorBoard and CSV files. */
import { valueError } from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { LogFile, type TensorBoard } from '@unroll/train/node';
import { type RecordSink, scalarsOf, type TrainingRecord } from './recorder.js';

/**
 * Returns a sink that writes records (scalars, and histograms of weights and gradients) to the files of a `tensorBoard`
 * callback.
 *
 *     const board = tensorBoard('logs');
 *     await fit(model, { ..., callbacks: [board, recorder({ x, to: [toTensorBoard(board)] })] });
 */
export function toTensorBoard(board: TensorBoard): RecordSink {
  if (typeof board?.write !== 'function')
    throw valueError(`toTensorBoard takes the callback tensorBoard(folder), got ${formatValue(board)}.`);
  return {
    write(record) {
      const prefixed = (prefix: string, byName: TrainingRecord['weights']) =>
        Object.fromEntries(
          Object.entries(byName).map(([name, histogram]) => [`${prefix}/${name}`, histogram]),
        );
      const histograms = {
        ...prefixed('weights', record.weights),
        ...prefixed('gradients', record.gradients),
      };
      board.write(record.updates, { scalars: scalarsOf(record), histograms });
    },
  };
}

/**
 * Returns a sink that writes the scalars of each record to one line of a CSV file. The first record determines the columns.
 * A new run replaces the file; a resumed run appends to it.
 */
export function toCsv(path: string): RecordSink {
  if (typeof path !== 'string') throw valueError(`toCsv takes the path of a file, got ${formatValue(path)}.`);
  const file = new LogFile(path);
  let columns: string[] | null = null;
  return {
    write(record) {
      const { epoch, step, updates, loss } = record;
      const values: Record<string, number> = { epoch, step, updates, loss, ...scalarsOf(record) };
      if (columns === null) {
        columns = Object.keys(values);
        file.append(`${columns.map(quote).join(',')}\n`);
      }
      file.append(`${columns.map((name) => values[name] ?? '').join(',')}\n`);
    },
    state() {
      file.sync();
      return { length: file.length, columns };
    },
    restore(state) {
      const saved = state as { length?: number; columns?: string[] | null };
      const warning = file.resume(saved.length ?? 0);
      if (warning === null) columns = saved.columns ?? null;
      return warning;
    },
  };
}

const quote = (name: string): string => (/[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
