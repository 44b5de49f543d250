/** The options of `unroll forecast`, their help, and their conversion to the options of `forecast`. */
import {
  type CalendarName,
  type CellName,
  cellNamed,
  type Decoding,
  type FittedBaselineName,
  type ForecastOptions,
  type HeadName,
  type ScalerName,
} from '@unroll/tasks';
import {
  durationOption,
  integerOption,
  type OptionSpecs,
  type ParsedArgs,
  parseOptions,
  textOption,
  UsageError,
} from '../shared/args.js';
import {
  READING_HELP,
  READING_OPTIONS,
  type ReadOptions,
  readingOptions,
  TIME_HELP,
  TIME_OPTIONS,
  timeOptions,
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
  baselines: { type: 'string' },
  select: { type: 'string' },
  discontinued: { type: 'string' },
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
  budget: { type: 'string' },
  seed: { type: 'string' },
  ...READING_OPTIONS,
  ...TIME_OPTIONS,
  threads: { type: 'string' },
  out: { type: 'string' },
  plot: { type: 'string' },
  resume: { type: 'boolean' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

export const FORECAST_HELP = `Usage: unroll forecast <file> --target <column> --horizon <n> [options]

Reads a table (CSV, JSON lines or Parquet) and detects its time column, frequency and season length.
Backtests a recurrent network and baselines on the last rows, and forecasts the next <n> rows with
the best model. Baselines: the last value (naive), the value one season earlier (seasonal-naive),
the last value plus the mean change per row (drift), the theta method (theta), exponential smoothing
(ets), and Croston's method for intermittent series (croston-sba).

Data
  --target <column>     column to forecast
  --horizon <n>         number of rows to forecast
  --time <columns>      time column or columns, such as year,month,day,hour (default: detected)
  --series <column>     column that identifies the series of each row (default: the table is one
                        series)
  --past <columns>      past covariates: known only up to the last row
  --future <columns>    future covariates: also known for the rows to forecast
  --future-rows <file>  file with the future covariates of the rows to forecast, if the table does
                        not contain them
  --static <columns>    static covariates: constant within each series
  --discontinued <how>  drop or keep the series that ended at least one horizon and at least three
                        rows before the last row of the table; series that are kept are forecast
                        from their own last rows (default: drop; keep if at least half of the series
                        ended that early)
  --calendar <names>    calendar features: auto, none, or any of hour,weekday,month (default: none)
  --sql <query>         forecast the result of this query; in the query, the table "data" is the
                        file, which may be larger than memory (needs DuckDB: npm install
                        @duckdb/node-api)
  --frequency <name>    time between rows: monthly, weekly, business days, hourly, 15 minutes, ...
                        (default: detected)
  --season <n>          season length in rows; 1 means no season (default: detected)

Separate columns by commas. Quote a name that contains a comma: --past '"a, b",c'

${READING_HELP}${TIME_HELP}
Network
  --cells <names>       recurrent cells to compare: any of rnn,lstm,gru,minGRU, ... (default: lstm)
  --units <n>           hidden units per layer (default: 32)
  --layers <n>          number of recurrent layers (default: 1)
  --window <n>          number of input rows of the network (default: depends on the season and the
                        number of rows)
  --head <name>         output head: point, quantile, gaussian, studentt, or negbin for counts
                        (default: point)
  --scaler <name>       scaling of the input windows: "changes" (the last value or seasonal
                        difference of the window is subtracted), "log" (on logarithms),
                        "standard", "robust" or "minmax" (with statistics of the training rows),
                        or "instance" (with statistics of the window). By default, scaling and
                        logarithms are chosen from the data
  --decoding <name>     direct (all horizon steps at once) or recursive (step by step) (default:
                        direct)
  --epochs <n>          maximum number of epochs (default: 60)
  --budget <time>       time for the training, such as 90s, 5m or 1h; every network trains for at
                        least one epoch (default: no limit)
  --seed <n>            random seed (default: 0)

Backtest
  --baselines <names>   baselines with fitted parameters: any of theta,ets,croston-sba, or none
                        (default: theta,ets; also croston-sba if most series are intermittent)
  --select <name>       all: the best model forecasts all series; series: each series is forecast by
                        the model that is best on its held-out rows (default: all)
  --windows <n>         number of backtest forecasts; not to be confused with --window, the number
                        of input rows (default: up to 4, up to 20 for long series)
  --step <n>            rows between the starts of consecutive backtest forecasts (default: the
                        horizon)
  --refit               retrain the network before each backtest forecast
  --level <percents>    levels of the prediction intervals in percent (default: 80,95)

Run
  --out <folder>        write forecast.csv, backtest.csv, report.html and the model (in the
                        folder model) to this folder
  --plot <file.svg>     write charts of the forecast to this SVG file
  --resume              resume the interrupted run in the --out folder
  --threads <n>         number of threads (default: the number of cores)
  --dry-run             print the plan without training
  --json                print events to stdout, one JSON object per line, and text to stderr
  --quiet               print no text
`;

/** The parsed command line. A field is undefined if its option is not given. */
export interface ForecastArguments {
  file: string;
  options: ForecastOptions;
  reading: ReadOptions;
  sql: string | undefined;
  futureRows: string | undefined;
  out: string | undefined;
  plot: string | undefined;
  resume: boolean;
  threads: number | undefined;
  json: boolean;
  quiet: boolean;
  dryRun: boolean;
}

/** Parses the arguments. @throws UsageError if they are invalid */
export function readArguments(args: readonly string[]): ForecastArguments {
  const parsed = parseOptions(args, OPTIONS);
  const [file, ...extra] = parsed.positionals;
  if (file === undefined) {
    throw new UsageError('A file is required: unroll forecast <file> --target <column> --horizon <n>');
  }
  if (extra.length > 0) {
    const named = parsed.positionals.join(', ');
    throw new UsageError(`Exactly one file is required, got ${parsed.positionals.length}: ${named}.`);
  }
  const out = textOption(parsed, 'out');
  const resume = parsed.values.resume === true;
  if (resume && out === undefined) {
    throw new UsageError('--resume needs --out <folder>, the folder of the interrupted run.');
  }
  return {
    file,
    options: forecastOptions(parsed),
    reading: readingOptions(parsed),
    sql: textOption(parsed, 'sql'),
    futureRows: futureRowsOf(parsed),
    out,
    plot: plotOf(parsed),
    resume,
    threads: integerOption(parsed, 'threads'),
    json: parsed.values.json === true,
    quiet: parsed.values.quiet === true,
    dryRun: parsed.values['dry-run'] === true,
  };
}

function plotOf(args: ParsedArgs): string | undefined {
  const file = textOption(args, 'plot');
  if (file === undefined || file.toLowerCase().endsWith('.svg')) return file;
  throw new UsageError(`--plot writes SVG: the file name must end in .svg, got "${file}".`);
}

function futureRowsOf(args: ParsedArgs): string | undefined {
  const file = textOption(args, 'future-rows');
  if (file === undefined || textOption(args, 'future') !== undefined) return file;
  throw new UsageError('--future-rows needs --future <columns>, the names of its covariates.');
}

function forecastOptions(args: ParsedArgs): ForecastOptions {
  const target = textOption(args, 'target');
  const horizon = integerOption(args, 'horizon');
  if (target === undefined) throw new UsageError('--target <column> is required: the column to forecast.');
  if (horizon === undefined)
    throw new UsageError('--horizon <n> is required: the number of rows to forecast.');
  const options: ForecastOptions = {
    target,
    horizon,
    refit: args.values.refit === true,
    ...timeOptions(args),
  };
  for (const name of ['time', 'series', 'frequency'] as const) {
    const value = textOption(args, name);
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['past', 'future', 'static'] as const) {
    const value = listOption(args, name);
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['season', 'window', 'windows', 'step', 'units', 'layers', 'epochs'] as const) {
    const value = integerOption(args, name);
    if (value !== undefined) options[name] = value;
  }
  const budget = durationOption(args, 'budget');
  if (budget !== undefined) options.budget = budget;
  const seed = integerOption(args, 'seed', 0);
  if (seed !== undefined) options.seed = seed;
  // These values are validated where they are used.
  const cells = listOption(args, 'cells')?.map((name) => cellNamed(name) ?? (name as CellName));
  if (cells !== undefined) options.cells = cells;
  const baselines = textOption(args, 'baselines') === 'none' ? [] : listOption(args, 'baselines');
  if (baselines !== undefined) options.baselines = baselines as FittedBaselineName[];
  const select = textOption(args, 'select') as ForecastOptions['select'];
  if (select !== undefined) options.select = select;
  const discontinued = textOption(args, 'discontinued') as ForecastOptions['discontinued'];
  if (discontinued !== undefined) options.discontinued = discontinued;
  const head = textOption(args, 'head') as HeadName | undefined;
  if (head !== undefined) options.head = head;
  const scaler = textOption(args, 'scaler') as ScalerName | undefined;
  if (scaler !== undefined) options.scaler = scaler;
  const decoding = textOption(args, 'decoding') as Decoding | undefined;
  if (decoding !== undefined) options.decoding = decoding;
  const calendarText = textOption(args, 'calendar');
  const calendar =
    calendarText === 'auto' || calendarText === 'none'
      ? calendarText
      : (listOption(args, 'calendar') as CalendarName[]);
  if (calendarText !== undefined) options.calendar = calendar;
  const levels = listOption(args, 'level')?.map(percent);
  if (levels !== undefined) options.levels = levels;
  return options;
}

/** Parses names separated by commas. A name that contains a comma is in double quotes, as in CSV. */
function listOption(args: ParsedArgs, name: string): string[] | undefined {
  const value = textOption(args, name);
  if (value === undefined) return undefined;
  const parts = value.match(/(?:"(?:[^"]|"")*"|[^,"])+|(?<=^|,)(?=,|$)/g) ?? [];
  if (parts.join(',') !== value) throw new UsageError(`--${name} has an unclosed quotation mark: ${value}`);
  const names = parts.map((part) => {
    const quoted = /^"((?:[^"]|"")*)"$/.exec(part.trim());
    return quoted === null ? part.trim() : quoted[1].replaceAll('""', '"');
  });
  if (names.includes('')) throw new UsageError(`--${name} must not contain empty names, got "${value}".`);
  return names;
}

/** Parses a percentage as a number between 0 and 1. */
function percent(level: string): number {
  const value = Number(level);
  if (value > 0 && value < 100) return value / 100;
  throw new UsageError(`--level must be percentages between 0 and 100, such as 80,95, got "${level}".`);
}
