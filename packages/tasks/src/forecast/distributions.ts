/** Quantiles of distributions. */

/** Quantile of the standard normal distribution (Acklam's rational approximation; relative error below 1.2e-9). */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    const above = [
      -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    ];
    const below = [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
    return (horner(above, q) * q + 2.938163982698783) / (horner(below, q) * q + 1);
  }
  const q = p - 0.5;
  const r = q * q;
  const above = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
  ];
  const below = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572,
  ];
  return ((horner(above, r) * r + 2.506628277459239) * q) / (horner(below, r) * r + 1);
}

const horner = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);

/** Quantile of Student's t-distribution with `df` >= 2 degrees of freedom (Hill 1970, algorithm 396; about 1e-4). */
export function studentTQuantile(p: number, df: number): number {
  if (p === 0.5) return 0;
  if (p < 0.5) return -studentTQuantile(1 - p, df);
  const tails = 2 * (1 - p);
  if (df === 2) return Math.sqrt(2 / (tails * (2 - tails)) - 2);
  const a = 1 / (df - 0.5);
  const b = 48 / (a * a);
  const c = ((20700 * a) / b - 98) * a * a - 16 * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt((a * Math.PI) / 2) * df;
  const y = (d * tails) ** (2 / df);
  return Math.sqrt(df * (y > 0.05 + a ? nearCentre(tails, df, { a, b, c, d }) : farOut(y, df, d)));
}

function nearCentre(tails: number, df: number, k: { a: number; b: number; c: number; d: number }): number {
  const x = normalQuantile(tails / 2);
  const y = x * x;
  const grown = df < 5 ? k.c + 0.3 * (df - 4.5) * (x + 0.6) : k.c;
  const c = (((0.05 * k.d * x - 5) * x - 7) * x - 2) * x + k.b + grown;
  const z = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / k.b + 1) * x;
  return Math.expm1(k.a * z * z);
}

function farOut(y: number, df: number, d: number): number {
  const correction = 1 / (((df + 6) / (df * y) - 0.089 * d - 0.822) * (df + 2) * 3) + 0.5 / (df + 4);
  return ((correction * y - 1) * (df + 1)) / (df + 2) + 1 / y;
}

/** Most steps of the search for a quantile; larger counts are searched in steps of several. */
const MOST_STEPS = 10_000;

/** Quantile of the negative binomial distribution with this mean and variance mean + dispersion mean². */
export function negativeBinomialQuantile(p: number, mean: number, dispersion: number): number {
  const step = Math.ceil(mean / MOST_STEPS);
  if (step > 1) {
    // Steps with the same mean and variance; the result is exact to one step, a ten-thousandth of the mean.
    return step * negativeBinomialQuantile(p, mean / step, Math.max(0, dispersion - (step - 1) / mean));
  }
  const spread = dispersion * mean;
  // Probability of 0, 1, 2, ... `term` and `total` are scaled by exp(depth), since exp(-depth) may underflow.
  let depth = spread === 0 ? mean : Math.log1p(spread) / dispersion;
  let [term, total, count] = [1, 1, 0];
  while (Math.log(total) - depth < Math.log(p)) {
    term *= ((1 + count * dispersion) * mean) / ((1 + spread) * (count + 1));
    total += term;
    count++;
    if (term < total * 1e-17 && count > mean) break;
    if (total > 1e200) {
      term /= 1e200;
      total /= 1e200;
      depth -= Math.log(1e200);
    }
  }
  return count;
}
