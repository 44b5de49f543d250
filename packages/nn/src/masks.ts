/**
 * Masks [B, T], 1 for valid steps. Facts about a mask are computed once and cached, because all layers of a model use
 * the same mask.
 */
import { concat, currentBackend, gather, reshape, type Tensor, valueError, zeros } from '@unroll/core';
import { hostTensor, hostValues, runtime } from '@unroll/core/internal';

export interface MaskFacts {
  /** All steps are valid. */
  all: boolean;
  /** In every row, the valid steps come first, then padding. */
  rightPadded: boolean;
  /** The index after the last valid step of any row. */
  longest: number;
  /** For each row: the index after its last valid step. */
  lengths: Uint32Array;
}

const known = new WeakMap<Tensor, MaskFacts>();

export function maskFacts(mask: Tensor): MaskFacts {
  let facts = known.get(mask);
  if (facts === undefined) {
    facts = readMask(mask);
    known.set(mask, facts);
  }
  return facts;
}

function readMask(mask: Tensor): MaskFacts {
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
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  return { all: rightPadded && lengths.every((length) => length === T), rightPadded, longest, lengths };
}

/** The mask [B, T] of right-padded sequences of these lengths. */
export function lengthMask(lengths: ArrayLike<number>, steps: number): Tensor {
  const values = new (currentBackend().float)(lengths.length * steps);
  for (let b = 0; b < lengths.length; b++) values.fill(1, b * steps, b * steps + lengths[b]);
  return hostTensor(values, [lengths.length, steps]);
}

/** 1 from the first valid step of each row on, [B, T]. */
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

/** x [B, T, ...] with zeros at masked steps, even if they contain NaN, which a product with the mask would preserve. */
export function validSteps(x: Tensor, mask: Tensor): Tensor {
  if (maskFacts(mask).all) return x;
  const [B, T, ...rest] = x.shape;
  const width = rest.reduce((size, extent) => size * extent, 1);
  // gather takes row numbers as float32, which holds every integer up to 2^24.
  if (B * T > 2 ** 24)
    throw valueError(`A masked batch must have at most 2^24 steps, got ${B * T}. Reduce batchSize.`);
  const rows = concat([reshape(x, [B * T, width]), zeros([1, width])], 0);
  const ids = hostValues(mask, 'A mask').map((counts, row) => (counts === 0 ? B * T : row));
  return reshape(gather(rows, ids), x.shape);
}

/** The union of several masks, with a mask of one step broadcast; null if one of them is null. */
export function anyMask(masks: readonly (Tensor | null)[]): Tensor | null {
  const [first, ...rest] = masks.filter((mask) => mask !== null);
  if (!first || rest.length + 1 < masks.length) return null;
  const all = [first, ...rest].map((mask) => ({ T: mask.shape[1], values: hostValues(mask, 'A mask') }));
  return maskWhere(first.shape[0], Math.max(...all.map(({ T }) => T)), (b, t) =>
    all.some(({ T, values }) => values[T === 1 ? b : b * T + t] !== 0),
  );
}

/** A mask [B, T] that is 1 where `test(b, t)` holds. */
export function maskWhere(B: number, T: number, test: (row: number, step: number) => boolean): Tensor {
  const float = (runtime.scope?.backend ?? null)?.float ?? Float32Array;
  const values = new float(B * T);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) values[b * T + t] = test(b, t) ? 1 : 0;
  }
  return hostTensor(values, [B, T]);
}
