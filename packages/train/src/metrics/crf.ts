/** Accuracy of taggers whose output layer is `crf`. */
import {
  concat,
  formatShape,
  reshape,
  shapeError,
  type Tensor,
  tensor,
  valueError,
  viterbi,
} from '@unroll/core';
import { checkOptions, crfOutputOf, hostValues } from '@unroll/core/internal';
import { correctShare } from './accuracy.js';
import { alignElements, type Metric, type MetricBatch, type NoOptions } from './metric.js';

const NAME = 'crfAccuracy';

/**
 * Share of steps whose tag in the best sequence of tags (Viterbi) is the target. The metric `accuracy` would compare the target
 * with the tag of the largest emission score, which ignores the transitions. Targets are tag ids, [B, T].
 */
export function crfAccuracy(options: NoOptions = {}): Metric {
  checkOptions(NAME, options, {});
  const alignTags = alignElements(NAME);
  const metric = correctShare(
    NAME,
    {},
    (prediction, target, mask, weights) => {
      const tags = bestTags(prediction.rank === 2 ? prediction : withScores(prediction), target, mask);
      return alignTags(...tags, mask, weights);
    },
    ({ prediction, target }: MetricBatch, row) => prediction[row] === target[row],
  );
  return Object.assign(metric, { prepare: withScores });
}

/**
 * Returns the emissions [B T, K], followed by the transitions [K, K] and the start and end scores, [1, K] each. They form
 * one tensor, which is read from the backend with the other values of a step, before the weights change.
 */
function withScores(emissions: Tensor): Tensor {
  const output = crfOutputOf(emissions);
  if (!output) {
    throw valueError(
      `${NAME} needs the output of a crf layer. Make crf({ tags }) the last layer of the model, or use accuracy.`,
    );
  }
  const [B, T, K] = emissions.shape;
  const { transitions, start, end } = output.scores();
  return concat(
    [reshape(emissions, [B * T, K]), transitions, reshape(start, [1, K]), reshape(end, [1, K])],
    0,
  );
}

/** Returns the best tags and the targets, [B, T] each. @param packed the result of {@link withScores} */
function bestTags(packed: Tensor, target: Tensor, mask: Tensor | null): [tags: Tensor, target: Tensor] {
  const [rows, K] = packed.shape;
  const [B, T] = target.shape;
  if (B * T + K + 2 !== rows || target.size !== B * T) {
    throw shapeError(
      `${NAME}: the target must have one tag id for each of the ${rows - K - 2} steps of the batch, got the shape ${formatShape(target.shape)}.`,
      { target: target.shape },
    );
  }
  const values = hostValues(packed, `${NAME}: the prediction`);
  const valid = mask && hostValues(mask, 'A mask');
  const part = (first: number, count: number) => values.subarray(first * K, (first + count) * K);
  const scores = {
    transitions: part(B * T, K),
    start: part(B * T + K, 1),
    end: part(B * T + K + 1, 1),
  };
  const tags = new Float64Array(B * T);
  for (let b = 0; b < B; b++) {
    const steps = Array.from({ length: T }, (_, t) => b * T + t).filter((step) => valid?.[step] !== 0);
    const emissions = Float64Array.from(steps.flatMap((step) => [...part(step, 1)]));
    viterbi({ emissions, ...scores }).tags.forEach((tag, s) => {
      tags[steps[s]] = tag;
    });
  }
  return [tensor(tags, [B, T]), reshape(target, [B, T])];
}
