/** The options of `unroll inspect` that measure a model. data.ts implements them, and is loaded only if one is given. */
import { type OptionSpecs, type ParsedArgs, UsageError } from '../shared/args.js';
import { READING_HELP, READING_OPTIONS } from '../shared/reading-options.js';

export const DATA_OPTIONS = {
  data: { type: 'string' },
  text: { type: 'string' },
  sql: { type: 'string' },
  row: { type: 'string' },
  report: { type: 'string' },
  ...READING_OPTIONS,
} as const satisfies OptionSpecs;

export const DATA_HELP = `
Look inside the model:

  --report <file.html>  write a page with statistics of the weights and, with --data or --text, the
                        unrolled network, gates, memory length, gradients by lag and saturation
  --data <file>         file with the same columns as the training data
  --text <text>         text to read instead of a file, for models that read text
  --sql <query>         query over the --data file (default: the query of the training run)
  --row <n>             row, line or sentence of the file, from 1 (default: 1); for a forecasting
                        model, the last row before the forecast (default: the last row of the file)

${READING_HELP}`;

/** @throws UsageError for an option that needs --data, such as --sql, without --data */
export function checkDataOptions({ values }: ParsedArgs): void {
  if (values.data !== undefined) return;
  const name = ['sql', ...Object.keys(READING_OPTIONS)].find((option) => values[option] !== undefined);
  if (name !== undefined) throw new UsageError(`--${name} needs --data <file>.`);
}

/** True if one of the given options requests measurements of the model. */
export const requestsMeasurement = (args: ParsedArgs): boolean =>
  ['data', 'text', 'row', 'report'].some((name) => args.values[name] !== undefined);
