/** Quantile functions of the normal, Student's t- and negative binomial distributions. */

/** Returns a quantile of the standard normal distribution (Acklam's approximation; relative error below 1.2e-9). */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    const numerator = [
      -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    ];
    const denominator = [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
    return (horner(numerator, q) * q + 2.938163982698783) / (horner(denominator, q) * q + 1);
  }
  const q = p - 0.5;
  const r = q * q;
  const numerator = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
  ];
  const denominator = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572,
  ];
  return ((horner(numerator, r) * r + 2.506628277459239) * q) / (horner(denominator, r) * r + 1);
}

const horner = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);

/**
 * Returns a quantile of Student's t-distribution with `df` >= 2 degrees of freedom. Uses Hill's algorithm 396 (1970), whose
 * relative error is about 1e-4. The variable names a, b, c, d, x and y are Hill's.
 */
export function studentTQuantile(p: number, df: number): number {
  if (p === 0.5) return 0;
  if (p < 0.5) return -studentTQuantile(1 - p, df);
  const tailProbability = 2 * (1 - p); // of both tails
  if (df === 2) return Math.sqrt(2 / (tailProbability * (2 - tailProbability)) - 2);
  const a = 1 / (df - 0.5);
  const b = 48 / (a * a);
  const c = ((20700 * a) / b - 98) * a * a - 16 * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt((a * Math.PI) / 2) * df;
  const y = (d * tailProbability) ** (2 / df);
  return Math.sqrt(
    df * (y > 0.05 + a ? centralExpansion(tailProbability, df, { a, b, c, d }) : tailExpansion(y, df, d)),
  );
}

/** Hill's expansion around the normal quantile. Returns the squared t-quantile divided by `df`. */
function centralExpansion(
  tailProbability: number,
  df: number,
  hill: { a: number; b: number; c: number; d: number },
): number {
  const x = normalQuantile(tailProbability / 2);
  const y = x * x;
  const correctedC = df < 5 ? hill.c + 0.3 * (df - 4.5) * (x + 0.6) : hill.c;
  const c = (((0.05 * hill.d * x - 5) * x - 7) * x - 2) * x + hill.b + correctedC;
  const z = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / hill.b + 1) * x;
  return Math.expm1(hill.a * z * z);
}

/** Hill's expansion for the tails. Returns the squared t-quantile divided by `df`. */
function tailExpansion(y: number, df: number, d: number): number {
  const correction = 1 / (((df + 6) / (df * y) - 0.089 * d - 0.822) * (df + 2) * 3) + 0.5 / (df + 4);
  return ((correction * y - 1) * (df + 1)) / (df + 2) + 1 / y;
}

/** If the mean is larger than this, the search for a quantile advances several counts per step. */
const MAX_STEPS = 10_000;

/** Returns a quantile of the negative binomial distribution with the given mean, and variance mean + dispersion · mean². */
export function negativeBinomialQuantile(p: number, mean: number, dispersion: number): number {
  const step = Math.ceil(mean / MAX_STEPS);
  if (step > 1) {
    // `step` times a negative binomial count with the mean `mean / step` has the same mean and variance. The quantile is a multiple
    // of `step`, so its error is about 1e-4 of the mean.
    return step * negativeBinomialQuantile(p, mean / step, Math.max(0, dispersion - (step - 1) / mean));
  }
  const relativeDispersion = dispersion * mean;
  // Sums the probabilities of 0, 1, 2, ... Both `term` and `total` are multiplied by exp(logScale), because the probability
  // of 0, exp(-logScale), may underflow.
  let logScale = relativeDispersion === 0 ? mean : Math.log1p(relativeDispersion) / dispersion;
  let [term, total, count] = [1, 1, 0];
  while (Math.log(total) - logScale < Math.log(p)) {
    term *= ((1 + count * dispersion) * mean) / ((1 + relativeDispersion) * (count + 1));
    total += term;
    count++;
    if (term < total * 1e-17 && count > mean) break;
    if (total > 1e200) {
      term /= 1e200;
      total /= 1e200;
      logScale -= Math.log(1e200);
    }
  }
  return count;
}
