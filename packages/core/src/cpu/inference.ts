/** The kernels for inference, except the recurrent cells. */
import {
  BinaryOp,
  callBinary,
  callGather,
  callGemm,
  callReduce,
  callSoftmax,
  type KernelModule,
  ReduceOp,
  UnaryOp,
} from '@unroll/kernels';
import type { Kernels } from '../backend.js';
import { stridesOf } from '../shape.js';
import { addressOf, markDirty } from './block.js';
import { dimsWriter, FLOAT_BYTES, type WholeMemory } from './memory.js';

/** For at most this many numbers, a kernel call takes longer than the same operation in JavaScript. */
const MAX_JAVASCRIPT_LENGTH = 4096;

type InferenceKernels = Pick<
  Kernels,
  'fill' | 'copy' | 'unary' | 'binary' | 'reduce' | 'gemm' | 'softmax' | 'gather'
>;

/** Returns the kernels of this file. @param dimsAddress the address at which the kernels read shapes and strides */
export function inferenceKernels(
  module: KernelModule,
  wholeMemory: WholeMemory,
  dimsAddress: number,
): InferenceKernels {
  return { ...elementwiseKernels(module, wholeMemory, dimsAddress), ...matrixKernels(module) };
}

type MatrixKernels = Pick<Kernels, 'gemm' | 'softmax' | 'gather'>;

function elementwiseKernels(
  module: KernelModule,
  wholeMemory: WholeMemory,
  dimsAddress: number,
): Omit<InferenceKernels, keyof MatrixKernels> {
  const { kernels: k, memory } = module;
  const writeDims = dimsWriter(memory, dimsAddress);
  return {
    fill(y, value) {
      const address = addressOf(y);
      const all = y.length <= MAX_JAVASCRIPT_LENGTH ? wholeMemory(address + y.length * FLOAT_BYTES) : null;
      if (all) all.fill(value, address / FLOAT_BYTES, address / FLOAT_BYTES + y.length);
      else k.fill(address, y.length, value);
      markDirty(y);
    },
    copy({ x, offsetX = 0, y, offsetY = 0, shape = [y.length], ...strides }) {
      const { stridesX = stridesOf(shape), stridesY = stridesOf(shape) } = strides;
      // A short copy of adjacent elements is faster in JavaScript.
      const last = shape.length - 1;
      const length = shape[last] ?? 1;
      let leadingOnes = 0;
      while (leadingOnes < last && shape[leadingOnes] === 1) leadingOnes++;
      if (
        leadingOnes === last &&
        length <= MAX_JAVASCRIPT_LENGTH &&
        stridesX[last] === 1 &&
        stridesY[last] === 1
      ) {
        const from = addressOf(x) / FLOAT_BYTES + offsetX;
        const to = addressOf(y) / FLOAT_BYTES + offsetY;
        const all = wholeMemory((Math.max(from, to) + length) * FLOAT_BYTES);
        if (all) {
          all.copyWithin(to, from, from + length);
          markDirty(y);
          return;
        }
      }
      const rank = writeDims(shape, stridesX, stridesY);
      k.copy_strided(
        addressOf(x) + offsetX * FLOAT_BYTES,
        addressOf(y) + offsetY * FLOAT_BYTES,
        rank,
        dimsAddress,
      );
      markDirty(y);
    },
    unary(op, x, y) {
      k.unary(UnaryOp[op], addressOf(x), addressOf(y), y.length);
      markDirty(y);
    },
    binary({ op, a, b, y, shape = [y.length], ...strides }) {
      const { stridesA = stridesOf(shape), stridesB = stridesOf(shape) } = strides;
      const rank = writeDims(shape, stridesA, stridesB);
      callBinary(module, {
        op: BinaryOp[op],
        a: addressOf(a),
        b: addressOf(b),
        y: addressOf(y),
        rank,
        dims: dimsAddress,
      });
      markDirty(y);
    },
    reduce(op, x, y, inner) {
      if (y.length === 0) return;
      const [outer, n] = [y.length / inner, x.length / y.length];
      callReduce(module, { op: ReduceOp[op], x: addressOf(x), y: addressOf(y), outer, n, inner });
      markDirty(y);
    },
  };
}

function matrixKernels(module: KernelModule): MatrixKernels {
  return {
    gemm(a, b, y, s) {
      const { m, n, k, transA, transB, bias, batch = 1, strideA = 0, strideB = 0, strideC = 0 } = s;
      callGemm(module, {
        transA: transA ? 1 : 0,
        transB: transB ? 1 : 0,
        m,
        n,
        k,
        A: addressOf(a),
        lda: s.lda ?? (transA ? m : k),
        B: addressOf(b),
        ldb: s.ldb ?? (transB ? k : n),
        C: addressOf(y),
        ldc: s.ldc ?? n,
        add: s.add ? 1 : 0,
        bias: bias ? addressOf(bias) : 0,
        batch,
        strideA,
        strideB,
        strideC,
      });
      markDirty(y);
    },
    softmax(x, y, n, log) {
      const rows = n && x.length / n;
      callSoftmax(module, { x: addressOf(x), y: addressOf(y), rows, n, log: log ? 1 : 0 });
      markDirty(y);
    },
    gather(table, ids, y, width) {
      callGather(module, {
        table: addressOf(table),
        ids: addressOf(ids),
        y: addressOf(y),
        count: ids.length,
        width,
      });
      markDirty(y);
    },
  };
}
