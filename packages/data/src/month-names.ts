/** Month names in English and other languages, from Intl. */

/** If month names fit several languages, the first of them is used. */
const LANGUAGES = [
  'en',
  'de',
  'fr',
  'es',
  'it',
  'pt',
  'nl',
  'pl',
  'cs',
  'sv',
  'da',
  'nb',
  'fi',
  'tr',
  'hu',
  'ro',
  'ru',
  'uk',
];
/** Common names and abbreviations that Intl does not list. */
const EXTRA_NAMES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  en: { sept: 9 },
  de: { mrz: 3, m\u00e4r: 3, j\u00e4n: 1, j\u00e4nner: 1, feber: 2, sept: 9 },
};

const normalizeWord = (word: string): string => word.normalize('NFC').toLowerCase().replace(/\.$/, '');

const namesByLanguage = new Map<string, Map<string, number>>();

/**
 * Returns the month names of a language with their numbers: short and long names, each in the form used alone and in the form used
 * with a day (some languages distinguish these forms).
 */
function namesOf(language: string): Map<string, number> {
  let names = namesByLanguage.get(language);
  if (names !== undefined) return names;
  names = new Map(Object.entries(EXTRA_NAMES[language] ?? {}));
  for (const month of ['short', 'long'] as const) {
    for (const day of [undefined, 'numeric'] as const) {
      const format = new Intl.DateTimeFormat(language, { month, day, timeZone: 'UTC' });
      for (let m = 0; m < 12; m++) {
        const name =
          format.formatToParts(Date.UTC(2001, m, 1)).find(({ type }) => type === 'month')?.value ?? '';
        if (!names.has(normalizeWord(name))) names.set(normalizeWord(name), m + 1);
      }
    }
  }
  namesByLanguage.set(language, names);
  return names;
}

/** Returns the number of a month, 1 to 12, from its name or an unambiguous prefix; 0 for any other word. */
export function monthNumber(word: string, language: string): number {
  const names = namesOf(language);
  const prefix = normalizeWord(word);
  const exact = names.get(prefix);
  if (exact !== undefined || prefix.length < 3) return exact ?? 0;
  const months = new Set([...names].filter(([name]) => name.startsWith(prefix)).map(([, month]) => month));
  return months.size === 1 ? [...months][0] : 0;
}

/** Returns the first language in which all words are month names; English if there is none. */
export function monthLanguage(words: ReadonlySet<string>): string {
  const fits = (language: string) => [...words].every((word) => monthNumber(word, language) > 0);
  return words.size === 0 ? 'en' : (LANGUAGES.find(fits) ?? 'en');
}

/** Returns twelve month names: the given words and, for the other months, names of the language, short or long like the words. */
export function monthsAsWritten(words: Iterable<string>, language: string): string[] {
  const given = [...words];
  const month = given.every((word) => word.length <= 4) ? 'short' : 'long';
  const format = new Intl.DateTimeFormat(language, { month, timeZone: 'UTC' });
  const months = Array.from({ length: 12 }, (_, m) => format.format(Date.UTC(2001, m, 1)).replace(/\.$/, ''));
  for (const word of given) months[monthNumber(word, language) - 1] = word;
  return months;
}
