/**
 * Parses JSON (RFC 8259) from untrusted sources: rejects duplicate keys, deep nesting and numbers beyond float64.
 * Parsed objects have no prototype, so `__proto__` is an ordinary key.
 */
import { UnrollError } from './errors.js';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

const MAX_DEPTH = 64;
/** Matches a string (group 1) and the colon after it if it is a key (group 2), or a brace or bracket. */
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g;

/** Provided by browsers and Node, but not declared in the type libraries of this package. */
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/**
 * Parses a JSON text.
 * @param what the subject of error messages, such as "config.json"
 * @throws UnrollError `format` with the problem
 */
export function parseStrictJson(text: string, what: string): Json {
  try {
    checkKeys(text);
    return JSON.parse(text, reviveStrictly);
  } catch (error) {
    throw new UnrollError('format', `${what} is not valid JSON: ${(error as Error).message}.`, { what });
  }
}

/** @throws Error if a key occurs twice in an object, or if there are more than {@link MAX_DEPTH} levels */
function checkKeys(text: string): void {
  const levels: Set<string>[] = [];
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(TOKEN)) {
    if (colon) {
      const key = JSON.parse(string);
      const keys = levels.at(-1);
      if (keys?.has(key)) throw new Error(`duplicate key ${string} at position ${index}`);
      keys?.add(key);
    } else if (token === '{' || token === '[') {
      if (levels.push(new Set()) > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} nested levels`);
    } else if (!string) {
      levels.pop();
    }
  }
}

/** Reviver for JSON.parse: rejects numbers beyond float64, and removes the prototype of objects. */
function reviveStrictly(_key: string, value: Json): Json {
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY)
    throw new Error('a number is beyond float64');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.assign(Object.create(null), value);
}

/** Decodes UTF-8. @throws UnrollError `format` for bytes that are not UTF-8 */
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
