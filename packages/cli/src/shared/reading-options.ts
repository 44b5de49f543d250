/** Options that say how a file is read where that is not certain. */
import type { Decimal, NumberOptions, Thousands, TimeOptions } from '@unroll/data';
import { type OptionSpecs, type ParsedArgs, text } from './args.js';

export const READING_OPTIONS = {
  decimal: { type: 'string' },
  thousands: { type: 'string' },
  encoding: { type: 'string' },
} as const satisfies OptionSpecs;

export const TIME_OPTIONS = {
  dates: { type: 'string' },
  timezone: { type: 'string' },
} as const satisfies OptionSpecs;

export const READING_HELP = `How the file is read (default for each: found from the file, with a note where it is not certain)
  --decimal <mark>      decimal separator: . or ,
  --thousands <mark>    thousands separator: . or , or ' or space, or none
  --encoding <name>     utf-8, windows-1252, gbk, big5, shift_jis, euc-kr, ...
`;
export const TIME_HELP = `  --dates <order>       dmy, mdy or ymd: order of day, month and year in dates such as 01/02/2024
  --timezone <name>     time zone whose days the rows are, such as Europe/Berlin, where times are in UTC
`;

/** How the text and the numbers of a file are read. */
export interface Reading extends NumberOptions {
  encoding?: string;
}

/** What these options hold is checked where it is used. */
export function readingOptions(args: ParsedArgs): Reading {
  const decimal = text(args, 'decimal') as Decimal | undefined;
  const mark = text(args, 'thousands');
  const thousands = (mark === 'space' ? ' ' : mark) as Thousands | undefined;
  const encoding = text(args, 'encoding');
  return { ...(decimal && { decimal }), ...(thousands && { thousands }), ...(encoding && { encoding }) };
}

/** How the times of a file are read. */
export function timeReading(args: ParsedArgs): Pick<TimeOptions, 'dates' | 'timezone'> {
  const dates = text(args, 'dates') as TimeOptions['dates'];
  const timezone = text(args, 'timezone');
  return { ...(dates && { dates }), ...(timezone && { timezone }) };
}
