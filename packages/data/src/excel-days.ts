/** Excel dates: serial numbers of days, where 1 is 1900-01-01. */
import { exactFrequency } from './frequency.js';
import { EXCEL_1970, EXCEL_TEMPLATE, type TimeColumn } from './time-column.js';

const TIME_WORD =
  /(?:^|[^\p{L}])(?:date|datetime|time|timestamp|day|month|year|week|quarter|when|period|datum|zeit|monat|jahr|woche|fecha|mes|jour|mois)(?:[^\p{L}]|$)|\u65E5\u671F|\u65F6\u95F4|\u6642\u9593|\u6708\u4EFD|\u65E5\u4ED8|\u5E74\u6708/u;

/** Returns whether a column name contains a word for a time in a common language, such as "order_date" or "saleMonth". */
export const isTimeName = (name: string): boolean =>
  TIME_WORD.test(name.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2').toLowerCase());

const excelToMilliseconds = (day: number): number => Math.round((day - EXCEL_1970) * 86_400) * 1000;

/**
 * Returns whether all values are Excel serial numbers of days from 1954 to 2119, and either the column name suggests a time, or
 * the days are monthly or business days.
 */
export function areExcelDays(values: Float64Array, name = ''): boolean {
  if (!values.every((value) => value >= 20_000 && value < 80_000)) return false;
  if (isTimeName(name)) return true;
  const days = Float64Array.from(new Set(values)).sort().map(excelToMilliseconds);
  if (days.length < 3) return false;
  try {
    const { unit } = exactFrequency(days, { template: 'YYYY-MM-DD' });
    return unit === 'month' || unit === 'business-day';
  } catch {
    return false; // exactFrequency throws if there is no regular step
  }
}

/** Reads the numbers of a column as Excel dates. */
export function readExcelDates(name: string, numbers: Float64Array): TimeColumn {
  const values = numbers.map(excelToMilliseconds);
  const day = new Date(values[0]).toISOString().slice(0, 10);
  const note = `The numbers in "${name}" are read as Excel dates (${numbers[0]} is ${day}).`;
  return { name, values, format: { template: EXCEL_TEMPLATE, zone: null }, notes: [note] };
}
