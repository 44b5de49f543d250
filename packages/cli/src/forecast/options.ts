/** The options of `unroll forecast`. */
import type { CalendarName, CellName, Decoding, ForecastOptions, HeadName, ScalerName } from '@unroll/tasks';
import {
  type OptionSpecs,
  type ParsedArgs,
  parseOptions,
  text,
  UsageError,
  wholeNumber,
} from '../shared/args.js';
import {
  READING_HELP,
  TIME_HELP,
  TIME_OPTIONS,
  READING_OPTIONS,
  type Reading,
  readingOptions,
  timeReading,
} from '../shared/reading-options.js';

const OPTIONS = {
  target: { type: 'string' },
  horizon: { type: 'string' },
  time: { type: 'string' },
  series: { type: 'string' },
  sql: { type: 'string' },
  past: { type: 'string' },
  future: { type: 'string' },
  static: { type: 'string' },
  'future-rows': { type: 'string' },
  calendar: { type: 'string' },
  frequency: { type: 'string' },
  season: { type: 'string' },
  cells: { type: 'string' },
  units: { type: 'string' },
  layers: { type: 'string' },
  window: { type: 'string' },
  head: { type: 'string' },
  scaler: { type: 'string' },
  decoding: { type: 'string' },
  level: { type: 'string' },
  windows: { type: 'string' },
  step: { type: 'string' },
  refit: { type: 'boolean' },
  epochs: { type: 'string' },
  seed: { type: 'string' },
  ...READING_OPTIONS,
  ...TIME_OPTIONS,
  threads: { type: 'string' },
  out: { type: 'string' },
  resume: { type: 'boolean' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

export const FORECAST_HELP = `Usage: unroll forecast <file> --target <column> --horizon <n> [options]

Reads a table (CSV, JSON lines or Parquet), finds its time column, frequency and season, tests a recurrent network and
simple baselines on the last rows, and forecasts the next <n> rows with whichever was best.

What to forecast
  --target <column>     column to forecast
  --horizon <n>         rows to forecast
  --time <column>       column of times, or several that make them up: year,month,day,hour (default: found)
  --series <column>     column that names the series of each row (default: the table is one series)
  --past <a,b>          columns that are known up to now; a name with a comma stands in quotes: '"a, b",c'
  --future <c,d>        columns that are known also for the rows to forecast
  --future-rows <file>  rows to forecast, with these columns filled in, if they are not in the table
  --static <e>          columns that never change within a series
  --calendar <names>    what the network sees of the calendar: auto, none, or some of hour,weekday,month
                        (default: none)
  --sql <query>         forecast what this query gives, in which the file is the table "data"; it may be larger than
                        the memory (needs DuckDB: npm install @duckdb/node-api)
  --frequency <f>       monthly, weekly, business days, hourly, 15 minutes, ... (default: found)
  --season <n>          rows in a season, 1 for none (default: found)

${READING_HELP}${TIME_HELP}
The network
  --cells <rnn,lstm,gru>  cells to try (default: lstm)
  --units <n>           hidden units of a layer (default 32)
  --layers <n>          recurrent layers (default 1)
  --window <n>          rows the network sees (default: one season or more)
  --head <name>         point, quantile, gaussian, studentt, or negbin for counts (default: point)
  --scaler <name>       changes, log, standard, robust, minmax or instance (default: changes or
                        log, by the data)
  --decoding <how>      direct: all rows ahead at once; recursive: row by row (default: direct)
  --epochs <n>          most passes over the data (default 60)
  --seed <n>            same seed, same numbers (default 0)

The test
  --windows <n>         backtest forecasts (default: 4, more for long series)
  --step <n>            rows between two of them (default: the horizon)
  --refit               train again for each of them
  --level <80,95>       intervals, in percent (default: 80,95)

Running
  --out <folder>        write forecast.csv, backtest.csv, report.html and model there
  --resume              go on with the run to that folder that was interrupted
  --threads <n>         threads (default: the machine's cores)
  --dry-run             say what was found, and train nothing
  --json                one JSON event a line on stdout, people's text on stderr
  --quiet               no text for people
`;

export interface ForecastArguments {
  file: string;
  options: ForecastOptions;
  reading: Reading;
  sql: string | undefined;
  futureRows: string | undefined;
  out: string | undefined;
  resume: boolean;
  threads: number | undefined;
  json: boolean;
  quiet: boolean;
  dryRun: boolean;
}

/** @throws UsageError for everything that can be wrong with the arguments themselves */
export function readArguments(args: readonly string[]): ForecastArguments {
  const parsed = parseOptions(args, OPTIONS);
  const [file, ...extra] = parsed.positionals;
  if (file === undefined) {
    throw new UsageError('Which file? unroll forecast <file> --target <column> --horizon <n>');
  }
  if (extra.length > 0) {
    const named = parsed.positionals.join(', ');
    throw new UsageError(`One file at a time, and ${parsed.positionals.length} are named: ${named}.`);
  }
  const out = text(parsed, 'out');
  const resume = parsed.values.resume === true;
  if (resume && out === undefined) {
    throw new UsageError('--resume needs --out <folder>: the folder of the run that was interrupted.');
  }
  return {
    file,
    options: forecastOptions(parsed),
    reading: readingOptions(parsed),
    sql: text(parsed, 'sql'),
    futureRows: futureRowsOf(parsed),
    out,
    resume,
    threads: wholeNumber(parsed, 'threads'),
    json: parsed.values.json === true,
    quiet: parsed.values.quiet === true,
    dryRun: parsed.values['dry-run'] === true,
  };
}

function futureRowsOf(args: ParsedArgs): string | undefined {
  const file = text(args, 'future-rows');
  if (file === undefined || text(args, 'future') !== undefined) return file;
  throw new UsageError('--future-rows goes with --future <columns>, the columns that it fills in.');
}

function forecastOptions(args: ParsedArgs): ForecastOptions {
  const target = text(args, 'target');
  const horizon = wholeNumber(args, 'horizon');
  if (target === undefined) throw new UsageError('--target <column> is missing: the column to forecast.');
  if (horizon === undefined) throw new UsageError('--horizon <n> is missing: how many rows to forecast.');
  const options: ForecastOptions = {
    target,
    horizon,
    refit: args.values.refit === true,
    ...timeReading(args),
  };
  for (const name of ['time', 'series', 'frequency'] as const) {
    const value = text(args, name);
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['past', 'future', 'static'] as const) {
    const value = list(args, name);
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['season', 'window', 'windows', 'step', 'units', 'layers', 'epochs'] as const) {
    const value = wholeNumber(args, name);
    if (value !== undefined) options[name] = value;
  }
  const seed = wholeNumber(args, 'seed', 0);
  if (seed !== undefined) options.seed = seed;
  // What stands in them is checked where they are used, which names the right ones.
  const cells = list(args, 'cells') as CellName[] | undefined;
  if (cells !== undefined) options.cells = cells;
  const head = text(args, 'head') as HeadName | undefined;
  if (head !== undefined) options.head = head;
  const scaler = text(args, 'scaler') as ScalerName | undefined;
  if (scaler !== undefined) options.scaler = scaler;
  const decoding = text(args, 'decoding') as Decoding | undefined;
  if (decoding !== undefined) options.decoding = decoding;
  const word = text(args, 'calendar');
  const calendar = word === 'auto' || word === 'none' ? word : (list(args, 'calendar') as CalendarName[]);
  if (word !== undefined) options.calendar = calendar;
  const levels = list(args, 'level')?.map(percent);
  if (levels !== undefined) options.levels = levels;
  return options;
}

/** Names between commas; in double quotes where they contain commas, as in CSV. */
function list(args: ParsedArgs, name: string): string[] | undefined {
  const given = text(args, name);
  if (given === undefined) return undefined;
  const parts = given.match(/(?:"(?:[^"]|"")*"|[^,"])+|(?<=^|,)(?=,|$)/g) ?? [];
  if (parts.join(',') !== given)
    throw new UsageError(`--${name} has a quotation mark that is not closed: ${given}`);
  const names = parts.map((part) => {
    const quoted = /^"((?:[^"]|"")*)"$/.exec(part.trim());
    return quoted === null ? part.trim() : quoted[1].replaceAll('""', '"');
  });
  if (names.includes('')) throw new UsageError(`--${name} has an empty place: "${given}".`);
  return names;
}

function percent(level: string): number {
  const value = Number(level);
  if (value > 0 && value < 100) return value / 100;
  throw new UsageError(`--level holds percentages between 0 and 100 such as 80,95, and "${level}" is none.`);
}
