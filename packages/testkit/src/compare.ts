/** Compares arrays of numbers with given tolerances and describes their largest difference. */

/** The difference of two arrays at one index. */
export interface Difference {
  index: number;
  actual: number;
  expected: number;
  /** The absolute difference; Infinity if the values differ and at least one of them is NaN or infinite. */
  size: number;
}

/**
 * Returns the element with the largest difference. NaN equals NaN, and an infinity equals itself. Their difference from any
 * other value is infinite.
 */
export function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  let worst: Difference = { index: -1, actual: 0, expected: 0, size: 0 };
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i], expected[i]];
    const size = Object.is(a, b) || a === b ? 0 : Math.abs(a - b);
    const difference = Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
    if (difference > worst.size || worst.index < 0)
      worst = { index: i, actual: a, expected: b, size: difference };
  }
  return worst;
}

/** Returns the largest finite absolute value; 0 if there is none. */
export function largestMagnitude(values: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > max && size < Number.POSITIVE_INFINITY) max = size;
  }
  return max;
}

/** Returns the largest allowed error of outputs: 1e-5 times the largest absolute expected value, and at least 1e-5. */
export function outputTolerance(expected: ArrayLike<number>): number {
  return 1e-5 * Math.max(1, largestMagnitude(expected));
}

/** Returns the largest allowed error of gradients: 1e-4 times the largest absolute expected value. */
export function gradientTolerance(expected: ArrayLike<number>): number {
  return 1e-4 * largestMagnitude(expected);
}

/** Returns a description of the largest difference, or null if no difference is larger than `allowed`. */
export function mismatch(
  label: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  allowed: number,
): string | null {
  if (actual.length !== expected.length) {
    return `${label}: expected ${expected.length} elements, got ${actual.length}`;
  }
  const worst = worstDifference(actual, expected);
  if (worst.size <= allowed) return null;
  return (
    `${label}: expected ${worst.expected} at index ${worst.index} of ${expected.length}, got ${worst.actual} ` +
    `(difference ${worst.size.toExponential(2)}, allowed ${allowed.toExponential(2)})`
  );
}

/** Describes the first element that is not bit-identical, or returns null if there is none. All NaNs count as equal. */
export function bitMismatch(
  label: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): string | null {
  if (actual.length !== expected.length)
    return `${label}: expected ${expected.length} elements, got ${actual.length}`;
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) {
      return `${label}: expected ${expected[i]} at index ${i} of ${expected.length}, got ${actual[i]}`;
    }
  }
  return null;
}

/** Throws one error that lists the problems; null entries are ignored. Does nothing if there are no problems. */
export function throwProblems(problems: readonly (string | null)[], title = ''): void {
  const found = problems.filter((problem) => problem !== null);
  if (found.length === 0) return;
  const listing = found.slice(0, 8).join('\n  ');
  const more = found.length > 8 ? `\n  and ${found.length - 8} more` : '';
  const count = found.length === 1 ? '1 problem' : `${found.length} problems`;
  throw new Error(`${title}${title ? ': ' : ''}${count}:\n  ${listing}${more}`);
}
