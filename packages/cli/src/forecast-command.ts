/** `unroll forecast`: one command from a table to a tested forecast. */
import { currentBackend, ready, setThreads, UnrollError } from '@unroll/core';
import {
  type ForecastEvent,
  type ForecastOptions,
  type FutureTemplate,
  forecast,
  prepareForecast,
} from '@unroll/tasks';
import { UsageError } from './args.js';
import { checkWritable, writeAtomically } from './files.js';
import { backtestCsv, forecastCsv, templateCsv } from './forecast-files.js';
import { readArguments } from './forecast-options.js';
import { showForecast, showPlan, tell } from './forecast-text.js';
import { Progress } from './progress.js';
import { Reporter } from './reporter.js';
import { forecastReport } from './forecast-report.js';
import { readTable } from './table-file.js';

const FILES = ['forecast.csv', 'backtest.csv', 'report.html'];
const TEMPLATE = 'future-template.csv';

export async function forecastCommand(args: string[], signal: AbortSignal): Promise<void> {
  const { file, options, out, threads, json, quiet, dryRun } = readArguments(args);
  const reporter = new Reporter({ json, quiet });
  if (out !== undefined) checkWritable(out, FILES);
  const { table, notes } = await readTable(file);
  for (const note of notes) reporter.say(note);
  if (dryRun) {
    const prepared = withTemplate(out, () => prepareForecast(table, options));
    showPlan({ type: 'plan', ...prepared }, reporter);
    return;
  }
  await ready();
  if (threads !== undefined) setThreads(threads);
  const began = performance.now();
  const result = await withTemplate(out, () => run(table, { ...options, signal }, reporter));
  const files = new Map([
    ['forecast.csv', forecastCsv(result)],
    ['backtest.csv', backtestCsv(result)],
    [
      'report.html',
      forecastReport(result, {
        backend: currentBackend().description,
        seconds: (performance.now() - began) / 1000,
        options,
      }),
    ],
  ]);
  if (out !== undefined) writeAtomically(out, files);
  showForecast(result, reporter);
  if (out !== undefined) reporter.say(`\nwritten  ${out}: ${[...files.keys()].join(', ')}`);
  const { winner, leaderboard, frequency, plan } = result;
  reporter.event('result', { winner, season: plan.season, frequency, leaderboard, out: out ?? null });
}

async function run(table: Parameters<typeof forecast>[0], options: ForecastOptions, reporter: Reporter) {
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

/** Where future covariates are missing, the rows to fill in are written beside the error. */
function withTemplate<T>(out: string | undefined, work: () => T): T {
  const explain = (error: unknown): never => {
    if (!(error instanceof UnrollError) || error.data.template === undefined) throw error;
    if (out === undefined)
      throw new UsageError(`${error.message}\nWith --out <folder>, a file with these rows is written.`);
    writeAtomically(out, new Map([[TEMPLATE, templateCsv(error.data.template as FutureTemplate)]]));
    throw new UsageError(`${error.message}\n${out}/${TEMPLATE} holds these rows, to be filled in.`);
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(explain) as T) : result;
  } catch (error) {
    return explain(error);
  }
}
