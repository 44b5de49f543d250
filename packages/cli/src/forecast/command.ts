/** `unroll forecast`: trains, backtests and forecasts in one command. */
import { basename, dirname, join } from 'node:path';
import { currentBackend, ready, setThreads } from '@unroll/core';
import { column, type Table } from '@unroll/data';
import {
  addFutureRows,
  backtestTable,
  ForecastModel,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  forecastPlot,
  forecastReport,
  forecastTable,
  levelName,
  planEvent,
  prepareForecast,
  type ResultEvent,
} from '@unroll/tasks';
import { UsageError } from '../shared/args.js';
import type { Command } from '../shared/command.js';
import { checkWritable, writeAtomically } from '../shared/files.js';
import type { ReadOptions } from '../shared/reading-options.js';
import { Reporter } from '../shared/reporter.js';
import { openCheckpoints, type RunIdentity } from '../shared/resume.js';
import { type FileTable, readRows } from '../shared/table-file.js';
import { csvOf } from '../shared/tables.js';
import { isSameFile, templateFile, withTemplateOfMissingRows } from '../shared/template.js';
import { version } from '../version.js';
import { FORECAST_HELP, type ForecastArguments, readArguments } from './options.js';
import { showForecast } from './text.js';

const FUTURE_ROWS = 'future-rows';
const MODEL_FILES = ['config.json', 'model.safetensors', 'pipeline.json', 'training.json'].map(
  (name) => `model/${name}`,
);
const RESUMING = 'resume   resuming the interrupted run';
const NOT_FOUND = 'resume   no interrupted run found';
const STOPPED = 'Stopped. Run the same command with --resume to continue.';
const OUTPUT_FILES = ['forecast.csv', 'backtest.csv', 'report.html', ...MODEL_FILES];

export const forecastCommand: Command = {
  about: 'forecast the time series in a table, and backtest models',
  help: () => FORECAST_HELP,
  run: (args, { signal }) => run(readArguments(args), signal),
};

async function run(args: ForecastArguments, signal: AbortSignal): Promise<void> {
  const { file, options, reading, sql, futureRows, out, plot, resume, threads } = args;
  const reporter = new Reporter(args);
  if (out !== undefined) checkWritable(out, OUTPUT_FILES);
  if (plot !== undefined) checkWritable(dirname(plot), [basename(plot)]);
  const fileTable = await readRows(file, reading, sql === undefined ? undefined : { sql, threads });
  const futureTable = futureRows === undefined ? undefined : await readRows(futureRows, reading);
  if (futureTable !== undefined) fileTable.table = addFutureRows(fileTable.table, futureTable.table, options);
  for (const text of fileTable.notes) reporter.report({ event: 'note', text });
  const withFutureTemplate = <T>(work: () => T | Promise<T>) =>
    withTemplateOfMissingRows(out, { [FUTURE_ROWS]: futureRows }, work);
  if (args.dryRun) {
    reporter.report(planEvent(await withFutureTemplate(() => prepareForecast(fileTable.table, options))));
    return;
  }
  await ready();
  if (threads !== undefined) setThreads(threads);
  const fingerprints = [fileTable, ...(futureTable ? [futureTable] : [])]
    .map(({ fingerprint }) => fingerprint)
    .join(' ');
  const store = out === undefined ? undefined : openCheckpoints(out, resume, identityOf(args, fingerprints));
  if (resume) reporter.print(store?.resumed ? RESUMING : `${NOT_FOUND} in ${out}, starting a new run`);
  const startTime = performance.now();
  const { result, event } = await withFutureTemplate(() =>
    runForecast(fileTable, { ...options, signal, ...(store && { store }) }, reporter),
  ).catch((error) => {
    throw signal.aborted && out !== undefined ? new UsageError(STOPPED) : error;
  });
  const seconds = (performance.now() - startTime) / 1000;
  if (out !== undefined)
    writeAtomically(
      out,
      await outputFiles(result, args, { fileTable, seconds }),
      staleFiles(out, futureRows),
    );
  if (plot !== undefined) writeAtomically(dirname(plot), new Map([[basename(plot), forecastPlot(result)]]));
  store?.remove();
  showForecast(result, reporter);
  if (out !== undefined) reporter.print(`\nwritten  ${out}: forecast.csv, backtest.csv, report.html, model`);
  if (plot !== undefined) reporter.print(`written  ${plot}`);
  const peakMemory = process.resourceUsage().maxRSS * 1024;
  reporter.report({ ...event, peakMemory, out: out ?? null });
}

/** Returns everything that determines the results of the run. @param data fingerprints of the files */
function identityOf({ options, reading, sql }: ForecastArguments, data: string): RunIdentity {
  const { levels, ...otherOptions } = options;
  const level = levels?.map(levelName);
  return { task: 'forecast', options: { ...otherOptions, ...reading, level, sql }, data, version: version() };
}

/** Returns the names of files of an earlier run to delete. A template that this run has read is not one of them. */
function staleFiles(out: string, futureRows: string | undefined): string[] {
  const template = templateFile(FUTURE_ROWS);
  return isSameFile(join(out, template), futureRows) ? MODEL_FILES : [...MODEL_FILES, template];
}

/** Runs the forecast and reports its events, except the result event, which the caller reports after writing the files. */
async function runForecast(
  { table }: FileTable,
  options: ForecastOptions,
  reporter: Reporter,
): Promise<{ result: ForecastResult; event: ResultEvent }> {
  let resultEvent: ResultEvent = { event: 'result' };
  try {
    const result = await forecast(table, {
      ...options,
      onEvent(event) {
        if (event.event === 'result') resultEvent = event;
        else reporter.report(event);
      },
    });
    return { result, event: resultEvent };
  } finally {
    reporter.clearBar();
  }
}

/** Returns the contents of all output files, by name. */
async function outputFiles(
  result: ForecastResult,
  { file, options, reading, sql }: ForecastArguments,
  { fileTable, seconds }: { fileTable: FileTable; seconds: number },
): Promise<Map<string, string | Uint8Array>> {
  const { panel, forecasts, levels, leaderboard, networks } = result;
  const { pipeline, network } = result.model;
  const numericColumns = [options.target, ...pipeline.covariates.map(({ name }) => name)];
  const storedReading = { ...commonDecimal(fileTable.table, numericColumns), ...reading };
  const model = new ForecastModel({ ...pipeline, sql, reading: storedReading }, network);
  const backend = currentBackend().description;
  const data = { file: basename(file), rows: fileTable.table.rowCount, sha256: fileTable.fingerprint };
  const epochs = networks?.map((network) => network.epochs) ?? [];
  const training = {
    ...{ command: 'forecast', options, reading, sql, data, seed: options.seed ?? 0, epochs },
    ...{ leaderboard, backend, seconds },
  };
  const modelFiles = Array.from(await model.toFiles(training));
  return new Map<string, string | Uint8Array>([
    ['forecast.csv', csvOf(forecastTable(forecasts, panel.idColumn !== null, levels))],
    ['backtest.csv', csvOf(backtestTable(result))],
    ['report.html', forecastReport(result, { backend, seconds, options })],
    ...modelFiles.map(([name, bytes]): [string, Uint8Array] => [`model/${name}`, bytes]),
  ]);
}

/**
 * Returns the decimal separator of the columns if they agree on one. The model stores it for reading newer rows: with few
 * rows, the separator may be ambiguous (1.600 could mean 1600).
 */
function commonDecimal(table: Table, names: readonly string[]): Pick<ReadOptions, 'decimal'> {
  const decimals = names.flatMap((name) => {
    const { kind, format } = column(table, name);
    return kind === 'number' && format && !format.isDefault ? [format.decimal] : [];
  });
  const [decimal, ...others] = new Set(decimals);
  return decimal === undefined || others.length > 0 ? {} : { decimal };
}
