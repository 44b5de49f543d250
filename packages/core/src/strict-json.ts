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
/** A string, with the colon after it if it is a key; or a bracket. */
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g;

/** Available in browsers and Node, but in none of this package's type libraries. */
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string };
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/**
 * Parses a JSON text.
 * @param what the name of the text in errors
 * @throws UnrollError `format` with the problem
 */
export function parseStrictJson(text: string, what: string): Json {
  try {
    checkKeys(text);
    return JSON.parse(text, strictPart);
  } catch (error) {
    throw new UnrollError('format', `${what} is not valid JSON: ${(error as Error).message}.`, { what });
  }
}

/** @throws Error for a key that occurs twice in one object, and for levels beyond {@link MAX_DEPTH} */
function checkKeys(text: string): void {
  const levels: Set<string>[] = [];
  for (const { 0: token, 1: string, 2: colon, index } of text.matchAll(TOKEN)) {
    if (colon) {
      const key = JSON.parse(string);
      const keys = levels.at(-1);
      if (keys?.has(key)) throw new Error(`the key ${string} occurs twice, again at position ${index}`);
      keys?.add(key);
    } else if (token === '{' || token === '[') {
      if (levels.push(new Set()) > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} levels`);
    } else if (!string) {
      levels.pop();
    }
  }
}

/** A reviver: numbers are finite, objects have no prototype. */
function strictPart(_key: string, part: Json): Json {
  if (part === Number.POSITIVE_INFINITY || part === Number.NEGATIVE_INFINITY)
    throw new Error('a number is beyond float64');
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
  return Object.assign(Object.create(null), part);
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
