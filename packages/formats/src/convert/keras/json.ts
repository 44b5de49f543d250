/** Reads the parts of a Keras config, which is JSON from an untrusted file. */
import { UnrollError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';

/** Returns a `format` error with the message `${what} must be ${expected}, got ...`. */
export function configError(what: string, expected: string, got: unknown): UnrollError {
  return new UnrollError(
    'format',
    `${what} must be ${expected}, got ${JSON.stringify(got)?.slice(0, 80) ?? 'nothing'}.`,
    { what },
  );
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function objectIn(value: Json | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw configError(what, 'an object', value);
}

export function listIn(value: Json | undefined, what: string): Json[] {
  if (Array.isArray(value)) return value;
  throw configError(what, 'a list', value);
}

export function textIn(value: Json | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw configError(what, 'a string', value);
}

export function numberIn(value: Json | undefined, what: string): number {
  if (typeof value === 'number') return value;
  throw configError(what, 'a number', value);
}

export function flagIn(value: Json | undefined, what: string): boolean {
  if (typeof value === 'boolean') return value;
  throw configError(what, 'true or false', value);
}

/** Returns the class name of a serialised object, `{ class_name, config }`; null for anything else. */
export function classNameOf(value: Json | undefined): string | null {
  return isObject(value) && typeof value.class_name === 'string' ? value.class_name : null;
}
