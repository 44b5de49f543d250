/** `unroll forecast`: trains, backtests and forecasts in one command. */
import { basename, join } from 'node:path';
import { currentBackend, ready, setThreads } from '@unroll/core';
import { column, type Table } from '@unroll/data';
import {
  addFutureRows,
  backtestTable,
  ForecastModel,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastReport,
  forecastTable,
  levelName,
  planEvent,
  prepareForecast,
  type ResultEvent,
} from '@unroll/tasks';
import { UsageError } from '../shared/args.js';
import { checkWritable, writeAtomically } from '../shared/files.js';
import type { Reading } from '../shared/reading-options.js';
import { Reporter } from '../shared/reporter.js';
import { openCheckpoints, type RunIdentity } from '../shared/resume.js';
import { type FileTable, readRows } from '../shared/table-file.js';
import { csvOf } from '../shared/tables.js';
import { isSameFile, templateFile, withTemplate } from '../shared/template.js';
import type { Verb } from '../shared/verb.js';
import { version } from '../version.js';
import { FORECAST_HELP, type ForecastArguments, readArguments } from './options.js';
import { showForecast } from './text.js';

const FUTURE = 'future-rows';
const MODEL = ['config.json', 'model.safetensors', 'pipeline.json', 'training.json'].map(
  (name) => `model/${name}`,
);
const RESUMED = 'resume   resuming the interrupted run';
const ANEW = 'resume   no interrupted run found';
const STOPPED = 'Stopped. Run the same command with --resume to continue.';
const FILES = ['forecast.csv', 'backtest.csv', 'report.html', ...MODEL];

export const forecastVerb: Verb = {
  about: 'forecast a table and backtest the models',
  help: () => FORECAST_HELP,
  run: (args, { signal }) => run(readArguments(args), signal),
};

async function run(wanted: ForecastArguments, signal: AbortSignal): Promise<void> {
  const { file, options, reading, sql, futureRows, out, resume, threads } = wanted;
  const reporter = new Reporter(wanted);
  if (out !== undefined) checkWritable(out, FILES);
  const read = await readRows(file, reading, sql === undefined ? undefined : { sql, threads });
  const future = futureRows === undefined ? undefined : await readRows(futureRows, reading);
  if (future !== undefined) read.table = addFutureRows(read.table, future.table, options);
  for (const text of read.notes) reporter.report({ event: 'note', text });
  const orTemplate = <T>(work: () => T | Promise<T>) => withTemplate(out, { [FUTURE]: futureRows }, work);
  if (wanted.dryRun) {
    reporter.report(planEvent(await orTemplate(() => prepareForecast(read.table, options))));
    return;
  }
  await ready();
  if (threads !== undefined) setThreads(threads);
  const data = [read, ...(future ? [future] : [])].map(({ fingerprint }) => fingerprint).join(' ');
  const store = out === undefined ? undefined : openCheckpoints(out, resume, identityOf(wanted, data));
  if (resume) reporter.print(store?.resumed ? RESUMED : `${ANEW} in ${out}, starting a new run`);
  const began = performance.now();
  const { result, event } = await orTemplate(() =>
    trained(read, { ...options, signal, ...(store && { store }) }, reporter),
  ).catch((error) => {
    throw signal.aborted && out !== undefined ? new UsageError(STOPPED) : error;
  });
  const seconds = (performance.now() - began) / 1000;
  if (out !== undefined)
    writeAtomically(out, await filesOf(result, wanted, { read, seconds }), staleFiles(out, futureRows));
  store?.done();
  showForecast(result, reporter);
  if (out !== undefined) reporter.print(`\nwritten  ${out}: forecast.csv, backtest.csv, report.html, model`);
  reporter.report({ ...event, out: out ?? null });
}

/** Everything that determines the results of the run. */
function identityOf({ options, reading, sql }: ForecastArguments, data: string): RunIdentity {
  const { levels, ...rest } = options;
  const level = levels?.map(levelName);
  return { task: 'forecast', options: { ...rest, ...reading, level, sql }, data, version: version() };
}

/** Files of an earlier run to delete, except a template that this run has read. */
function staleFiles(out: string, futureRows: string | undefined): string[] {
  const template = templateFile(FUTURE);
  return isSameFile(join(out, template), futureRows) ? MODEL : [...MODEL, template];
}

/** Runs and reports the forecast, except the last event, which is reported after the files are written. */
async function trained(
  { table }: FileTable,
  options: ForecastOptions,
  reporter: Reporter,
): Promise<{ result: ForecastResult; event: ResultEvent }> {
  let last: ResultEvent = { event: 'result' };
  try {
    const result = await forecast(table, {
      ...options,
      onEvent(event) {
        if (event.event === 'result') last = event;
        else reporter.report(event);
      },
    });
    return { result, event: last };
  } finally {
    reporter.clearBar();
  }
}

async function filesOf(
  result: ForecastResult,
  { file, options, reading, sql }: ForecastArguments,
  { read, seconds }: { read: FileTable; seconds: number },
): Promise<Map<string, string | Uint8Array>> {
  const { panel, forecasts, levels, leaderboard, networks } = result;
  const { pipeline, network } = result.model;
  const used = [options.target, ...pipeline.covariates.map(({ name }) => name)];
  const asRead = { ...decimalOf(read.table, used), ...reading };
  const model = new ForecastModel({ ...pipeline, sql, reading: asRead }, network);
  const backend = currentBackend().description;
  const data = { file: basename(file), rows: read.table.rowCount, sha256: read.fingerprint };
  const epochs = networks?.map((network) => network.epochs) ?? [];
  const training = {
    ...{ command: 'forecast', options, reading, sql, data, seed: options.seed ?? 0, epochs },
    ...{ leaderboard, backend, seconds },
  };
  const saved = Array.from(await model.toFiles(training));
  return new Map<string, string | Uint8Array>([
    ['forecast.csv', csvOf(forecastTable(forecasts, panel.idColumn !== null, levels))],
    ['backtest.csv', csvOf(backtestTable(result))],
    ['report.html', forecastReport(result, { backend, seconds, options })],
    ...saved.map(([name, bytes]): [string, Uint8Array] => [`model/${name}`, bytes]),
  ]);
}

/**
 * The decimal separator that the columns show, if it is the same for all. Newer rows are read with it: a few of them alone
 * may look different (1.600 as 1600).
 */
function decimalOf(table: Table, names: readonly string[]): Pick<Reading, 'decimal'> {
  const shown = names.flatMap((name) => {
    const { kind, format } = column(table, name);
    return kind === 'number' && format && !format.isDefault ? [format.decimal] : [];
  });
  const [decimal, ...others] = new Set(shown);
  return decimal === undefined || others.length > 0 ? {} : { decimal };
}
