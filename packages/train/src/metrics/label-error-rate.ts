/** Label error rate, the metric of models trained with connectionist temporal classification. */
import { formatShape, shapeError, type Tensor } from '@unroll/core';
import { bestPath, checkOptions, hostValues } from '@unroll/core/internal';
import { rowFactors } from '../losses/row-factors.js';
import { eachRow, type Metric, type MetricBatch, makeMetric, ratio } from './metric.js';

export interface LabelErrorRateOptions {
  /** The class of the blank. Default 0. */
  blank?: number;
  /** The value that fills targets after their last label. Default -1. */
  padding?: number;
}

/**
 * Label error rate of the most probable alignment: the edit distance (insertions, deletions and substitutions) between
 * predicted and target labels, divided by the number of target labels; both are summed over all sequences, as for the word
 * error rate. 0 is perfect, and values above 1 are possible.
 *
 * The predictions are scores [B, T, C] of C classes including the blank, the targets are labels [B, L], padded at the end.
 */
export function labelErrorRate(options: LabelErrorRateOptions = {}): Metric {
  const name = 'labelErrorRate';
  checkOptions(name, options, { blank: 'nonNegativeInteger', padding: 'number' });
  const { blank = 0, padding = -1 } = options;
  return makeMetric({
    name,
    config: { blank, padding },
    better: 'lower',
    align: (prediction, target, mask, weights) =>
      editsOf(name, blank, padding, prediction, target, mask, weights),
    size: () => 2,
    add(sums, batch) {
      eachRow(batch, (row, weight) => {
        sums[0] += weight * batch.prediction[row];
        sums[1] += weight * batch.target[row];
      });
    },
    result: ([edits = 0, labels = 0]) => ratio(edits, labels),
  });
}

/** Returns a batch with one row per sequence. `prediction` contains its edit distance, `target` its number of labels. */
function editsOf(
  name: string,
  blank: number,
  padding: number,
  prediction: Tensor,
  target: Tensor,
  mask: Tensor | null,
  weights: Tensor | null,
): MetricBatch {
  const [B, T, C] = prediction.shape;
  const L = target.shape[1];
  if (prediction.rank !== 3 || target.shape[0] !== B || target.size !== B * L) {
    throw shapeError(
      `${name}: predictions must have the shape [batch, time, classes] and targets the shape [batch, steps], got ` +
        `${formatShape(prediction.shape)} and ${formatShape(target.shape)}.`,
      { prediction: prediction.shape, target: target.shape },
    );
  }
  const scores = hostValues(prediction, `${name}: the prediction`);
  const labels = hostValues(target, `${name}: the target`);
  const valid = mask && hostValues(mask, `${name}: the mask`);
  const padValue = labels instanceof Float32Array ? Math.fround(padding) : padding;
  const edits = new Float64Array(B);
  const counts = new Float64Array(B);
  for (let b = 0; b < B; b++) {
    const steps = Array.from({ length: T }, (_, t) => b * T + t).filter((t) => valid?.[t] !== 0);
    const row = labels.subarray(b * L, (b + 1) * L);
    const end = row.indexOf(padValue);
    const targetLabels = end < 0 ? row : row.subarray(0, end);
    edits[b] = editDistance(
      bestPath(scores, steps.length, C, blank, (t) => steps[t] * C).labels,
      targetLabels,
    );
    counts[b] = targetLabels.length;
    if (steps.length === 0) edits[b] = counts[b] = 0; // the loss ignores such sequences, too
  }
  const factors = rowFactors(name, [B], null, weights).factors ?? new Float64Array(B).fill(1);
  return { prediction: edits, target: counts, width: C, weights: factors };
}

/** Returns the Levenshtein distance of two sequences. */
function editDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(substituted, previous[j] + 1, current[j - 1] + 1);
    }
    previous = current;
  }
  return previous[b.length];
}
