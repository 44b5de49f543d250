/**
 * Functions on masks [B, T]: 1 for valid steps, 0 for padding. Properties of a mask are cached, because all layers of a
 * model use the same mask.
 */
import { concat, currentBackend, gather, reshape, type Tensor, valueError, zeros } from '@unroll/core';
import { hostTensor, hostValues, runtime } from '@unroll/core/internal';

export interface MaskProperties {
  /** True if all steps are valid. */
  allValid: boolean;
  /** True if in every row all valid steps come before the padding. */
  rightPadded: boolean;
  /** The largest of `lengths`. */
  longest: number;
  /** For each row, the index after its last valid step. */
  lengths: Uint32Array;
}

const cache = new WeakMap<Tensor, MaskProperties>();

export function maskProperties(mask: Tensor): MaskProperties {
  let properties = cache.get(mask);
  if (properties === undefined) {
    properties = readMask(mask);
    cache.set(mask, properties);
  }
  return properties;
}

function readMask(mask: Tensor): MaskProperties {
  const [B, T] = mask.shape;
  const values = hostValues(mask, 'A mask');
  const lengths = new Uint32Array(B);
  let rightPadded = true;
  for (let b = 0; b < B; b++) {
    let valid = 0;
    for (let t = 0; t < T; t++) {
      if (values[b * T + t] === 0) continue;
      valid++;
      lengths[b] = t + 1;
    }
    rightPadded &&= lengths[b] === valid;
  }
  const longest = lengths.reduce((max, length) => Math.max(max, length), 0);
  return { allValid: rightPadded && lengths.every((length) => length === T), rightPadded, longest, lengths };
}

/** Returns the mask [B, steps] of right-padded sequences with these lengths. */
export function lengthMask(lengths: ArrayLike<number>, steps: number): Tensor {
  const values = new (currentBackend().float)(lengths.length * steps);
  for (let b = 0; b < lengths.length; b++) values.fill(1, b * steps, b * steps + lengths[b]);
  return hostTensor(values, [lengths.length, steps]);
}

/** Returns a mask [B, T] that is 1 from the first valid step of each row to the end of the row. */
export function startedMask(mask: Tensor): Tensor {
  const [B, T] = mask.shape;
  const values = hostValues(mask, 'A mask').slice();
  for (let b = 0; b < B; b++) {
    for (let t = 1; t < T; t++) {
      if (values[b * T + t - 1] !== 0) values[b * T + t] = 1;
    }
  }
  return hostTensor(values, [B, T]);
}

/** Sets the masked steps of x [B, T, ...] to 0. (Multiplying by the mask would not remove a NaN.) */
export function zeroMaskedSteps(x: Tensor, mask: Tensor): Tensor {
  if (maskProperties(mask).allValid) return x;
  const [B, T, ...rest] = x.shape;
  const width = rest.reduce((size, extent) => size * extent, 1);
  // gather takes row indices as float32, which represents all integers up to 2^24.
  if (B * T > 2 ** 24)
    throw valueError(`A masked batch must have at most 2^24 steps, got ${B * T}. Reduce batchSize.`);
  const rows = concat([reshape(x, [B * T, width]), zeros([1, width])], 0);
  const ids = hostValues(mask, 'A mask').map((valid, row) => (valid === 0 ? B * T : row));
  return reshape(gather(rows, ids), x.shape);
}

/**
 * Returns a mask that is 1 where any of the masks is 1; null if one of the masks is null. A mask with a single step is
 * broadcast.
 */
export function anyMask(masks: readonly (Tensor | null)[]): Tensor | null {
  const [first, ...rest] = masks.filter((mask) => mask !== null);
  if (!first || rest.length + 1 < masks.length) return null;
  const all = [first, ...rest].map((mask) => ({ T: mask.shape[1], values: hostValues(mask, 'A mask') }));
  return maskWhere(first.shape[0], Math.max(...all.map(({ T }) => T)), (b, t) =>
    all.some(({ T, values }) => values[T === 1 ? b : b * T + t] !== 0),
  );
}

/** Returns a mask [B, T] that is 1 where `test(row, step)` is true. */
export function maskWhere(B: number, T: number, test: (row: number, step: number) => boolean): Tensor {
  const float = (runtime.scope?.backend ?? null)?.float ?? Float32Array;
  const values = new float(B * T);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) values[b * T + t] = test(b, t) ? 1 : 0;
  }
  return hostTensor(values, [B, T]);
}
