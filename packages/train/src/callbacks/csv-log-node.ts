/** A callback that writes metrics as CSV, one line per epoch. */
import { valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { type EpochEvent, metricsOf } from '../events.js';
import type { Callback } from './callback.js';
import { LogFile } from './log-file-node.js';

export interface CsvLogOptions {
  /** Text between two columns. Default `,`. */
  separator?: string;
}

/**
 * Returns a callback that writes `epoch`, the metrics and the learning rate of every epoch to a CSV file. The first epoch
 * determines the columns. A new run replaces the file; a resumed run appends to it.
 */
export function csvLog(path: string, options: CsvLogOptions = {}): Callback {
  if (typeof path !== 'string')
    throw valueError(`csvLog: the first argument must be the path of a file, got ${formatValue(path)}.`);
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
      file.append(`${columns.map((name) => quoteCsv(name, separator)).join(separator)}\n`);
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

/** Quotes a text if CSV requires it. */
function quoteCsv(text: string, separator: string): string {
  return text.includes(separator) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
