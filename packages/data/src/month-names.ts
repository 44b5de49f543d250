/** Month names in English and other languages, from Intl. */

/** English is first: if several languages fit, the earliest one is used. */
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
/** Common abbreviations that Intl does not list. */
const MORE: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  en: { sept: 9 },
  de: { mrz: 3, m\u00e4r: 3, j\u00e4n: 1, j\u00e4nner: 1, feber: 2, sept: 9 },
};

const plain = (word: string): string => word.normalize('NFC').toLowerCase().replace(/\.$/, '');

const known = new Map<string, Map<string, number>>();

/** The month names of a language: short and long, alone and next to a day. */
function namesOf(language: string): Map<string, number> {
  let names = known.get(language);
  if (names !== undefined) return names;
  names = new Map(Object.entries(MORE[language] ?? {}));
  for (const month of ['short', 'long'] as const) {
    for (const day of [undefined, 'numeric'] as const) {
      const format = new Intl.DateTimeFormat(language, { month, day, timeZone: 'UTC' });
      for (let m = 0; m < 12; m++) {
        const name =
          format.formatToParts(Date.UTC(2001, m, 1)).find(({ type }) => type === 'month')?.value ?? '';
        if (!names.has(plain(name))) names.set(plain(name), m + 1);
      }
    }
  }
  known.set(language, names);
  return names;
}

/** The number of a month from its name or an unambiguous prefix; 0 for any other word. */
export function monthNumber(word: string, language: string): number {
  const names = namesOf(language);
  const wanted = plain(word);
  const exact = names.get(wanted);
  if (exact !== undefined || wanted.length < 3) return exact ?? 0;
  const found = new Set([...names].filter(([name]) => name.startsWith(wanted)).map(([, month]) => month));
  return found.size === 1 ? [...found][0] : 0;
}

/** The first language in which all words are months; English if there is none. */
export function monthLanguage(words: ReadonlySet<string>): string {
  const fits = (language: string) => [...words].every((word) => monthNumber(word, language) > 0);
  return words.size === 0 ? 'en' : (LANGUAGES.find(fits) ?? 'en');
}

/** Twelve month names: the given words, and for the other months names of the same length from the language. */
export function monthsAsWritten(words: Iterable<string>, language: string): string[] {
  const own = [...words];
  const month = own.every((word) => word.length <= 4) ? 'short' : 'long';
  const format = new Intl.DateTimeFormat(language, { month, timeZone: 'UTC' });
  const months = Array.from({ length: 12 }, (_, m) => format.format(Date.UTC(2001, m, 1)).replace(/\.$/, ''));
  for (const word of own) months[monthNumber(word, language) - 1] = word;
  return months;
}
