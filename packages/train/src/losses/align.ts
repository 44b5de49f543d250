/**
 * Checks that the shapes of predictions and targets match, and adds missing axes of size 1. The three functions differ in how
 * many predicted numbers belong to one target value.
 */
import { formatShape, reshape, type Shape, shapeError, type Tensor } from '@unroll/core';
import { sameShape } from '@unroll/core/internal';
import type { Pair } from './loss.js';

/** Reshapes a prediction [B] to [B, 1]; returns others unchanged. */
function withLastAxis(loss: string, prediction: Tensor): Tensor {
  if (prediction.rank >= 2) return prediction;
  if (prediction.rank === 1) return reshape(prediction, [...prediction.shape, 1]);
  throw shapeError(`${loss}: the prediction must have a batch axis, [B, ...], got a single number.`);
}

/** Aligns a target [..., K] with a prediction of the same shape; in both, a last axis of size 1 may be missing. */
export function alignSameShape(loss: string, output: Tensor, target: Tensor): Pair {
  const prediction = withLastAxis(loss, output);
  const reshaped = reshapeTo(prediction.shape, target);
  if (reshaped) return { prediction, target: reshaped };
  throw shapeError(
    `${mismatch(loss, output, target)} ` +
      'Give the last layer as many units as the target has columns. If the target has steps, set returnSequences: true.',
    { prediction: output.shape, target: target.shape },
  );
}

/**
 * Aligns one target per row, [...] or [..., 1], with a prediction [..., K].
 * @param what describes a target, for the message
 * @param hint an alternative, for the end of the message
 */
export function alignOnePerRow(
  loss: string,
  output: Tensor,
  target: Tensor,
  what: string,
  hint: string,
): Pair {
  const prediction = withLastAxis(loss, output);
  const reshaped = reshapeTo([...prediction.shape.slice(0, -1), 1], target);
  if (reshaped) return { prediction, target: reshaped };
  throw shapeError(
    `${mismatch(loss, output, target)} ` +
      `Give ${what} for each row (shape ${formatShape(prediction.shape.slice(0, -1))})${hint}.`,
    { prediction: output.shape, target: target.shape },
  );
}

/**
 * Aligns a target [..., K] with a prediction that has several numbers for each target value, [..., parts.length * K].
 * @param parts names of these numbers, for the message
 */
export function alignParts(loss: string, output: Tensor, target: Tensor, parts: readonly string[]): Pair {
  const prediction = withLastAxis(loss, output);
  const width = prediction.shape[prediction.rank - 1];
  const reshaped =
    width % parts.length === 0
      ? reshapeTo([...prediction.shape.slice(0, -1), width / parts.length], target)
      : null;
  if (reshaped) return { prediction, target: reshaped };
  const columns = target.rank === output.rank ? target.shape[target.rank - 1] : 1;
  throw shapeError(
    `${mismatch(loss, output, target)} ` +
      `Each target takes ${parts.length} outputs (first the values of ${parts.join(', then those of ')}): ` +
      `give the last layer ${parts.length} x ${columns} = ${parts.length * columns} units.`,
    { prediction: output.shape, target: target.shape, parts },
  );
}

/** Returns the first sentence of an error. */
function mismatch(loss: string, prediction: Tensor, target: Tensor): string {
  const [predicted, expected] = [formatShape(prediction.shape), formatShape(target.shape)];
  return `${loss}: the prediction has shape ${predicted}, but the target has shape ${expected}.`;
}

/** Returns the target in `shape` if it has this shape or only lacks a last axis of size 1, otherwise null. */
function reshapeTo(shape: Shape, target: Tensor): Tensor | null {
  if (sameShape(shape, target.shape)) return target;
  const withoutLast = shape.at(-1) === 1 ? shape.slice(0, -1) : null;
  return withoutLast && sameShape(withoutLast, target.shape) ? reshape(target, shape) : null;
}
