/** Options for files whose format cannot be detected reliably. */
import type { Decimal, NumberOptions, Thousands, TimeOptions } from '@unroll/data';
import { type OptionSpecs, type ParsedArgs, textOption } from './args.js';

export const READING_OPTIONS = {
  decimal: { type: 'string' },
  thousands: { type: 'string' },
  encoding: { type: 'string' },
  'no-header': { type: 'boolean' },
} as const satisfies OptionSpecs;

export const TIME_OPTIONS = {
  dates: { type: 'string' },
  timezone: { type: 'string' },
} as const satisfies OptionSpecs;

export const READING_HELP = `File format (default: detected, with a note if ambiguous)
  --decimal <mark>      decimal separator: . or ,
  --thousands <mark>    thousands separator: . or , or ' or space, or none
  --encoding <name>     character encoding: utf-8, windows-1252, gbk, big5, shift_jis, euc-kr, ...
  --no-header           the first line holds values; columns are named by their position: 1, 2, ...
`;
export const TIME_HELP = `  --dates <order>       order of day, month and year in dates such as 01/02/2024: dmy, mdy or ymd
  --timezone <name>     local time zone, such as Europe/Berlin, of daily rows whose times are in UTC
`;

/** Encoding, number format and header of a file; omitted values are detected. */
export interface ReadOptions extends NumberOptions {
  encoding?: string;
  /** False: the first line holds values. Default true. */
  header?: boolean;
}

/** Returns the given options. The parsers validate the values. */
export function readingOptions(args: ParsedArgs): ReadOptions {
  const decimal = textOption(args, 'decimal') as Decimal | undefined;
  const mark = textOption(args, 'thousands');
  const thousands = (mark === 'space' ? ' ' : mark) as Thousands | undefined;
  const encoding = textOption(args, 'encoding');
  return {
    ...(decimal && { decimal }),
    ...(thousands && { thousands }),
    ...(encoding && { encoding }),
    ...(args.values['no-header'] === true && { header: false }),
  };
}

/** Returns the given options for times. */
export function timeOptions(args: ParsedArgs): Pick<TimeOptions, 'dates' | 'timezone'> {
  const dates = textOption(args, 'dates') as TimeOptions['dates'];
  const timezone = textOption(args, 'timezone');
  return { ...(dates && { dates }), ...(timezone && { timezone }) };
}
