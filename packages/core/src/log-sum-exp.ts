/** Returns log Σ exp(x) without overflow; -∞ if all numbers are -∞ or there are none, NaN if one is NaN. */
export function logSumExp(x: ArrayLike<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, x[i]);
  if (!Number.isFinite(largest)) return largest;
  let total = 0;
  for (let i = 0; i < x.length; i++) total += Math.exp(x[i] - largest);
  return largest + Math.log(total);
}
