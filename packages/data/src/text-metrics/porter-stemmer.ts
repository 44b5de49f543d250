/**
 * The Porter stemmer (Porter, 1980, https://tartarus.org/martin/PorterStemmer/) with the extensions of NLTK, as rouge-score uses
 * it, for lower-case English words.
 */

/** Words that the rules would stem wrongly. */
const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ['sky', 'sky'],
  ['skies', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['news', 'news'],
  ['innings', 'inning'],
  ['inning', 'inning'],
  ['outings', 'outing'],
  ['outing', 'outing'],
  ['cannings', 'canning'],
  ['canning', 'canning'],
  ['howe', 'howe'],
  ['proceed', 'proceed'],
  ['exceed', 'exceed'],
  ['succeed', 'succeed'],
]);

/** Returns the pattern of consonants (c) and vowels (v). A y is a vowel after a consonant. */
function patternOf(word: string): string {
  let pattern = '';
  for (const letter of word) {
    const vowel = letter === 'y' ? pattern.endsWith('c') : 'aeiou'.includes(letter);
    pattern += vowel ? 'v' : 'c';
  }
  return pattern;
}

/** Porter's measure m: the number of vowel-consonant sequences. */
const measure = (stem: string): number => patternOf(stem).split('vc').length - 1;

const hasVowel = (stem: string): boolean => patternOf(stem).includes('v');

/**
 * Returns Porter's condition *o: whether the word ends with consonant, vowel, consonant, and the last letter is not w, x or y.
 * As in NLTK, the condition also holds for words that consist of one vowel followed by one consonant.
 */
function endsShort(word: string): boolean {
  const pattern = patternOf(word);
  return (pattern.endsWith('cvc') && !/[wxy]$/.test(word)) || pattern === 'vc';
}

type Rule = readonly [suffix: string, replacement: string];

/** Applies the first rule whose suffix matches, if `accepts` holds for the stem. No further rule is tried. */
function applyRules(
  word: string,
  rules: readonly Rule[],
  accepts: (stem: string, suffix: string) => boolean,
): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix));
  if (!rule) return word;
  const stem = word.slice(0, word.length - rule[0].length);
  return accepts(stem, rule[0]) ? stem + rule[1] : word;
}

/** Plurals. */
function step1a(word: string): string {
  if (word.endsWith('ies') && word.length === 4) return word.slice(0, -1);
  const rules: Rule[] = [
    ['sses', 'ss'],
    ['ies', 'i'],
    ['ss', 'ss'],
    ['s', ''],
  ];
  return applyRules(word, rules, () => true);
}

/** Past tenses and participles. */
function step1b(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const suffix = ['ed', 'ing'].find((end) => word.endsWith(end) && hasVowel(word.slice(0, -end.length)));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (/(at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (stem.length >= 2 && stem.at(-1) === stem.at(-2) && patternOf(stem).endsWith('c'))
    return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsShort(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  const stem = word.slice(0, -1);
  return word.endsWith('y') && stem.length > 1 && patternOf(stem).endsWith('c') ? `${stem}i` : word;
}

const STEP_2: readonly Rule[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['izer', 'ize'],
  ['bli', 'ble'],
  ['alli', 'al'],
  ['entli', 'ent'],
  ['eli', 'e'],
  ['ousli', 'ous'],
  ['ization', 'ize'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['iveness', 'ive'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['aliti', 'al'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
  ['fulli', 'ful'],
  ['logi', 'log'],
];

function step2(word: string): string {
  if (word.endsWith('alli') && measure(word.slice(0, -4)) > 0) return step2(word.slice(0, -2));
  // The l of "logi" belongs to the stem that is measured, so that "geologi" has the same rule as "archaeologi".
  return applyRules(word, STEP_2, (stem, suffix) => measure(suffix === 'logi' ? `${stem}l` : stem) > 0);
}

const STEP_3: readonly Rule[] = [
  ['icate', 'ic'],
  ['ative', ''],
  ['alize', 'al'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
];

const STEP_4: readonly Rule[] =
  'al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize'
    .split(' ')
    .map((suffix) => [suffix, ''] as const);

function step4(word: string): string {
  return applyRules(
    word,
    STEP_4,
    (stem, suffix) => measure(stem) > 1 && (suffix !== 'ion' || /[st]$/.test(stem)),
  );
}

function step5(word: string): string {
  const stem = word.slice(0, -1);
  const m = measure(stem);
  const shortened = word.endsWith('e') && (m > 1 || (m === 1 && !endsShort(stem))) ? stem : word;
  const withoutLast = shortened.slice(0, -1);
  return shortened.endsWith('ll') && measure(withoutLast) > 1 ? withoutLast : shortened;
}

/** Returns the stem of a lower-case English word, such as `relat` of `relational`. */
export function porterStem(word: string): string {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  if (word.length <= 2) return word;
  const inflected = step1c(step1b(step1a(word)));
  return step5(step4(applyRules(step2(inflected), STEP_3, (stem) => measure(stem) > 0)));
}
