/** Writes metrics as CSV, one line per epoch. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type EpochEvent, metricsOf } from '../events.js';
import type { Callback } from './callback.js';
import { LogFile } from './log-file-node.js';

export interface CsvLogOptions {
  /** Default `,`. */
  separator?: string;
}

/**
 * Writes `epoch`, the metrics and the learning rate of every epoch to a file. The columns are those of the
 * first epoch. A new run replaces the file; a resumed one appends to it.
 */
export function csvLog(path: string, options: CsvLogOptions = {}): Callback {
  if (typeof path !== 'string')
    throw valueError(`csvLog takes the path of a file first, got ${formatValue(path)}.`);
  checkOptions('csvLog', options, { separator: 'string' });
  const { separator = ',' } = options;
  const file = new LogFile(path);
  let columns: readonly string[] | null = null;

  const onEpoch = (event: EpochEvent): void => {
    const metrics: Readonly<Record<string, number>> = {
      epoch: event.epoch,
      ...metricsOf(event),
      learningRate: event.learningRate,
    };
    if (columns === null) {
      columns = Object.keys(metrics);
      file.append(`${columns.map((name) => quoted(name, separator)).join(separator)}\n`);
    }
    file.append(`${columns.map((name) => metrics[name] ?? '').join(separator)}\n`);
  };

  return {
    name: `csvLog ${path}`,
    onEvent(event) {
      if (event.type === 'epoch') onEpoch(event);
    },
    state() {
      file.sync();
      return { json: { length: file.length, columns } };
    },
    restore({ json }) {
      const saved = json as { length: number; columns: readonly string[] | null };
      const warning = file.resume(saved.length);
      if (warning === null) columns = saved.columns;
      return warning;
    },
  };
}

function quoted(text: string, separator: string): string {
  return text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
