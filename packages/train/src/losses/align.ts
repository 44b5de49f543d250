/** Matches the shape of targets to that of a prediction, in the three ways that losses use. */
import { formatShape, reshape, type Shape, shapeError, type Tensor } from '@unroll/core';
import { sameShape } from '@unroll/core/internal';
import type { Pair } from './loss.js';

/** Treats [B] as [B, 1]: one number per example. */
function asRows(loss: string, prediction: Tensor): Tensor {
  if (prediction.rank >= 2) return prediction;
  if (prediction.rank === 1) return reshape(prediction, [...prediction.shape, 1]);
  throw shapeError(`${loss}: the prediction must have a batch axis, [B, ...], got a single number.`);
}

/** The target with the same axes as the prediction: [..., K]; a last axis of 1 may be missing. */
export function alignSameShape(loss: string, given: Tensor, target: Tensor): Pair {
  const prediction = asRows(loss, given);
  const reshaped = reshapedTo(prediction.shape, target);
  if (reshaped) return { prediction, target: reshaped };
  throw shapeError(
    `${mismatch(loss, given, target)} ` +
      'Give the last layer as many units as the target has columns, and set returnSequences if it has steps.',
    { prediction: given.shape, target: target.shape },
  );
}

/** One target per row, [...] or [..., 1], for a prediction [..., K]. `what` describes it in the error. */
export function alignOnePerRow(
  loss: string,
  given: Tensor,
  target: Tensor,
  what: string,
  hint: string,
): Pair {
  const prediction = asRows(loss, given);
  const reshaped = reshapedTo([...prediction.shape.slice(0, -1), 1], target);
  if (reshaped) return { prediction, target: reshaped };
  throw shapeError(
    `${mismatch(loss, given, target)} ` +
      `Give ${what} for each row, ${formatShape(prediction.shape.slice(0, -1))}${hint}.`,
    { prediction: given.shape, target: target.shape },
  );
}

/** Targets [..., K] for a prediction of `parts` numbers each, [..., parts * K]. */
export function alignParts(loss: string, given: Tensor, target: Tensor, parts: readonly string[]): Pair {
  const prediction = asRows(loss, given);
  const width = prediction.shape[prediction.rank - 1];
  const reshaped =
    width % parts.length === 0
      ? reshapedTo([...prediction.shape.slice(0, -1), width / parts.length], target)
      : null;
  if (reshaped) return { prediction, target: reshaped };
  const columns = target.rank === given.rank ? target.shape[target.rank - 1] : 1;
  throw shapeError(
    `${mismatch(loss, given, target)} ` +
      `Each target takes ${parts.length} outputs (first all of ${parts.join(', then all of ')}): ` +
      `give the last layer ${parts.length} x ${columns} = ${parts.length * columns} units.`,
    { prediction: given.shape, target: target.shape, parts },
  );
}

function mismatch(loss: string, prediction: Tensor, target: Tensor): string {
  const [predicted, wanted] = [formatShape(prediction.shape), formatShape(target.shape)];
  return `${loss}: the model predicts ${predicted} and the target is ${wanted}.`;
}

/** Reshapes the target if it differs from the shape only by a last axis of 1. */
function reshapedTo(shape: Shape, target: Tensor): Tensor | null {
  if (sameShape(shape, target.shape)) return target;
  const short = shape.at(-1) === 1 ? shape.slice(0, -1) : null;
  return short && sameShape(short, target.shape) ? reshape(target, shape) : null;
}
