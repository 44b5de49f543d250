/** Converts the characters of texts to ids. Id 0 is padding, and id 1 is the end of a text. */

export const END_ID = 1;
/** Id of the first character. */
const FIRST_ID = 2;

/** The part of pipeline.json about the texts. */
export interface CharactersConfig {
  /** The characters; the id of a character is its index + 2. */
  characters: readonly string[];
  lowercase: boolean;
}

/** A text as ids. */
export interface EncodedCharacters {
  ids: Int32Array;
  /** The character of each id, for charts; `end` for the end of the text. */
  symbols: string[];
  /** Characters of the text that do not occur in the training texts; they are skipped. */
  unknown: string[];
}

export class Characters {
  readonly config: CharactersConfig;
  readonly #ids: ReadonlyMap<string, number>;

  constructor(config: CharactersConfig) {
    this.config = config;
    this.#ids = new Map(config.characters.map((character, i) => [character, i + FIRST_ID]));
  }

  /** Returns the characters of the training texts. */
  static fit(texts: readonly string[], lowercase: boolean): Characters {
    const characters = new Set(texts.flatMap((text) => [...normalizeText(text, lowercase)]));
    return new Characters({ characters: [...characters].sort(), lowercase });
  }

  /** Number of ids. */
  get size(): number {
    return this.config.characters.length + FIRST_ID;
  }

  encode(text: string): EncodedCharacters {
    const all = [...normalizeText(text, this.config.lowercase)];
    const known = all.filter((character) => this.#ids.has(character));
    const unknown = [...new Set(all.filter((character) => !this.#ids.has(character)))];
    const ids = Int32Array.of(...known.map((character) => this.#ids.get(character) ?? 0), END_ID);
    return { ids, symbols: [...known, 'end'], unknown };
  }
}

/** Returns a text in NFC with single spaces, and optionally in lower case. */
function normalizeText(text: string, lowercase: boolean): string {
  const collapsed = text.normalize('NFC').replace(/\s+/gu, ' ').trim();
  return lowercase ? collapsed.toLowerCase() : collapsed;
}
