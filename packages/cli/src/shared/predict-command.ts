/** `unroll predict`: a saved model forecasts again, after the rows it was made from or after newer ones. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ready } from '@unroll/core';
import type { Table } from '@unroll/data';
import { addFutureRows, ForecastModel } from '@unroll/tasks';
import { type OptionSpecs, parseOptions, text, UsageError, wholeNumber } from './args.js';
import { checkWritable, reasonOf, writeAtomically } from './files.js';
import { withTemplate } from '../forecast/command.js';
import { csvOf, forecastTable, jsonLinesOf } from '../forecast/files.js';
import { Reporter } from './reporter.js';
import { readRows } from './table-file.js';

const OPTIONS = {
  data: { type: 'string' },
  sql: { type: 'string' },
  'future-rows': { type: 'string' },
  horizon: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

export const PREDICT_HELP = `Usage: unroll predict <model folder> [options]

Forecasts with a model that unroll forecast has written (<out>/model). Without --data, what comes after the rows the
model was made from; with it, what comes after these rows. The forecast goes to stdout as CSV.

  --data <file>         rows up to now, or those that are new, with the columns the model was made from
  --sql <query>         another query over this file than the one that the model was made with
  --future-rows <file>  rows to forecast, with the future columns filled in, if they are not in the data
  --horizon <n>         rows to forecast (default: as many as the model was made for; beyond, it goes on
                        from its own forecast)
  --out <folder>        write forecast.csv there instead
  --json                one JSON object a forecast row on stdout
`;

const FILES = ['config.json', 'model.safetensors', 'pipeline.json'];

export async function predictCommand(args: string[]): Promise<void> {
  const parsed = parseOptions(args, OPTIONS);
  const [folder, ...extra] = parsed.positionals;
  if (folder === undefined || extra.length > 0) {
    throw new UsageError('Which model? unroll predict <model folder> [--data <file>]');
  }
  const horizon = wholeNumber(parsed, 'horizon');
  const data = text(parsed, 'data');
  const out = text(parsed, 'out');
  const reporter = new Reporter({ json: true, quiet: false });
  if (out !== undefined) checkWritable(out, ['forecast.csv']);
  await ready();
  const model = ForecastModel.fromFiles(readModel(folder));
  const futureRows = text(parsed, 'future-rows');
  if (futureRows !== undefined && data === undefined)
    throw new UsageError('--future-rows goes with --data <file>, the rows up to now.');
  const table =
    data === undefined
      ? undefined
      : await rowsOf(data, { sql: text(parsed, 'sql'), futureRows, model }, reporter);
  const { panel, forecasts, notes } = await withTemplate(out, futureRows, () =>
    model.forecast(table, horizon),
  );
  for (const note of [...panel.notes, ...notes]) reporter.say(note);
  const written = forecastTable(forecasts, panel.idColumn !== null, model.pipeline.levels);
  if (out !== undefined) {
    writeAtomically(out, new Map([['forecast.csv', csvOf(written)]]));
    reporter.say(`written  ${out}: forecast.csv`);
  } else if (parsed.values.json !== true) process.stdout.write(csvOf(written));
  if (parsed.values.json === true) process.stdout.write(jsonLinesOf(written));
}

interface RowsWanted {
  sql: string | undefined;
  futureRows: string | undefined;
  model: ForecastModel;
}

/** The rows up to now, read as the model's own were. */
async function rowsOf(data: string, wanted: RowsWanted, reporter: Reporter): Promise<Table> {
  const { futureRows, model } = wanted;
  const sql = wanted.sql ?? model.pipeline.sql;
  const { table, notes } = await readRows(data, sql === undefined ? undefined : { sql });
  for (const note of notes) reporter.say(note);
  if (futureRows === undefined) return table;
  return addFutureRows(table, (await readRows(futureRows)).table, model.panelOptions);
}

function readModel(folder: string): Map<string, Uint8Array> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(
      `${folder}: there is no such folder. A model is the folder "model" that unroll forecast writes.`,
    );
  }
  const files = new Map<string, Uint8Array>();
  for (const name of FILES) {
    try {
      files.set(name, readFileSync(join(folder, name)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new UsageError(`${join(folder, name)}: ${reasonOf(error, 'cannot be read')}.`);
    }
  }
  return files;
}
