/**
 * Special functions in double precision: log Γ and its derivative for x > 0, and the remainders of two approximations. The
 * remainders are computed without the cancellation of a direct subtraction. log Γ uses Stirling's series for x >= 10; smaller
 * x are first increased by the recurrence Γ(x + 1) = x Γ(x).
 */

/** For x >= 10, the series below are accurate to the last bits of a double. */
const SERIES_START = 10;
const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/**
 * Returns the remainder of Stirling's approximation, log Γ(x) - ((x - 1/2) log x - x + log(2π)/2), for x >= 10
 * (Abramowitz & Stegun 6.1.41).
 */
export function stirlingRemainder(x: number): number {
  const q = 1 / (x * x);
  return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - (q * 691) / 360360))))) / x;
}

/** Returns log Γ(x) for x > 0. */
export function lgamma(x: number): number {
  let product = 1;
  let z = x;
  for (; z < SERIES_START; z++) product *= z;
  return (z - 0.5) * Math.log(z) - z + HALF_LOG_TWO_PI + stirlingRemainder(z) - Math.log(product);
}

/** Returns the derivative of log Γ(x) for x > 0 (Abramowitz & Stegun 6.3.18). */
export function digamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < SERIES_START; z++) shift += 1 / z;
  const q = 1 / (z * z);
  const series =
    q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - (q * 691) / 32760)))));
  return Math.log(z) - 0.5 / z - series - shift;
}

/** Returns (log(1 + u) - u / (1 + u)) / u² for u > 0, and the limit 1/2 for u = 0. */
export function logRemainder(u: number): number {
  if (u > 1e-2) return (Math.log1p(u) - u / (1 + u)) / (u * u);
  let sum = 0;
  for (let k = 10; k >= 2; k--) sum = -u * sum + (k - 1) / k;
  return sum;
}
