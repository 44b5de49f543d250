/**
 * Converts texts to token ids and back. A token is a character, a word or a subword. Joining the tokens gives the text again (in
 * lower case with `lowercase`), except that tokens that are not in the vocabulary become `<unk>`.
 */
import {
  buildVocabulary,
  learnBytePairs,
  type Tokenizer,
  type TokenizerConfig,
  tokenizer,
  Vocabulary,
  type VocabularyConfig,
} from '@unroll/data';

export type TextLevel = 'char' | 'word' | 'subword';
/** The tokens of each level, in the plural, for messages. */
export const TOKEN_NAMES: Readonly<Record<TextLevel, string>> = {
  char: 'characters',
  word: 'words',
  subword: 'subwords',
};

/** The only special token; it replaces tokens that are not in the vocabulary. */
const SPECIALS = ['<unk>'];
export const UNKNOWN_ID = 0;
/**
 * Maximum number of words in the vocabulary. Words that occur once are left out: they train `<unk>`. Their share of the training
 * text is about the share of unknown words in other texts (Good 1953).
 */
const MAX_WORDS = 20_000;
/** Size of a vocabulary of subwords, by the length of the training text in characters. */
const subwordsFor = (characters: number): number =>
  characters < 1_000_000 ? 1000 : characters < 10_000_000 ? 4000 : 8000;

/** The part of pipeline.json with which a model encodes and decodes texts. */
export interface CodecConfig {
  level: TextLevel;
  tokenizer: TokenizerConfig;
  vocabulary: VocabularyConfig;
}

/** An encoded text. */
export interface EncodedText {
  ids: Int32Array;
  /** Number of code points of the text, after `lowercase`. */
  characters: number;
  /** Number of tokens that are not in the vocabulary. */
  unknown: number;
}

export class TextCodec {
  readonly level: TextLevel;
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  /**
   * The id that precedes the first token of a text: the id of a line break or, if the vocabulary has none, id 1. For characters and
   * words, id 1 is the most frequent token.
   */
  readonly start: number;

  constructor(level: TextLevel, splitter: Tokenizer, vocabulary: Vocabulary) {
    this.level = level;
    this.tokenizer = splitter;
    this.vocabulary = vocabulary;
    this.start = vocabulary.id('\n') ?? Math.min(1, vocabulary.size - 1);
  }

  static fromConfig({ level, tokenizer: splitter, vocabulary }: CodecConfig): TextCodec {
    return new TextCodec(level, tokenizer(splitter), new Vocabulary(vocabulary));
  }

  get config(): CodecConfig {
    const { level, tokenizer: splitter, vocabulary } = this;
    return { level, tokenizer: splitter.config as TokenizerConfig, vocabulary: vocabulary.config() };
  }

  encode(text: string): EncodedText {
    const normalized = this.tokenizer.normalize(text);
    let characters = 0;
    for (const _ of normalized) characters++;
    const ids = this.level === 'char' ? this.#characterIds(normalized, characters) : this.#tokenIds(text);
    return { ids, characters, unknown: ids.reduce((count, id) => count + Number(id === UNKNOWN_ID), 0) };
  }

  /** Encodes characters without an array of strings, which would take many times the memory of the text. */
  #characterIds(text: string, length: number): Int32Array {
    const ids = new Int32Array(length);
    let i = 0;
    for (const character of text) ids[i++] = this.vocabulary.id(character) ?? UNKNOWN_ID;
    return ids;
  }

  #tokenIds(text: string): Int32Array {
    return this.vocabulary.encode(this.tokenizer.tokens(text));
  }

  /** Returns an object that converts the tokens after a prompt to text. */
  decoder(prompt: ArrayLike<number>): TokenDecoder {
    return new TokenDecoder(this, prompt);
  }
}

/** If a line has more than twice this number of tokens, only its last MAX_WINDOW tokens are kept. */
const MAX_WINDOW = 512;

/** Converts tokens to text, one at a time. The text of a token may depend on the previous tokens of its line. */
class TokenDecoder {
  readonly #codec: TextCodec;
  /** The last tokens, on which the text of the next token may depend (see MAX_WINDOW). */
  #window: string[];
  /** Length of the part of the text of `#window` that belongs to the prompt or has already been returned. */
  #length: number;

  constructor(codec: TextCodec, prompt: ArrayLike<number>) {
    this.#codec = codec;
    this.#window = codec.vocabulary.decode(Array.from(prompt).slice(-MAX_WINDOW));
    this.#length = this.#text.length;
  }

  get #text(): string {
    return this.#codec.tokenizer.detokenize(this.#window);
  }

  /** Returns the end of the text, if {@link next} has held back an incomplete character. */
  end(): string {
    return this.#codec.level === 'char' ? '' : this.#text.slice(this.#length);
  }

  /** Returns the text of the next token; empty while a character is incomplete. */
  next(id: number): string {
    const token = this.#codec.vocabulary.tokens[id];
    if (this.#codec.level === 'char') return token;
    this.#window.push(token);
    const text = this.#text;
    if (text.endsWith('\uFFFD')) return '';
    const added = text.slice(this.#length);
    this.#length = text.length;
    if (token.includes('\n') || this.#window.length > 2 * MAX_WINDOW) {
      this.#window = this.#window.slice(token.includes('\n') ? -1 : -MAX_WINDOW);
      this.#length = this.#text.length;
    }
    return added;
  }
}

/**
 * Returns the codec for a training text, with a vocabulary of its tokens.
 * @param options.lowercase convert texts to lower case
 * @param options.subwords size of a vocabulary of subwords. Default: by the length of the text
 */
export function codecFor(
  text: string,
  level: TextLevel,
  { lowercase, subwords }: { lowercase: boolean; subwords: number | undefined },
): TextCodec {
  if (level === 'subword') {
    const vocabularySize = subwords ?? subwordsFor(text.length);
    const splitter = learnBytePairs([text], { vocabularySize, lowercase });
    const include = splitter.allTokens;
    return new TextCodec(level, splitter, buildVocabulary([], { specials: SPECIALS, include }));
  }
  if (level === 'char') {
    const splitter = tokenizer({ kind: 'characters', lowercase });
    const vocabulary = buildVocabulary(charactersOf(splitter.normalize(text)), { specials: SPECIALS });
    return new TextCodec(level, splitter, vocabulary);
  }
  const splitter = tokenizer({ kind: 'words', lowercase });
  const tokens = splitter.tokens(text);
  const vocabulary = buildVocabulary([tokens], { specials: SPECIALS, maxSize: MAX_WORDS, minCount: 2 });
  return new TextCodec(level, splitter, vocabulary);
}

/** Yields the characters of a text in parts. */
function* charactersOf(text: string): Generator<string[]> {
  let part: string[] = [];
  for (const character of text) {
    part.push(character);
    if (part.length < 65_536) continue;
    yield part;
    part = [];
  }
  yield part;
}
