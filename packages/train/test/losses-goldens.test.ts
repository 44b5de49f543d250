/**
 * Compares the value and the gradient of every loss with Keras, PyTorch and formulas
 * (packages/testkit/goldens/training/losses.json, written by tools/goldens/training_losses.py). Detects a wrong
 * formula, default, clipping, smoothing or reduction, and a mean over masked or weighted rows with a divisor that differs from
 * that of Keras.
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

/** The order in which a loss expects its predictions. The key is the list of their names in the goldens. */
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
 * From logits, Unroll's focal losses do not clip (see losses/focal.ts), because clipping, as in Keras, makes the gradient 0.
 * They are tested in losses-behaviour.test.ts.
 */
const NOT_CLIPPED = /^edge: (binary|categorical) focal logits/;

/** Returns the loss of a case. Distribution parameters that are not raw are passed directly to the op. */
function lossOf({ loss, options, predictions }: LossCase): Loss {
  if ('variance' in predictions) return resolveLoss({ name: 'gaussianNll', spread: 'variance', ...options });
  const lossFromOp = (parts: string[], op: (y: Tensor, parameters: Tensor[]) => Tensor): Loss =>
    makeLoss(
      {
        name: loss,
        config: {},
        align: (prediction, target) => alignParts(loss, prediction, target, parts),
        rows(prediction, target) {
          const width = prediction.shape[1]! / parts.length;
          const parameters = parts.map((_, i) => slice(prediction, 1, i * width, (i + 1) * width));
          return mean(op(target, parameters), -1);
        },
      },
      options,
    );
  if ('df' in predictions)
    return lossFromOp(['df', 'loc', 'scale'], (y, [v, m, s]) => studentTLogLoss(y, v!, m!, s!));
  if ('alpha' in predictions)
    return lossFromOp(['mean', 'alpha'], (y, [m, a]) => negativeBinomialLogLoss(y, m!, a!));
  return resolveLoss({ name: loss, ...options });
}

/** Computes the value, the losses of the rows, and the gradient of each parameter. */
function compute(golden: LossCase): { value: Tensor; rows: Tensor; gradients: Map<string, Tensor> } {
  const loss = lossOf(golden);
  const names = PARTS[Object.keys(golden.predictions).join(' ')]!;
  const parts = names.map((name) => toTensor(golden.predictions[name]!));
  const [target, mask] = [toTensor(golden.target), toTensorOrNull(golden.mask)];
  const weights = toTensorOrNull(golden.sampleWeights);
  const prediction = (): Tensor => concat(parts, -1);
  const value = loss.compute(prediction(), target, mask, weights);
  const { grads } = valueAndGrad(() => sum(loss.compute(prediction(), target, mask, weights)), parts);
  const rows = loss.rows(prediction(), target);
  return { value, rows, gradients: new Map(names.map((name, i) => [name, grads[i]!])) };
}

function check(golden: LossCase): void {
  const { value, rows, gradients } = compute(golden);
  const edgeTolerance = golden.name.startsWith('edge:') ? 1e-6 : 0;
  const close = (
    what: string,
    actual: Tensor,
    packed: GoldenNumber | Packed,
    minScale: number,
  ): string | null => {
    const expected = numbersOf(packed);
    if (typeof packed === 'object') assert.deepEqual(actual.shape, packed.shape, what);
    return mismatch(
      what,
      actual.dataSync(),
      expected,
      1e-5 * Math.max(minScale, largestMagnitude(expected)) + edgeTolerance,
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
      const reason = NOT_CLIPPED.test(golden.name)
        ? 'Unroll does not clip, see losses-behaviour.test.ts'
        : backend !== 'default' && /^edge: .*probabilities/.test(golden.name)
          ? 'the clipping bound of the goldens (float32) differs from that of float64'
          : false;
      test(golden.name, { skip: reason }, async () => {
        await (backend === 'default' ? setBackend() : setBackend(backend));
        check(golden);
      });
    }
  });
}
