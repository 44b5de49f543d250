/**
 * Every loss, value and gradient, against Keras, PyTorch and formulas (packages/testkit/goldens/training/losses.json,
 * written by tools/goldens/training_losses.py). Detects a wrong formula, default, clipping, smoothing or reduction, and a
 * mask or weights with another divisor than in Keras.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  concat,
  mean,
  negativeBinomialLogLoss,
  setBackend,
  slice,
  studentTLogLoss,
  sum,
  type Tensor,
  valueAndGrad,
} from '@unroll/core';
import { largestMagnitude, mismatch, throwProblems } from '@unroll/testkit';
import { type Loss, type LossName, type Reduction, resolveLoss } from '@unroll/train';
import { alignParts, makeLoss } from '@unroll/train/internal';
import {
  type GoldenNumber,
  numbersOf,
  type Packed,
  toTensor,
  toTensorOrNull,
  trainingGoldens,
} from './goldens.js';

interface LossCase {
  name: string;
  loss: LossName;
  source: string;
  options: Record<string, unknown> & { reduction?: Reduction };
  predictions: Record<string, Packed>;
  target: Packed;
  mask?: Packed;
  sampleWeights?: Packed;
  perRow: Packed;
  value: GoldenNumber | Packed;
  gradients: Record<string, Packed>;
}

const { cases } = trainingGoldens<{ cases: LossCase[] }>('losses.json');

/** The order of a distribution's parameters in our predictions. */
const PARTS: Record<string, readonly string[]> = {
  'mean variance': ['mean', 'variance'],
  'mean rawScale': ['mean', 'rawScale'],
  'df loc scale': ['df', 'loc', 'scale'],
  'rawDf loc rawScale': ['loc', 'rawScale', 'rawDf'],
  'mean alpha': ['mean', 'alpha'],
  'rawMean rawAlpha': ['rawMean', 'rawAlpha'],
  prediction: ['prediction'],
};

/**
 * From logits, Unroll's focal losses do not clip (see losses/focal.ts), because the gradient of Keras's becomes 0 there. Tested
 * in losses-behaviour.test.ts.
 */
const DEVIATES = /^edge: (binary|categorical) focal logits/;

/** Returns the loss of a case. Distribution parameters that are not raw are passed directly to the op. */
function lossOf({ loss, options, predictions }: LossCase): Loss {
  if ('variance' in predictions) return resolveLoss({ name: 'gaussianNll', spread: 'variance', ...options });
  const direct = (parts: string[], of: (y: Tensor, p: Tensor[]) => Tensor): Loss =>
    makeLoss(
      {
        name: loss,
        config: {},
        align: (prediction, target) => alignParts(loss, prediction, target, parts),
        rows(prediction, target) {
          const width = prediction.shape[1]! / parts.length;
          const each = parts.map((_, i) => slice(prediction, 1, i * width, (i + 1) * width));
          return mean(of(target, each), -1);
        },
      },
      options,
    );
  if ('df' in predictions)
    return direct(['df', 'loc', 'scale'], (y, [v, m, s]) => studentTLogLoss(y, v!, m!, s!));
  if ('alpha' in predictions)
    return direct(['mean', 'alpha'], (y, [m, a]) => negativeBinomialLogLoss(y, m!, a!));
  return resolveLoss({ name: loss, ...options });
}

/** Computes the value, the losses of the rows, and the gradient of each parameter. */
function compute(golden: LossCase): { value: Tensor; rows: Tensor; gradients: Map<string, Tensor> } {
  const loss = lossOf(golden);
  const names = PARTS[Object.keys(golden.predictions).join(' ')]!;
  const leaves = names.map((name) => toTensor(golden.predictions[name]!));
  const [target, mask] = [toTensor(golden.target), toTensorOrNull(golden.mask)];
  const weights = toTensorOrNull(golden.sampleWeights);
  const whole = (): Tensor => concat(leaves, -1);
  const value = loss.compute(whole(), target, mask, weights);
  const { grads } = valueAndGrad(() => sum(loss.compute(whole(), target, mask, weights)), leaves);
  const rows = loss.rows(whole(), target);
  return { value, rows, gradients: new Map(names.map((name, i) => [name, grads[i]!])) };
}

function check(golden: LossCase): void {
  const { value, rows, gradients } = compute(golden);
  const edge = golden.name.startsWith('edge:') ? 1e-6 : 0;
  const close = (
    what: string,
    actual: Tensor,
    packed: GoldenNumber | Packed,
    least: number,
  ): string | null => {
    const expected = numbersOf(packed);
    if (typeof packed === 'object') assert.deepEqual(actual.shape, packed.shape, what);
    return mismatch(
      what,
      actual.dataSync(),
      expected,
      1e-5 * Math.max(least, largestMagnitude(expected)) + edge,
    );
  };
  throwProblems([
    close('value', value, golden.value, 1),
    close('rows', rows, golden.perRow, 1),
    ...[...gradients].map(([name, grad]) => close(`gradient of ${name}`, grad, golden.gradients[name]!, 0)),
  ]);
}

after(() => setBackend());

for (const backend of ['default', 'reference:float64'] as const) {
  describe(`losses against the goldens, backend ${backend}`, () => {
    for (const golden of cases) {
      // Keras clips at 1 - 1.19e-7 in float32, so the edge cases of its losses hold only in float32.
      const reason = DEVIATES.test(golden.name)
        ? 'not clipped here, see losses-behaviour.test.ts'
        : backend !== 'default' && /^edge: .*probabilities/.test(golden.name)
          ? 'the clip of float32'
          : false;
      test(golden.name, { skip: reason }, async () => {
        await (backend === 'default' ? setBackend() : setBackend(backend));
        check(golden);
      });
    }
  });
}
