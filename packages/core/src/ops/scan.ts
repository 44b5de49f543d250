/**
 * The linear scan over a sequence as one op: h_t = a_t h_{t-1} + b_t for every unit. minGRU and minLSTM consist of a matrix
 * product over all steps and this scan.
 */
import { formatShape, shapeError } from '../errors.js';
import { apply, type Op } from '../op.js';
import { type Shape, sameShape } from '../shape.js';
import { type Tensor, temporaryTensor } from '../tensor.js';
import { blockOf, copyOrZeros } from './recurrent.js';

/** The inputs of {@link linearScan}. */
export interface LinearScanInputs {
  /** The factors, [B, T, H]. */
  a: Tensor;
  /** The terms, [B, T, H]. */
  b: Tensor;
  /** The initial state, [B, H]. Default: zeros. */
  h0?: Tensor | null;
  /**
   * Mask [B, T]: 1 at valid steps; at steps with 0, the state keeps its value, and a and b are not used. Default: all steps
   * are valid.
   */
  mask?: Tensor | null;
}

export interface LinearScanAttributes {
  /** Process the sequence from the last step to the first. */
  reverse: boolean;
}

type ScanInputs = readonly [a: Tensor, b: Tensor, h0: Tensor | null, mask: Tensor | null];

const linearScanOp: Op<LinearScanAttributes, ScanInputs, readonly [y: Tensor, h: Tensor]> = {
  name: 'linearScan',
  shapes([a, b, h0, mask]) {
    const [B, T, H] = a;
    const expect = (label: string, got: Shape | null, want: Shape): void => {
      if (got === null || sameShape(got, want)) return;
      throw shapeError(
        `linearScan: ${label} has shape ${formatShape(got)}, expected ${formatShape(want)} for a ${formatShape(a)}.`,
        { label, got, want },
      );
    };
    if (a.length !== 3 || T === 0) {
      throw shapeError(
        `linearScan takes factors a [batch, time, units] of at least one time step, got ${formatShape(a)}.`,
        { a },
      );
    }
    expect('b', b, a);
    expect('the initial state', h0, [B, H]);
    expect('the mask', mask, [B, T]);
    return [a, [B, H]];
  },

  forward({ inputs: [a, b, h0, mask], attrs: { reverse }, outputs: [y, h], kernels }) {
    const [B, T, H] = a.shape as [number, number, number];
    kernels.linearScan({
      ...{ B, T, H, reverse },
      a: a.block(),
      b: b.block(),
      h: y.block(),
      h0: blockOf(h0),
      mask: blockOf(mask),
    });
    const last = reverse ? 0 : (T - 1) * H;
    kernels.copy({ x: y.block(), offsetX: last, stridesX: [T * H, 1], y: h.block(), shape: [B, H] });
  },

  backward({ inputs: [a, , h0, mask], attrs: { reverse }, outputs: [y], grads: [dy, dLast], kernels }) {
    const [B, T, H] = a.shape as [number, number, number];
    const dh = copyOrZeros(kernels, [B, H], dLast);
    const [da, db] = [temporaryTensor(a.shape), temporaryTensor(a.shape)];
    kernels.linearScanBackward({
      ...{ B, T, H, reverse },
      a: a.block(),
      h: y.block(),
      h0: blockOf(h0),
      mask: blockOf(mask),
      dy: blockOf(dy),
      dh: dh.block(),
      da: da.block(),
      db: db.block(),
    });
    return [da, db, h0 && dh, null];
  },
};

export const scanOps = { linearScan: linearScanOp };

/**
 * Computes h_t = a_t h_{t-1} + b_t for all steps. With 0 <= a_t <= 1, rounding errors of earlier steps do not grow, so
 * float32 is exact enough for sequences of any length. (A parallel scan needs logarithms, because it divides by products
 * of many a_t, which underflow. A sequential scan does not divide.)
 * @returns y, the states of all steps in time order, [B, T, H], and the final state h, [B, H]
 * @throws UnrollError `shape` if the shapes of the inputs do not match
 */
export function linearScan(
  { a, b, h0 = null, mask = null }: LinearScanInputs,
  attributes: LinearScanAttributes = { reverse: false },
): { y: Tensor; h: Tensor } {
  const [y, h] = apply(linearScanOp, [a, b, h0, mask], attributes);
  return { y, h };
}
