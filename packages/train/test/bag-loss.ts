/**
 * A small loss over sequences, for tests. It ignores the order of the labels and has one parameter, the sharpness s. For the
 * prediction x [T, K] with T' valid steps and the labels y_1 .. y_L,
 *
 *   p_k = (1 / T') Σ_t softmax(s x_t)_k        mean probability of class k over the valid steps
 *   loss = -(1 / L) Σ_l log p_(y_l)            0 without labels
 */
import { log, mul, type Parameter, softmax, sub, sum, type Tensor, tensor, valueError } from '@unroll/core';
import { type Loss, type LossOptions, type LossParameterOptions, losses } from '@unroll/train';

export interface BagOptions extends LossOptions {
  /** Initial sharpness. Default 1. */
  start?: number;
  /** Options of the parameter, the sharpness. */
  parameterOptions?: LossParameterOptions;
}

export function bagOfLabels({ start = 1, parameterOptions = {}, ...options }: BagOptions = {}): Loss {
  return losses.sequence<{ sharpness: Parameter }>(
    {
      ...{ name: 'bagOfLabels', config: { start }, padding: -1 },
      build: (_prediction, make) => ({ sharpness: make('sharpness', [], start, parameterOptions) }),
      losses({ prediction, target, mask, lengths, targetLengths, example }, { sharpness }): Tensor {
        const [B, T, K] = prediction.shape as [number, number, number];
        const [labels, valid] = [target.dataSync(), mask?.dataSync()];
        const L = target.shape[1];
        const stepWeights = Float64Array.from({ length: B * T }, (_, i) =>
          valid && valid[i] === 0 ? 0 : 1 / lengths[Math.floor(i / T)],
        );
        const labelWeights = new Float64Array(B * K);
        for (let b = 0; b < B; b++) {
          for (let l = 0; l < targetLengths[b]; l++) {
            const label = labels[b * L + l];
            if (!(Number.isInteger(label) && label >= 0 && label < K)) {
              throw valueError(`bagOfLabels: the target of ${example(b)} has the label ${label}.`);
            }
            labelWeights[b * K + label] += 1 / targetLengths[b];
          }
        }
        const weighted = mul(softmax(mul(prediction, sharpness)), tensor(stepWeights, [B, T, 1]));
        return sub(0, sum(mul(log(sum(weighted, 1)), tensor(labelWeights, [B, K])), 1));
      },
    },
    options,
  );
}

/** Returns the same loss for one sequence, computed with plain numbers. All steps are valid. */
export function bagOfLabelsByHand(
  steps: readonly (readonly number[])[],
  labels: readonly number[],
  sharpness: number,
): number {
  const probabilities = steps.map((x) => {
    const powers = x.map((value) => Math.exp(sharpness * value));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / total);
  });
  const mean = (k: number): number => probabilities.reduce((sum, p) => sum + p[k], 0) / steps.length;
  return labels.reduce((sum, label) => sum - Math.log(mean(label)) / labels.length, 0);
}
