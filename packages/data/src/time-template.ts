/**
 * Ways of writing a time, as templates such as `DD.MM.YYYY HH:mm`. One template both reads and writes, so that forecast
 * times come out the way the file writes its own. Values are milliseconds of UTC.
 *
 * Tokens: YYYY year, MM month, MMM and MMMM month by name, DD day, Q quarter, WW ISO week, HH hour, hh hour with A (AM/PM),
 * mm minute, ss second (with a fraction, if one is there), Z zone. What stands in brackets, and any other character, stands
 * for itself.
 */

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY = 86_400_000;

const TOKENS: Readonly<Record<string, string>> = {
  YYYY: '(\\d{4})',
  MMMM: '([A-Za-z]{3,9})',
  MMM: '([A-Za-z]{3})\\.?',
  MM: '(\\d{1,2})',
  DD: '(\\d{1,2})',
  Q: '([1-4])',
  WW: '(\\d{2})',
  HH: '(\\d{1,2})',
  hh: '(\\d{1,2})',
  mm: '(\\d{2})',
  ss: '(\\d{2}(?:[.,]\\d{1,9})?)',
  A: '([AaPp]\\.?[Mm]\\.?)',
  Z: '(Z|UTC|GMT|[+-]\\d{2}(?::?\\d{2})?)',
};
const SPLIT = /(\[[^\]]*\]|YYYY|MMMM|MMM|MM|DD|Q|WW|HH|hh|mm|ss|\bA\b|Z)/;

/** What was found in one cell. */
export interface Moment {
  value: number;
  /** As written; null where the template has none. */
  zone: string | null;
}

interface Part {
  token: string | null;
  text: string;
}

const partsOf = (template: string): Part[] =>
  template
    .split(SPLIT)
    .filter((text) => text !== '')
    .map((text) => ({
      token: Object.hasOwn(TOKENS, text) ? text : null,
      text: text.replace(/^\[(.*)\]$/, '$1'),
    }));

const compiled = new Map<string, { pattern: RegExp; tokens: string[] }>();

function compile(template: string): { pattern: RegExp; tokens: string[] } {
  let found = compiled.get(template);
  if (found === undefined) {
    const parts = partsOf(template);
    const source = parts
      .map(({ token, text }) =>
        token === null ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : TOKENS[token],
      )
      .join('');
    found = {
      pattern: new RegExp(`^${source}$`),
      tokens: parts.flatMap(({ token }) => (token === null ? [] : [token])),
    };
    compiled.set(template, found);
  }
  return found;
}

/** Reads a text by a template; undefined when it does not fit or names no real time. */
export function readByTemplate(text: string, template: string): Moment | undefined {
  const { pattern, tokens } = compile(template);
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const has = (token: string): boolean => tokens.includes(token);
  const field = (token: string): string => match[tokens.indexOf(token) + 1];
  const number = (token: string, otherwise: number): number =>
    has(token) ? Number(field(token)) : otherwise;
  const name = ['MMM', 'MMMM'].find(has);
  const byName = name === undefined ? undefined : monthNumber(field(name));
  const byQuarter = has('Q') ? Number(field('Q')) * 3 - 2 : undefined;
  const month = byName ?? byQuarter ?? number('MM', 1);
  const date = has('WW')
    ? weekStart(Number(field('YYYY')), Number(field('WW')))
    : dateValue(Number(field('YYYY')), month, number('DD', 1));
  const hour = has('hh') ? twelveHours(Number(field('hh')), field('A')) : number('HH', 0);
  const clock = clockValue(hour, number('mm', 0), has('ss') ? Number(field('ss').replace(',', '.')) : 0);
  if (date === undefined || clock === undefined) return undefined;
  const zone = has('Z') ? field('Z') : null;
  return { value: date + clock - zoneMinutes(zone) * 60_000, zone };
}

function monthNumber(name: string): number {
  const wanted = name.toLowerCase();
  return MONTHS.findIndex((month) => wanted.length >= 3 && month.toLowerCase().startsWith(wanted)) + 1;
}

function dateValue(year: number, month: number, day: number): number | undefined {
  if (month < 1 || month > 12 || day < 1 || day > new Date(Date.UTC(year, month, 0)).getUTCDate())
    return undefined;
  return Date.UTC(year, month - 1, day);
}

/** The Monday of an ISO week. */
function weekStart(year: number, week: number): number | undefined {
  return week >= 1 && week <= 53 ? firstMonday(year) + (week - 1) * 7 * DAY : undefined;
}

/** The Monday of the first ISO week. */
function firstMonday(year: number): number {
  const january4 = Date.UTC(year, 0, 4);
  return january4 - ((new Date(january4).getUTCDay() + 6) % 7) * DAY;
}

function twelveHours(hour: number, half: string): number {
  if (hour < 1 || hour > 12) return Number.NaN;
  return (hour % 12) + (half.toLowerCase().startsWith('p') ? 12 : 0);
}

function clockValue(hour: number, minute: number, second: number): number | undefined {
  // 24:00 is the end of the day.
  const fits = hour <= 23 || (hour === 24 && minute === 0 && second === 0);
  if (!(fits && minute <= 59 && second < 60)) return undefined;
  return Math.round(((hour * 60 + minute) * 60 + second) * 1000);
}

/** Minutes that a zone is ahead of UTC. */
export function zoneMinutes(zone: string | null): number {
  if (zone === null || /^[A-Z]/.test(zone)) return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', ''));
  return zone.startsWith('-') ? -minutes : minutes;
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0');

/** Writes a time by a template, in the given zone. */
export function writeByTemplate(value: number, template: string, zone: string | null): string {
  const date = new Date(value + zoneMinutes(zone) * 60_000);
  const [hour, month] = [date.getUTCHours(), date.getUTCMonth()];
  const fraction = date.getUTCMilliseconds() === 0 ? '' : `.${pad(date.getUTCMilliseconds(), 3)}`;
  const week = () => weekOf(date.getTime());
  const fields: Record<string, () => string> = {
    YYYY: () => pad(template.includes('WW') ? week().year : date.getUTCFullYear(), 4),
    MMMM: () => MONTHS[month],
    MMM: () => MONTHS[month].slice(0, 3),
    MM: () => pad(month + 1),
    DD: () => pad(date.getUTCDate()),
    Q: () => String(Math.floor(month / 3) + 1),
    WW: () => pad(week().week),
    HH: () => pad(hour),
    hh: () => pad(hour % 12 === 0 ? 12 : hour % 12),
    mm: () => pad(date.getUTCMinutes()),
    ss: () => pad(date.getUTCSeconds()) + fraction,
    A: () => (hour < 12 ? 'AM' : 'PM'),
    Z: () => zone ?? 'Z',
  };
  return partsOf(template)
    .map(({ token, text }) => (token === null ? text : fields[token]()))
    .join('');
}

function weekOf(time: number): { year: number; week: number } {
  const thursday = new Date(time + (3 - ((new Date(time).getUTCDay() + 6) % 7)) * DAY);
  const year = thursday.getUTCFullYear();
  return { year, week: 1 + Math.round((time - firstMonday(year)) / (7 * DAY)) };
}

const DATES = [
  ...['-', '/', '.'].flatMap((mark) => [
    `YYYY${mark}MM`,
    `YYYY${mark}MM${mark}DD`,
    `DD${mark}MM${mark}YYYY`,
    `MM${mark}DD${mark}YYYY`,
    `MM${mark}YYYY`,
  ]),
  ...['YYYY-[Q]Q', 'YYYY [Q]Q', 'YYYY[Q]Q', '[Q]Q YYYY', '[Q]Q-YYYY', '[Q]Q/YYYY'],
  ...['YYYY-[W]WW', 'YYYY[W]WW', 'YYYY-[W]WW-1'],
  ...['MMM YYYY', 'MMMM YYYY', 'MMM-YYYY', 'YYYY MMM', 'YYYY MMMM', 'YYYY-MMM', 'YYYYMMM'],
  ...[
    'DD MMM YYYY',
    'DD MMMM YYYY',
    'DD-MMM-YYYY',
    'MMM DD, YYYY',
    'MMMM DD, YYYY',
    'MMM DD YYYY',
    'YYYY MMM DD',
  ],
];
const CLOCKS = ['HH:mm', 'HH:mm:ss', 'hh:mm A', 'hh:mm:ss A'];

/** Every way of writing a time that is known, without the bare digits of YYYYMM and YYYYMMDD. */
export const TEMPLATES: readonly string[] = DATES.flatMap((date) => {
  if (!date.includes('DD')) return [date];
  const clocks = CLOCKS.flatMap((clock) => [' ', 'T', ', '].map((gap) => `${date}${gap}${clock}`));
  return [date, ...clocks, ...clocks.flatMap((template) => [`${template}Z`, `${template} Z`])];
});
