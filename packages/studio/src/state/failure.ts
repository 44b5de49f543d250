/** What went wrong, as the page shows it. */
import type { TextKey } from '../i18n/index.js';
import { type ErrorData, errorData } from '../problems/input-error.js';

/** Says what failed and what to do. */
export type Advice = Extract<TextKey, `advice_${string}`>;

export interface Failure {
  advice: Advice;
  values: Readonly<Record<string, string | number>>;
  error: ErrorData;
}

/** @param error an error, or its data */
export function failureOf(advice: Advice, error: unknown, values: Failure['values'] = {}): Failure {
  return { advice, values, error: errorData(error) };
}
