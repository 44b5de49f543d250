/** `unroll forecast`: one command from a table to a tested forecast. */
import { basename, join } from 'node:path';
import { currentBackend, ready, setThreads } from '@unroll/core';
import {
  addFutureRows,
  backtestTable,
  type ForecastOptions,
  ForecastModel,
  type ForecastResult,
  forecast,
  forecastReport,
  forecastTable,
  planEvent,
  prepareForecast,
  type ResultEvent,
} from '@unroll/tasks';
import { UsageError } from '../shared/args.js';
import { checkWritable, writeAtomically } from '../shared/files.js';
import { Reporter } from '../shared/reporter.js';
import { keptRun, type RunIdentity } from '../shared/resume.js';
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
const RESUMED = 'resume   going on with the run that was interrupted';
const ANEW = 'resume   no run was interrupted';
const STOPPED = 'Stopped. The same command with --resume goes on from here.';
const FILES = ['forecast.csv', 'backtest.csv', 'report.html', ...MODEL];

export const forecastVerb: Verb = {
  about: 'from a table to a tested forecast',
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
  for (const text of read.notes) reporter.tell({ event: 'note', text });
  const orTemplate = <T>(work: () => T | Promise<T>) => withTemplate(out, { [FUTURE]: futureRows }, work);
  if (wanted.dryRun) {
    reporter.tell(planEvent(await orTemplate(() => prepareForecast(read.table, options))));
    return;
  }
  await ready();
  if (threads !== undefined) setThreads(threads);
  const data = [read, ...(future ? [future] : [])].map(({ fingerprint }) => fingerprint).join(' ');
  const store = out === undefined ? undefined : keptRun(out, resume, identityOf(wanted, data));
  if (resume) reporter.say(store?.resumed ? RESUMED : `${ANEW} in ${out}, the run starts anew`);
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
  if (out !== undefined) reporter.say(`\nwritten  ${out}: forecast.csv, backtest.csv, report.html, model`);
  reporter.tell({ ...event, out: out ?? null });
}

/** What decides how the run ends. */
function identityOf({ options, reading, sql }: ForecastArguments, data: string): RunIdentity {
  const { levels, ...rest } = options;
  const level = levels?.map((each) => 100 * each);
  return { task: 'forecast', options: { ...rest, ...reading, level, sql }, data, version: version() };
}

/** What an earlier run may have left; not what the user has just filled in. */
function staleFiles(out: string, futureRows: string | undefined): string[] {
  const template = templateFile(FUTURE);
  return isSameFile(join(out, template), futureRows) ? MODEL : [...MODEL, template];
}

/** The run, reported; its last event is left to be reported when the files are written. */
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
        else reporter.tell(event);
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
  const model = new ForecastModel({ ...result.model.pipeline, sql, reading }, result.model.network);
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
