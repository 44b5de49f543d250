/** Numbers as short texts. */

/**
 * Formats a number with at most three significant digits. If its absolute value is at least 1e6 or below 1e-3, it gets at
 * most two digits and an exponent, such as 1.2e6.
 */
export const formatNumber = (value: number): string => {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return Number(value.toPrecision(2)).toExponential().replace('e+', 'e');
  return String(Number(value.toPrecision(3)));
};
