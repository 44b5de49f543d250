/**
 * Compares every metric with scikit-learn, Keras and formulas (packages/testkit/goldens/training/metrics.json, written by
 * tools/goldens/training_metrics.py): all rows in one update, and in several updates between which the state is saved and
 * restored. Detects a wrong formula, average or treatment of ties, a mask or weights that are not applied per row, and metrics
 * that depend on the batches.
 */
import { describe, test } from 'node:test';
import { slice, type Tensor } from '@unroll/core';
import { mismatch, throwProblems } from '@unroll/testkit';
import { type Metric, type MetricName, metrics, resolveMetric } from '@unroll/train';
import {
  type GoldenNumber,
  numbersOf,
  type Packed,
  toTensor,
  toTensorOrNull,
  trainingGoldens,
} from './goldens.js';

interface MetricCase {
  name: string;
  metric: MetricName | 'confusionMatrix';
  options: Record<string, unknown>;
  prediction: Packed;
  target: Packed;
  mask?: Packed;
  sampleWeights?: Packed;
  value: GoldenNumber | Packed;
}

function metricOf({ metric, options }: MetricCase): Metric<number | number[][]> {
  if (metric === 'confusionMatrix') return metrics.confusionMatrix();
  const name = metric === 'accuracy' && 'threshold' in options ? 'binaryAccuracy' : metric;
  return resolveMetric({ name, ...options });
}

function check(golden: MetricCase, found: number | number[][]): void {
  throwProblems([mismatch(golden.metric, [found].flat(2), numbersOf(golden.value), 1e-6)]);
}

describe('metrics against the goldens', () => {
  for (const golden of trainingGoldens<{ cases: MetricCase[] }>('metrics.json').cases) {
    test(golden.name, () => {
      const [prediction, target] = [toTensor(golden.prediction), toTensor(golden.target)];
      const [mask, weights] = [toTensorOrNull(golden.mask), toTensorOrNull(golden.sampleWeights)];
      const metric = metricOf(golden);
      metric.update(prediction, target, mask, weights);
      check(golden, metric.result());

      metric.reset();
      for (let row = 0; row < prediction.shape[0]!; row += 2) {
        const end = Math.min(row + 2, prediction.shape[0]!);
        const part = (x: Tensor): Tensor => slice(x, 0, row, end);
        metric.update(part(prediction), part(target), mask && part(mask), weights && part(weights));
        const saved = JSON.parse(JSON.stringify(metric.state)) as typeof metric.state;
        metric.reset();
        metric.state = saved;
      }
      check(golden, metric.result());
    });
  }
});
