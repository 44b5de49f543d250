/** `unroll forecast`: one command from a table to a tested forecast. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { currentBackend, ready, setThreads, UnrollError } from '@unroll/core';
import {
  addFutureRows,
  type ForecastEvent,
  type ForecastOptions,
  type ForecastResult,
  ForecastModel,
  type FutureTemplate,
  forecast,
  prepareForecast,
} from '@unroll/tasks';
import { UsageError } from '../shared/args.js';
import { checkWritable, writeAtomically } from '../shared/files.js';
import { backtestCsv, csvOf, forecastTable, templateCsv } from './files.js';
import { readArguments } from './options.js';
import { forecastReport } from './report.js';
import { keptRun } from '../shared/resume.js';
import { showForecast, showPlan, tell } from './text.js';
import { Progress } from '../shared/progress.js';
import { Reporter } from '../shared/reporter.js';
import { type FileTable, readRows } from '../shared/table-file.js';
import { version } from '../version.js';

const TEMPLATE = 'future-template.csv';
const MODEL = ['config.json', 'model.safetensors', 'pipeline.json', 'training.json'].map(
  (name) => `model/${name}`,
);
const RESUMED = 'resume   going on with the run that was interrupted';
const ANEW = 'resume   no run was interrupted';
const STOPPED = 'Stopped. The same command with --resume goes on from here.';
const FILES = ['forecast.csv', 'backtest.csv', 'report.html', ...MODEL];

export async function forecastCommand(args: string[], signal: AbortSignal): Promise<void> {
  const { file, options, sql, futureRows, out, resume, threads, json, quiet, dryRun } = readArguments(args);
  const reporter = new Reporter({ json, quiet });
  if (out !== undefined) checkWritable(out, FILES);
  const read = await readRows(file, sql === undefined ? undefined : { sql, threads });
  const future = futureRows === undefined ? undefined : await readRows(futureRows);
  if (future !== undefined) read.table = addFutureRows(read.table, future.table, options);
  for (const note of read.notes) reporter.say(note);
  if (dryRun) {
    showPlan(
      { type: 'plan', ...(await withTemplate(out, futureRows, () => prepareForecast(read.table, options))) },
      reporter,
    );
    return;
  }
  await ready();
  if (threads !== undefined) setThreads(threads);
  const data = [read, ...(future ? [future] : [])].map(({ fingerprint }) => fingerprint).join(' ');
  const identity = { ...options, sql, data, version: version() };
  const store = out === undefined ? undefined : keptRun(out, resume, identity);
  if (resume) reporter.say(store?.resumed ? RESUMED : `${ANEW} in ${out}, the run starts anew`);
  const began = performance.now();
  const result = await withTemplate(out, futureRows, () =>
    run(read, { ...options, signal, ...(store && { store }) }, reporter),
  ).catch((error) => {
    throw signal.aborted && out !== undefined ? new UsageError(STOPPED) : error;
  });
  const seconds = (performance.now() - began) / 1000;
  if (out !== undefined)
    writeAtomically(out, filesOf(result, { file, read, options, sql, seconds }), staleFiles(out, futureRows));
  store?.done();
  showForecast(result, reporter);
  if (out !== undefined) reporter.say(`\nwritten  ${out}: forecast.csv, backtest.csv, report.html, model`);
  const { winner, leaderboard, frequency, plan } = result;
  reporter.event('result', { winner, season: plan.season, frequency, leaderboard, out: out ?? null });
}

/** What an earlier run may have left; not what the user has just filled in. */
function staleFiles(out: string, futureRows: string | undefined): string[] {
  return isSameFile(join(out, TEMPLATE), futureRows) ? MODEL : [...MODEL, TEMPLATE];
}

async function run(
  { table }: FileTable,
  options: ForecastOptions,
  reporter: Reporter,
): Promise<ForecastResult> {
  const progress = new Progress(reporter);
  const onEvent = (event: ForecastEvent) => {
    if (event.type === 'plan') showBackend(reporter);
    tell(event, reporter, progress);
  };
  return forecast(table, { ...options, onEvent }).finally(() => reporter.clearBar());
}

function showBackend(reporter: Reporter): void {
  const { description } = currentBackend();
  reporter.say(`backend  ${description}`);
  reporter.event('backend', { backend: description });
}

interface RunFacts {
  file: string;
  read: FileTable;
  options: ForecastOptions;
  sql: string | undefined;
  seconds: number;
}

function filesOf(
  result: ForecastResult,
  { file, read, options, sql, seconds }: RunFacts,
): Map<string, string | Uint8Array> {
  const { panel, forecasts, levels, leaderboard } = result;
  const model = new ForecastModel({ ...result.model.pipeline, sql }, result.model.network);
  const backend = currentBackend().description;
  const data = { file: basename(file), rows: read.table.rowCount, sha256: read.fingerprint };
  const training = { command: 'forecast', options, sql, data, leaderboard, backend, seconds };
  return new Map<string, string | Uint8Array>([
    ['forecast.csv', csvOf(forecastTable(forecasts, panel.idColumn !== null, levels))],
    ['backtest.csv', backtestCsv(result)],
    ['report.html', forecastReport(result, { backend, seconds, options })],
    ...Array.from(model.toFiles(training), ([name, bytes]): [string, Uint8Array] => [`model/${name}`, bytes]),
  ]);
}

/**
 * Where future covariates are missing, the rows to fill in are written beside the error. A file of them that is there
 * already, and was not read, may have been filled in: it is left alone.
 */
export async function withTemplate<T>(
  out: string | undefined,
  futureRows: string | undefined,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnrollError) || error.data.template === undefined) throw error;
    if (out === undefined) {
      throw new UsageError(`${error.message}\nWith --out <folder>, a file with these rows is written.`);
    }
    const path = join(out, TEMPLATE);
    if (existsSync(path) && !isSameFile(path, futureRows)) {
      throw new UsageError(
        `${error.message}\n${path} is there from before and is left as it is: once filled in, it is read by ` +
          `--future-rows ${path}.`,
      );
    }
    writeAtomically(out, new Map([[TEMPLATE, templateCsv(error.data.template as FutureTemplate)]]));
    throw new UsageError(
      `${error.message}\n${path} holds these rows: fill them in and add --future-rows ${path}.`,
    );
  }
}

const isSameFile = (path: string, other: string | undefined): boolean =>
  other !== undefined && resolve(path) === resolve(other);
