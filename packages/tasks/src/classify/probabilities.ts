/** Converts logits to probabilities of labels, and averages the probabilities of the networks and of the n-gram model. */

/** Candidates for the weight of the n-gram model. Of those with equal losses, the first one is chosen. */
const WEIGHTS = [0.5, 0.6, 0.4, 0.7, 0.3, 0.8, 0.2, 0.9, 0.1];
/** With fewer inputs, the losses of the weights differ mostly by chance, so the first weight is chosen. */
const FEW_INPUTS = 50;
/** Added to a probability before its logarithm is taken. */
const EPSILON = 1e-7;

/** Probabilities of the labels of an input: the mean over the networks, and the probabilities of the n-gram model. */
export type ProbabilityParts = [networks: Float64Array, ngrams: Float64Array];

/**
 * Returns the weight for the n-gram model at which the cross-entropy is lowest; the first of `WEIGHTS` for few inputs.
 * @param classes classes of each input
 * @param options.isMultiLabel whether an input may have several classes
 * @param options.classWeights weight of each class in the loss; null if there are none
 */
export function bestWeight(
  parts: readonly ProbabilityParts[],
  classes: readonly Int32Array[],
  { isMultiLabel, classWeights }: { isMultiLabel: boolean; classWeights: readonly number[] | null },
): number {
  if (parts.length < FEW_INPUTS) return WEIGHTS[0];
  const lossAt = (weight: number): number =>
    parts.reduce((sum, [networks, ngrams], i) => {
      const p = mixProbabilities(networks, ngrams, weight);
      if (isMultiLabel) return sum + binaryLoss(p, classes[i]);
      const [k] = classes[i];
      return sum - (classWeights?.[k] ?? 1) * Math.log(p[k] + EPSILON);
    }, 0);
  const losses = WEIGHTS.map(lossAt);
  return WEIGHTS[losses.indexOf(Math.min(...losses))];
}

/** Returns the mean over the networks of the probability of each label. */
export const meanOf = (networks: readonly Float64Array[]): Float64Array =>
  networks[0].map((_, k) => networks.reduce((sum, p) => sum + p[k], 0) / networks.length);

/** Returns the weighted mean of the probabilities. @param weight weight of the n-gram model */
export const mixProbabilities = (
  networks: Float64Array,
  ngrams: Float64Array,
  weight: number,
): Float64Array => networks.map((p, k) => (1 - weight) * p + weight * ngrams[k]);

/** Returns the binary cross-entropy of an input, summed over the labels. */
function binaryLoss(probabilities: Float64Array, classes: Int32Array): number {
  const actual = new Set(classes);
  return probabilities.reduce((sum, p, k) => sum - Math.log((actual.has(k) ? p : 1 - p) + EPSILON), 0);
}

/** Returns the probabilities of labels of which exactly one is correct. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Returns the probabilities of labels that are independent of each other. */
export const sigmoid = (logits: ArrayLike<number>): Float64Array =>
  Float64Array.from(logits, (logit) => 1 / (1 + Math.exp(-logit)));
