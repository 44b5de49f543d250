/**
 * Special functions for x > 0 in double precision: log Γ and its derivative, with Stirling's series after the
 * recurrence Γ(x + 1) = x Γ(x) has made x large; and two functions whose direct formulas suffer from cancellation.
 */

/** From here on, the series below are accurate to the last bits of a double. */
const LARGE = 10;
const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/** log Γ(x) - ((x - 1/2) log x - x + log(2π)/2), for x >= 10 (Abramowitz & Stegun 6.1.41). */
export function stirlingRest(x: number): number {
  const q = 1 / (x * x);
  return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q * (1 / 1188 - (q * 691) / 360360))))) / x;
}

/** log Γ(x), for x > 0. */
export function lgamma(x: number): number {
  let product = 1;
  let z = x;
  for (; z < LARGE; z++) product *= z;
  return (z - 0.5) * Math.log(z) - z + HALF_LOG_TWO_PI + stirlingRest(z) - Math.log(product);
}

/** The derivative of log Γ(x), for x > 0 (Abramowitz & Stegun 6.3.18). */
export function digamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < LARGE; z++) shift += 1 / z;
  const q = 1 / (z * z);
  const series =
    q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q * (1 / 132 - (q * 691) / 32760)))));
  return Math.log(z) - 0.5 / z - series - shift;
}

/** (log(1 + u) - u / (1 + u)) / u², for u >= 0: 1/2 at 0. */
export function logRest(u: number): number {
  if (u > 1e-2) return (Math.log1p(u) - u / (1 + u)) / (u * u);
  let sum = 0;
  for (let k = 10; k >= 2; k--) sum = -u * sum + (k - 1) / k;
  return sum;
}
