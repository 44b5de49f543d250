/**
 * The reference backend: every kernel as the simplest correct loop, in float32 or float64. It specifies the results of
 * the fast backends, and the gradient checks use it. Keep it simple rather than fast.
 */
import type { Backend, Kernels, ReduceName } from '../backend.js';
import { stridesOf } from '../shape.js';
import { randomWord } from '../threefry.js';
import { type ArrayBlock, values } from './block.js';
import { crfBackward, crfForward } from './crf.js';
import { ctc } from './ctc.js';
import { binaryFunctions, unaryFunctions } from './functions.js';
import { gruBackward, gruForward } from './gru.js';
import { layerNorm, layerNormBackward } from './layer-norm.js';
import { lstmBackward, lstmForward } from './lstm.js';
import { lstmGates, lstmGatesBackward } from './lstm-gates.js';
import { optimizerKernels } from './optimizers.js';
import { rnnBackward, rnnForward } from './rnn.js';
import { linearScan, linearScanBackward } from './scan.js';

/** Calls `visit` for every index of `shape` in row-major order, with the offset of the index for each list of strides. */
function forEachIndex(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (offsets: number[]) => void,
): void {
  const walk = (depth: number, offsets: number[]): void => {
    if (depth === shape.length) {
      visit(offsets);
      return;
    }
    for (let i = 0; i < shape[depth]; i++) {
      walk(
        depth + 1,
        offsets.map((offset, s) => offset + i * strides[s][depth]),
      );
    }
  };
  walk(
    0,
    strides.map(() => 0),
  );
}

const reducers: Record<ReduceName, { start: number; step: (total: number, x: number) => number }> = {
  sum: { start: 0, step: (total, x) => total + x },
  sumSquares: { start: 0, step: (total, x) => total + x * x },
  // A NaN is preserved: comparisons with it are false.
  max: {
    start: Number.NEGATIVE_INFINITY,
    step: (best, x) => (best >= x ? best : Number.isNaN(best) ? best : x),
  },
  min: {
    start: Number.POSITIVE_INFINITY,
    step: (best, x) => (best <= x ? best : Number.isNaN(best) ? best : x),
  },
};

const kernels: Kernels = {
  fill: (y, value) => void values(y).fill(value),

  copy({ x, offsetX = 0, y, offsetY = 0, shape = [y.length], ...strides }) {
    const { stridesX = stridesOf(shape), stridesY = stridesOf(shape) } = strides;
    const from = values(x);
    const to = values(y);
    forEachIndex(shape, [stridesX, stridesY], ([i, o]) => {
      to[offsetY + o] = from[offsetX + i];
    });
  },

  unary(op, x, y) {
    const f = unaryFunctions[op];
    const from = values(x);
    values(y).forEach((_, i, to) => {
      to[i] = f(from[i]);
    });
  },

  binary({ op, a, b, y, shape = [y.length], ...strides }) {
    const { stridesA = stridesOf(shape), stridesB = stridesOf(shape) } = strides;
    const f = binaryFunctions[op];
    const left = values(a);
    const right = values(b);
    const out = values(y);
    let index = 0;
    forEachIndex(shape, [stridesA, stridesB], ([i, j]) => {
      out[index++] = f(left[i], right[j]);
    });
  },

  reduce(op, x, y, inner) {
    const { start, step } = reducers[op];
    const [outer, n] = [y.length / inner, x.length / y.length];
    const from = values(x);
    const to = values(y);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let total = start;
        for (let k = 0; k < n; k++) total = step(total, from[(o * n + k) * inner + i]);
        to[o * inner + i] = total;
      }
    }
  },

  accumulate(y, x, scale) {
    const from = values(x);
    values(y).forEach((_, i, to) => {
      to[i] += scale * from[i];
    });
  },

  gemm(a, b, y, s) {
    const lda = s.lda ?? (s.transA ? s.m : s.k);
    const ldb = s.ldb ?? (s.transB ? s.k : s.n);
    const ldc = s.ldc ?? s.n;
    const [left, right, out] = [values(a), values(b), values(y)];
    const bias = s.bias && !s.add ? values(s.bias) : null;
    for (let batch = 0; batch < (s.batch ?? 1); batch++) {
      const offsetA = batch * (s.strideA ?? 0);
      const offsetB = batch * (s.strideB ?? 0);
      const offsetC = batch * (s.strideC ?? 0);
      for (let i = 0; i < s.m; i++) {
        for (let j = 0; j < s.n; j++) {
          let total = s.add ? out[offsetC + i * ldc + j] : (bias?.[j] ?? 0);
          for (let k = 0; k < s.k; k++) {
            total +=
              left[offsetA + (s.transA ? k * lda + i : i * lda + k)] *
              right[offsetB + (s.transB ? j * ldb + k : k * ldb + j)];
          }
          out[offsetC + i * ldc + j] = total;
        }
      }
    }
  },

  softmax(x, y, n, log) {
    const from = values(x);
    const to = values(y);
    for (let r = 0; r * n < x.length; r++) {
      const row = from.subarray(r * n, (r + 1) * n);
      let largest = Number.NEGATIVE_INFINITY;
      for (const value of row) largest = reducers.max.step(largest, value);
      let total = 0;
      for (const value of row) total += Math.exp(value - largest);
      const logTotal = Math.log(total);
      for (let j = 0; j < n; j++) {
        const shifted = row[j] - largest;
        to[r * n + j] = log ? shifted - logTotal : Math.exp(shifted) / total;
      }
    }
  },

  topK(x, best, indices, n) {
    const [from, toValues, toIndices] = [values(x), values(best), values(indices)];
    const rows = x.length / n;
    const k = best.length / rows;
    for (let r = 0; r < rows; r++) {
      const row = from.subarray(r * n, (r + 1) * n);
      const order = Array.from(row.keys()).sort((i, j) => {
        if (Number.isNaN(row[i]) || Number.isNaN(row[j])) {
          return Number(Number.isNaN(row[j])) - Number(Number.isNaN(row[i])) || i - j;
        }
        return row[i] === row[j] ? i - j : row[j] - row[i];
      });
      for (let rank = 0; rank < k; rank++) {
        toValues[r * k + rank] = row[order[rank]];
        toIndices[r * k + rank] = order[rank];
      }
    }
  },

  gather(table, ids, y, width) {
    const [rows, indices, out] = [values(table), values(ids), values(y)];
    indices.forEach((id, i) => {
      out.set(rows.subarray(id * width, (id + 1) * width), i * width);
    });
  },

  scatterAdd(table, ids, g, width) {
    const [rows, indices, grad] = [values(table), values(ids), values(g)];
    indices.forEach((id, i) => {
      for (let j = 0; j < width; j++) rows[id * width + j] += grad[i * width + j];
    });
  },

  randomUniform(key, counter, y) {
    values(y).forEach((_, i, out) => {
      out[i] = (randomWord(key, counter, i) >>> 8) * 2 ** -24;
    });
  },

  randomMask(key, counter, y, { keep, scale }) {
    const limit = Math.fround(keep) * 2 ** 24; // in float32, like the comparison in the kernels
    values(y).forEach((_, i, out) => {
      out[i] = randomWord(key, counter, i) >>> 8 < limit ? Math.fround(scale) : 0;
    });
  },

  ctc,
  ...optimizerKernels,
  rnnForward,
  rnnBackward,
  lstmForward,
  lstmBackward,
  gruForward,
  gruBackward,
  layerNorm,
  layerNormBackward,
  lstmGates,
  lstmGatesBackward,
  linearScan,
  linearScanBackward,
  crfForward,
  crfBackward,
};

/** Returns a reference backend of the given precision. */
export function referenceBackend(dtype: 'float32' | 'float64' = 'float32'): Backend {
  const float = dtype === 'float64' ? Float64Array : Float32Array;
  const allocate = (length: number): ArrayBlock => ({ length, values: new float(length) });
  return {
    name: 'reference',
    description: `reference, plain TypeScript in ${dtype}`,
    float,
    kernels,
    supports: (kernel) => kernel in kernels,
    minBatchForStepCopies: 1,
    allocate,
    release: () => {},
    temporary: allocate,
    openArena: () => {},
    closeArena: () => {},
    view: (block, offset, length): ArrayBlock => ({
      length,
      values: values(block).subarray(offset, offset + length),
    }),
    write: (block, data) => values(block).set(data),
    read: async (block) => values(block).slice(),
    readSync(block, to) {
      if (to === undefined) return values(block).slice();
      to.set(values(block));
      return to;
    },
  };
}
