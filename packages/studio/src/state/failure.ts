/** A failure that the page shows: advice for the visitor, and the error. */
import type { TextKey } from '../i18n/index.js';
import { type ErrorData, errorData } from '../problems/input-error.js';

/** The key of a text that says what failed and what to do. */
export type Advice = Extract<TextKey, `advice_${string}`>;

export interface Failure {
  advice: Advice;
  values: Readonly<Record<string, string | number>>;
  error: ErrorData;
}

/** Returns a failure. @param error an error, or its message */
export function failureOf(advice: Advice, error: unknown, values: Failure['values'] = {}): Failure {
  return { advice, values, error: errorData(error) };
}
