/** The types of tokenizers and of their configs. */

/** Changes to a text before it is split into tokens. */
export interface NormalizeOptions {
  /** Unicode normalisation form: `NFC` composes accents, `NFKC` also replaces full-width forms. Default null: none. */
  normalize?: 'NFC' | 'NFKC' | null;
  /** Converts the text to lower case, independently of the locale. Default false. */
  lowercase?: boolean;
  /** Replaces each run of white space by one space, and removes white space at both ends. Default false. */
  collapseWhitespace?: boolean;
}

/** One token per code point. */
export interface CharactersConfig extends NormalizeOptions {
  kind: 'characters';
}

/**
 * Each run of non-white-space characters is a token. A run of white space is also a token, unless it is a single space between
 * two such tokens.
 */
export interface WhitespaceConfig extends NormalizeOptions {
  kind: 'whitespace';
}

/** Words and punctuation marks, as found by `Intl.Segmenter`. */
export interface WordsConfig extends NormalizeOptions {
  kind: 'words';
  /** Locale of the word boundaries. Default `en`; words of Chinese, Japanese and Thai are found with every locale. */
  locale?: string;
  /** ICU version that finds the word boundaries, or null if it is unknown. Default: the version in the current environment. */
  icu?: string | null;
}

/** Subwords of byte-pair encoding. `learnBytePairs` makes such a config. */
export interface BytePairsConfig extends NormalizeOptions {
  kind: 'bytePairs';
  /** The characters that are tokens, in order of code points. Other characters are encoded as bytes. */
  characters: string;
  /** The merges, in the order in which they were learned. Each is two tokens, separated by a space. */
  merges: readonly string[];
}

/** A tokenizer as JSON. */
export type TokenizerConfig = CharactersConfig | WhitespaceConfig | WordsConfig | BytePairsConfig;

export type TokenizerKind = TokenizerConfig['kind'];

export interface Tokenizer {
  readonly kind: TokenizerKind;
  /** The tokenizer as JSON, with all options. `tokenizer(config)` creates the same tokenizer. */
  readonly config: Readonly<TokenizerConfig>;
  /** Warnings, for example if the ICU version differs from that in the config. Usually empty. */
  readonly notes: readonly string[];
  /** Returns the text that `tokens` splits: after Unicode normalisation, conversion to lower case and the like. */
  normalize(text: string): string;
  /** Splits a text into tokens. */
  tokens(text: string): string[];
  /** Joins tokens into a text: `detokenize(tokens(text))` is `normalize(text)`. */
  detokenize(tokens: readonly string[]): string;
}
