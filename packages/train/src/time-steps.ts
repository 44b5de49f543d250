/** Selects and joins time steps of batches, whose tensors are in host memory. */
import type { FloatArray, MaskedSequence, Tensor } from '@unroll/core';
import { hostTensor, hostValues, sizeOf } from '@unroll/core/internal';
import type { PreparedBatch } from './batches.js';

/** Returns the time steps `from` to `to - 1` of a batch with T steps. */
export function takeSteps(batch: PreparedBatch, from: number, to: number, T: number): PreparedBatch {
  if (from === 0 && to === T) return batch;
  const steps = (tensor: Tensor | null): Tensor | null => tensor && stepsOf(tensor, from, to);
  return {
    ...batch,
    inputs: batch.inputs.map((input) => stepsOf(input, from, to)),
    masks: batch.masks.map(steps),
    targets: batch.targets.map((target) => stepsOf(target, from, to)),
    weights: batch.weights.map((weights) => (weights?.shape[1] === T ? steps(weights) : weights)),
  };
}

/** Returns the time steps `from` to `to - 1` of a host tensor [B, T, ...]. */
function stepsOf(tensor: Tensor, from: number, to: number): Tensor {
  const [B, T, ...stepShape] = tensor.shape;
  const width = sizeOf(stepShape);
  const values = hostValues(tensor, 'A batch');
  const out = new (values.constructor as new (length: number) => FloatArray)(B * (to - from) * width);
  for (let b = 0; b < B; b++) {
    const row = values.subarray((b * T + from) * width, (b * T + to) * width);
    out.set(row, b * (to - from) * width);
  }
  return hostTensor(out, [B, to - from, ...stepShape]);
}

/** Joins the masks of consecutive pieces of a sequence; a piece without a mask has only valid steps. */
export function joinMasks(pieces: readonly MaskedSequence[]): Tensor | null {
  if (pieces.every(({ mask }) => mask === null)) return null;
  const B = pieces[0].value.shape[0];
  const lengths = pieces.map(({ value }) => value.shape[1]);
  const T = lengths.reduce((sum, length) => sum + length, 0);
  const out = new Float32Array(B * T).fill(1);
  let offset = 0;
  pieces.forEach(({ mask }, n) => {
    if (mask) {
      const values = hostValues(mask, 'A mask');
      for (let b = 0; b < B; b++)
        out.set(values.subarray(b * lengths[n], (b + 1) * lengths[n]), b * T + offset);
    }
    offset += lengths[n];
  });
  return hostTensor(out, [B, T]);
}

/** Returns true if no step is valid. */
export function isFullyMasked(mask: Tensor | null): boolean {
  return mask !== null && hostValues(mask, 'A mask').every((valid) => valid === 0);
}
