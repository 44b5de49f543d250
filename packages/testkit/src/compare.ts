/** Compares arrays of numbers with given tolerances and reports where they differ most. */

export interface Difference {
  index: number;
  actual: number;
  expected: number;
  size: number;
}

/**
 * The element with the largest difference. NaN equals NaN and an infinity equals itself; compared with any other
 * value, their difference is infinite.
 */
export function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  let worst: Difference = { index: -1, actual: 0, expected: 0, size: 0 };
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i], expected[i]];
    const size = Object.is(a, b) || a === b ? 0 : Math.abs(a - b);
    const bounded = Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
    if (bounded > worst.size || worst.index < 0) worst = { index: i, actual: a, expected: b, size: bounded };
  }
  return worst;
}

/** The largest finite absolute value; 0 if there is none. */
export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > most && size < Number.POSITIVE_INFINITY) most = size;
  }
  return most;
}

/** |a - b| <= 1e-5 max(1, max|b|) */
export function outputTolerance(expected: ArrayLike<number>): number {
  return 1e-5 * Math.max(1, largest(expected));
}

/** |a - b| <= 1e-4 max|b| */
export function gradientTolerance(expected: ArrayLike<number>): number {
  return 1e-4 * largest(expected);
}

/** Null if all elements agree within `allowed`, otherwise a description of the largest difference. */
export function mismatch(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  allowed: number,
): string | null {
  if (actual.length !== expected.length) {
    return `${what}: ${actual.length} elements instead of ${expected.length}`;
  }
  const worst = worstDifference(actual, expected);
  if (worst.size <= allowed) return null;
  return (
    `${what}: element ${worst.index} of ${expected.length} is ${worst.actual} instead of ${worst.expected} ` +
    `(off by ${worst.size.toExponential(2)}, allowed ${allowed.toExponential(2)})`
  );
}

/** Null if the arrays are identical bit for bit (all NaNs are equal), otherwise a description of the difference. */
export function bitMismatch(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): string | null {
  if (actual.length !== expected.length)
    return `${what}: ${actual.length} elements instead of ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) {
      return `${what}: element ${i} of ${expected.length} is ${actual[i]} instead of ${expected[i]}`;
    }
  }
  return null;
}

/** Throws one error that lists all problems; does nothing if there are none. */
export function report(problems: readonly (string | null)[], title = ''): void {
  const wrong = problems.filter((problem) => problem !== null);
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 8).join('\n  ');
  const more = wrong.length > 8 ? `\n  and ${wrong.length - 8} more` : '';
  throw new Error(`${title}${title ? ': ' : ''}${wrong.length} wrong:\n  ${shown}${more}`);
}
