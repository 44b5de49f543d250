/**
 * Where a space is expected between two tokens of a text. Tokens of words carry no spaces, so that "world" is the same
 * token in "the world" and in "(world)", and is found in files of pretrained vectors. Splitting a text adds an explicit
 * token only where the text differs from the expectation; joining uses the same rules. The rules therefore decide how
 * many such tokens there are, but not whether a text can be restored.
 */

/** The token that stands where a space is expected but the text has none (U+FFED, the joiner of OpenNMT). */
export const JOINER = '\uFFED';

const ONLY_JOINERS = /^\uFFED+$/;
export const ONLY_WHITESPACE = /^\s+$/;

/** Returns the token of a piece of text. A piece of joiners becomes one longer, to differ from {@link JOINER}. */
export const escapeJoiner = (piece: string): string => (ONLY_JOINERS.test(piece) ? piece + JOINER : piece);

/** The inverse of {@link escapeJoiner}. */
export const unescapeJoiner = (token: string): string =>
  token.length > 1 && ONLY_JOINERS.test(token) ? token.slice(1) : token;

/** Scripts that write no spaces between words, with their punctuation and the full-width forms. */
const UNSPACED =
  '[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}' +
  '\\p{Script=Myanmar}\\u3000-\\u303F\\u30FB\\u30FC\\uFF00-\\uFF65]';
const STARTS_UNSPACED = new RegExp(`^${UNSPACED}`, 'u');
const ENDS_UNSPACED = new RegExp(`${UNSPACED}$`, 'u');
/** No space before a closing bracket, a full stop, a comma and the like, nor around hyphens and slashes. */
const NONE_BEFORE = /^[.,;:!?%)\]}\u2019\u201D\u2026\-/\\_\u2010\u2011\u2014]/;
/** No space after an opening bracket, a currency sign and the like, nor around hyphens and slashes. */
const NONE_AFTER = /[([{\u00A1\u00BF$\u00A3\u20AC\u00A5#@\-/\\_\u2010\u2011\u2014]$/;
/** Opening quotes, and the quote that closes each: "a", 'a', “a”, ‘a’, „a“, ‚a‘, «a», »a«, ‹a›, ›a‹. */
const QUOTES: ReadonlyMap<string, string> = new Map(
  ['""', "''", '“”', '‘’', '„“', '‚‘', '«»', '»«', '‹›', '›‹'].map(([open, close]) => [open, close]),
);

/** Follows the tokens of a text, and determines before each whether a space is expected. */
export class Spacing {
  #previous: string | null = null;
  /** True if no space is expected after the previous token. */
  #noneAfter = false;
  /** The closing quotes of the open ones. */
  readonly #closing = new Set<string>();

  /** True if a space is expected between the previous token and `token`. */
  before(token: string): boolean {
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
