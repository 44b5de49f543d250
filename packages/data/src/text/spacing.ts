/**
 * Rules for whether a space is expected between two tokens of a text. Word tokens contain no spaces, so that "world" is the same
 * token in "the world" and in "(world)", and is found in files of pretrained vectors. Splitting a text adds a token only where the
 * text differs from these rules: {@link JOINER} where an expected space is missing, otherwise the unexpected white space.
 * Joining uses the same rules. A text can therefore always be restored; better rules only lead to fewer added tokens.
 */

/** The token that stands where a space is expected but the text has none (U+FFED, the joiner of OpenNMT). */
export const JOINER = '\uFFED';

const ONLY_JOINERS = /^\uFFED+$/;
export const ONLY_WHITESPACE = /^\s+$/;

/** Returns the token of a piece of text. If the piece consists of joiners, one more is added, to differ from {@link JOINER}. */
export const escapeJoiner = (piece: string): string => (ONLY_JOINERS.test(piece) ? piece + JOINER : piece);

/** Returns the piece of text of a token: the inverse of {@link escapeJoiner}. */
export const unescapeJoiner = (token: string): string =>
  token.length > 1 && ONLY_JOINERS.test(token) ? token.slice(1) : token;

/** Scripts that write no spaces between words, with their punctuation and the full-width forms. */
const UNSPACED =
  '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}' +
  '\\p{Script=Myanmar}\\u3000-\\u303F\\u30FB\\u30FC\\uFF00-\\uFF65]';
const STARTS_UNSPACED = new RegExp(`^${UNSPACED}`, 'u');
const ENDS_UNSPACED = new RegExp(`${UNSPACED}$`, 'u');
/** Tokens without a space before them: closing brackets, full stops, commas and the like, hyphens and slashes. */
const NONE_BEFORE = /^[.,;:!?%)\]}\u2019\u201D\u2026\-/\\_\u2010\u2011\u2014]/;
/** Tokens without a space after them: opening brackets, currency signs and the like, hyphens and slashes. */
const NONE_AFTER = /[([{\u00A1\u00BF$\u00A3\u20AC\u00A5#@\-/\\_\u2010\u2011\u2014]$/;
/** The closing quote of each opening quote: "a", 'a', “a”, ‘a’, „a“, ‚a‘, «a», »a«, ‹a›, ›a‹. */
const QUOTES: ReadonlyMap<string, string> = new Map(
  ['""', "''", '“”', '‘’', '„“', '‚‘', '«»', '»«', '‹›', '›‹'].map(([open, close]) => [open, close]),
);

/** Takes the tokens of a text one after another, and determines whether a space is expected before each. */
export class Spacing {
  #previous: string | null = null;
  /** Whether no space is expected after the previous token. */
  #noneAfter = false;
  /** The closing quotes that are expected for the quotes that are open. */
  readonly #closing = new Set<string>();

  /** Returns whether a space is expected between the previous token and `token`. */
  isExpectedBefore(token: string): boolean {
    if (this.#previous === null || this.#noneAfter || this.#closing.has(token)) return false;
    if (!QUOTES.has(token) && NONE_BEFORE.test(token)) return false;
    return !STARTS_UNSPACED.test(token) && !ENDS_UNSPACED.test(this.#previous);
  }

  /** Adds a token. After white space no space is expected, and all quotes are closed after a line break. */
  add(token: string): void {
    if (ONLY_WHITESPACE.test(token)) {
      this.#previous = null;
      if (token.includes('\n')) this.#closing.clear();
      return;
    }
    this.#previous = token;
    const closes = this.#closing.delete(token);
    const closing = closes ? undefined : QUOTES.get(token);
    if (closing !== undefined) this.#closing.add(closing);
    this.#noneAfter = closing !== undefined || NONE_AFTER.test(token);
  }
}
