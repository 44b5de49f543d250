/**
 * Strict JSON parsing (RFC 8259): a single value, no duplicate keys in an object, limited depth. Objects have no
 * prototype, so `__proto__` is an ordinary key. For files from untrusted sources.
 */
import { UnrollError } from './errors.js';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

const MAX_DEPTH = 64;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;

/** Available in browsers and Node, but in none of this package's type libraries. */
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/**
 * Parses a JSON text.
 * @param what the name of the text in errors
 * @throws UnrollError `format` with the problem and its position (a character offset)
 */
export function parseStrictJson(text: string, what: string): Json {
  return new Parser(text, what).whole();
}

/** Decodes strict UTF-8. @throws UnrollError `format` for bytes that are not UTF-8 */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UnrollError('format', `${what} is not UTF-8 text.`, { what });
  }
}

export function encodeUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

class Parser {
  readonly #text: string;
  readonly #what: string;
  #at = 0;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  whole(): Json {
    const value = this.#value(0);
    if (this.#at < this.#text.length) throw this.#error('nothing more');
    return value;
  }

  #value(depth: number): Json {
    if (depth > MAX_DEPTH) throw this.#error(`at most ${MAX_DEPTH} levels`);
    this.#skip(SPACE);
    const first = this.#text[this.#at];
    let value: Json;
    if (first === '{') value = this.#object(depth);
    else if (first === '[') value = this.#array(depth);
    else if (first === '"') value = this.#string();
    else value = this.#scalar();
    this.#skip(SPACE);
    return value;
  }

  #object(depth: number): JsonObject {
    const object = Object.create(null) as JsonObject;
    this.#at++;
    this.#skip(SPACE);
    if (this.#take('}')) return object;
    do {
      this.#skip(SPACE);
      if (this.#text[this.#at] !== '"') throw this.#error('a key in quotes');
      const at = this.#at;
      const key = this.#string();
      if (key in object) {
        this.#at = at;
        throw this.#error('each key once', `the key ${JSON.stringify(key)} again`);
      }
      this.#skip(SPACE);
      if (!this.#take(':')) throw this.#error('":"');
      object[key] = this.#value(depth + 1);
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#error('"," or "}"');
    return object;
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#at++;
    this.#skip(SPACE);
    if (this.#take(']')) return array;
    do array.push(this.#value(depth + 1));
    while (this.#take(','));
    if (!this.#take(']')) throw this.#error('"," or "]"');
    return array;
  }

  #string(): string {
    const end = this.#endOfString();
    try {
      const value = JSON.parse(this.#text.slice(this.#at, end)) as string;
      this.#at = end;
      return value;
    } catch {
      throw this.#error('a string of valid characters and escapes');
    }
  }

  /** The position after the closing quote: the first quote with an even number of backslashes before it. */
  #endOfString(): number {
    for (let quote = this.#at; ; ) {
      quote = this.#text.indexOf('"', quote + 1);
      if (quote < 0) throw this.#error('a string that ends');
      let escapes = 0;
      while (this.#text[quote - 1 - escapes] === '\\') escapes++;
      if (escapes % 2 === 0) return quote + 1;
    }
  }

  #scalar(): Json {
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    const at = this.#at;
    const number = Number(this.#skip(NUMBER) ?? Number.NaN);
    if (Number.isFinite(number)) return number;
    this.#at = at;
    throw this.#error('a value');
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skip(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #error(expected: string, got?: string): UnrollError {
    const here = this.#text[this.#at];
    const found = got ?? (here === undefined ? 'its end' : JSON.stringify(here));
    return new UnrollError(
      'format',
      `${this.#what} is not valid JSON: at character ${this.#at} ${expected} was expected, and ${found} ` +
        'was found.',
      { what: this.#what, at: this.#at },
    );
  }
}
