/** Numbers as short texts. */

/** Formats a number with three significant digits. */
export const short = (value: number): string => {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(size < 1e-3 ? 0 : 1).replace('e+', 'e');
  return String(Number(value.toPrecision(3)));
};
