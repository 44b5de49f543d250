/** `unroll forecast`: one command from a table to a tested forecast. */
import { relative } from 'node:path';
import { currentBackend, ready } from '@unroll/core';
import { formatTime, parseCsv } from '@unroll/data';
import {
  type ForecastEvent,
  type ForecastOptions,
  type ForecastResult,
  forecast,
  type Score,
} from '@unroll/tasks';
import { type OptionSpecs, type ParsedArgs, parseOptions, text, UsageError, wholeNumber } from './args.js';
import { checkWritable, csvLine, readText, writeAtomically } from './files.js';
import { plot } from './plot.js';
import { Progress } from './progress.js';
import { alignColumns, Reporter } from './reporter.js';

const OPTIONS = {
  target: { type: 'string' },
  horizon: { type: 'string' },
  time: { type: 'string' },
  season: { type: 'string' },
  window: { type: 'string' },
  windows: { type: 'string' },
  step: { type: 'string' },
  refit: { type: 'boolean' },
  units: { type: 'string' },
  epochs: { type: 'string' },
  seed: { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

export const FORECAST_HELP = `Usage: unroll forecast <file.csv> --target <column> --horizon <n> [options]

Reads a table, finds its time column, frequency and season, tests a recurrent network and simple baselines on the last
rows, and forecasts the next <n> rows with whichever was best.

  --target <column>   what to forecast
  --horizon <n>       rows to forecast
  --time <column>     column of times (default: found)
  --season <n>        rows in a season, 1 for none (default: found)
  --window <n>        rows the network sees (default: one season or more)
  --windows <n>       backtest forecasts (default: up to 4)
  --step <n>          rows between two of them (default: the horizon)
  --refit             train again for each of them
  --units <n>         hidden units (default 32)
  --epochs <n>        most passes over the data (default 60)
  --seed <n>          same seed, same numbers (default 0)
  --out <folder>      write forecast.csv there
  --json              one JSON event a line on stdout, people's text on stderr
  --quiet             no text for people
`;

export async function forecastCommand(args: string[], signal: AbortSignal): Promise<void> {
  const parsed = parseOptions(args, OPTIONS);
  const { file, options, out } = readOptions(parsed);
  const reporter = new Reporter({
    json: parsed.values.json === true,
    quiet: parsed.values.quiet === true,
  });
  if (out !== undefined) checkWritable(out);
  const table = parseCsv(readText(file), { source: relative('.', file) || file });
  await ready();
  reporter.say(`backend  ${currentBackend().description}`);
  reporter.event('backend', { backend: currentBackend().description });
  const progress = new Progress(reporter);
  const onEvent = (event: ForecastEvent) => tell(event, reporter, progress);
  const result = await forecast(table, { ...options, signal, onEvent }).finally(() => reporter.clearBar());
  const path = out === undefined ? null : writeAtomically(out, 'forecast.csv', forecastCsv(result));
  showForecast(result, reporter);
  if (path !== null) reporter.say(`\nwritten  ${path}`);
  const { winner, leaderboard, frequency, plan } = result;
  reporter.event('result', { winner, season: plan.season, frequency, leaderboard, out: out ?? null });
}

function readOptions(args: ParsedArgs): { file: string; options: ForecastOptions; out: string | undefined } {
  const [file, ...extra] = args.positionals;
  if (file === undefined)
    throw new UsageError('Which file? unroll forecast <file.csv> --target <column> --horizon <n>');
  if (extra.length > 0)
    throw new UsageError(
      `One file at a time, and ${args.positionals.length} are named: ${args.positionals.join(', ')}.`,
    );
  const target = text(args, 'target');
  const horizon = wholeNumber(args, 'horizon');
  if (target === undefined) throw new UsageError('--target <column> is missing: the column to forecast.');
  if (horizon === undefined) throw new UsageError('--horizon <n> is missing: how many rows to forecast.');
  const options: ForecastOptions = { target, horizon, refit: args.values.refit === true };
  const time = text(args, 'time');
  if (time !== undefined) options.time = time;
  for (const name of ['season', 'window', 'windows', 'step', 'units', 'epochs'] as const) {
    const value = wholeNumber(args, name);
    if (value !== undefined) options[name] = value;
  }
  const seed = wholeNumber(args, 'seed', 0);
  if (seed !== undefined) options.seed = seed;
  return { file, options, out: text(args, 'out') };
}

function tell(event: ForecastEvent, reporter: Reporter, progress: Progress): void {
  if (event.type === 'plan') showPlan(event, reporter);
  else if (event.type === 'leaderboard') {
    progress.finish();
    showLeaderboard(event.leaderboard, reporter);
  } else if (event.type === 'result') progress.finish();
  else if (event.type === 'warning') reporter.say(`warning: ${event.message}`);
  else {
    progress.update(event);
    if (event.type === 'epoch') {
      const { stage, epoch, epochs, loss, validationLoss } = event;
      reporter.event('epoch', {
        stage: stage.name,
        training: stage.index,
        trainings: stage.count,
        epoch,
        epochs,
        loss,
        validationLoss,
      });
    }
  }
}

function showPlan(
  { series, plan, frequency }: Extract<ForecastEvent, { type: 'plan' }>,
  reporter: Reporter,
): void {
  const at = (row: number) => formatTime(series.time.values[row]!, series.time.format);
  const rows = series.values.length;
  const season = plan.season === 1 ? 'no season' : `season of ${plan.season} rows`;
  const first = plan.origins[0]!;
  const last = plan.origins.at(-1)! + plan.horizon - 1;
  reporter.say(
    `data     ${rows} rows of "${series.target}" by "${series.time.name}", ${at(0)} to ${at(rows - 1)}`,
  );
  reporter.say(`         ${frequency}, ${season}${plan.log ? ', taken as logarithms' : ''}`);
  for (const note of series.notes) reporter.say(`         ${note}`);
  reporter.say(
    `test     ${plan.origins.length} forecasts of ${plan.horizon} rows from ${at(first)} to ${at(last)}, by models trained`,
  );
  reporter.say(`         on the ${plan.trainingRows} rows before, ${at(0)} to ${at(plan.trainingRows - 1)}`);
  reporter.event('plan', {
    target: series.target,
    time: series.time.name,
    rows,
    from: at(0),
    to: at(rows - 1),
    frequency,
    season: plan.season,
    log: plan.log,
    window: plan.window,
    horizon: plan.horizon,
    trainingRows: plan.trainingRows,
    origins: plan.origins.map((origin) => at(origin)),
    notes: series.notes,
  });
}

function showLeaderboard(leaderboard: readonly Score[], reporter: Reporter): void {
  const rows = leaderboard.map((score) => [
    score.model,
    score.mase.toFixed(3),
    `${score.smape.toFixed(2)} %`,
    unitNumber(score.rmse),
    unitNumber(score.mae),
  ]);
  const lines = alignColumns([['model', 'MASE', 'sMAPE', 'RMSE', 'MAE'], ...rows]);
  reporter.say();
  for (const [i, line] of lines.entries()) reporter.say(i === 1 ? reporter.strong(line) : line);
  reporter.say();
}

/** An error in the unit of the target: two decimals, or four digits where it is large or tiny. */
function unitNumber(value: number): string {
  return value >= 0.1 && value < 1e5 ? value.toFixed(2) : value.toPrecision(4);
}

function forecastCsv({ forecast }: ForecastResult): string {
  const rows = forecast.time.map((time, k) =>
    csvLine([time, String(Number(forecast.mean[k]!.toPrecision(10)))]),
  );
  return `time,mean\n${rows.join('')}`;
}

function showForecast({ series, plan, winner, forecast }: ForecastResult, reporter: Reporter): void {
  const shown = Math.min(series.values.length, Math.max(4 * plan.season, 5 * plan.horizon, 24));
  const history = series.values.slice(-shown);
  const from = formatTime(series.time.values.at(-shown)!, series.time.format);
  const to = formatTime(series.time.values.at(-1)!, series.time.format);
  const labels = [from, to, forecast.time.at(-1)!] as const;
  reporter.say(`${series.target}: the last ${shown} rows, and ● the next ${plan.horizon} by ${winner}`);
  const paint = (mark: string) => reporter.accent(mark);
  for (const line of plot({ history, forecast: forecast.mean, labels }, { width: reporter.width, paint }))
    reporter.say(line);
}
