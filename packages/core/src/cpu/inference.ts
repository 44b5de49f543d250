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
import { address, markDirty } from './block.js';
import { dimsWriter, FLOAT_BYTES, type WholeMemory } from './memory.js';

/** For at most this many numbers, a kernel call takes longer than the same operation in JavaScript. */
const MAX_JAVASCRIPT_LENGTH = 4096;

type InferenceKernels = Pick<
  Kernels,
  'fill' | 'copy' | 'unary' | 'binary' | 'reduce' | 'gemm' | 'softmax' | 'gather'
>;

/** Returns the kernels of this file. @param dimsAt the address at which the kernels read shapes and strides */
export function inferenceKernels(
  module: KernelModule,
  wholeMemory: WholeMemory,
  dimsAt: number,
): InferenceKernels {
  return { ...elementwiseKernels(module, wholeMemory, dimsAt), ...productKernels(module) };
}

type Products = Pick<Kernels, 'gemm' | 'softmax' | 'gather'>;

function elementwiseKernels(
  module: KernelModule,
  wholeMemory: WholeMemory,
  dimsAt: number,
): Omit<InferenceKernels, keyof Products> {
  const { kernels: k, memory } = module;
  const writeDims = dimsWriter(memory, dimsAt);
  return {
    fill(y, value) {
      const at = address(y);
      const all = y.length <= MAX_JAVASCRIPT_LENGTH ? wholeMemory(at + y.length * FLOAT_BYTES) : null;
      if (all) all.fill(value, at / FLOAT_BYTES, at / FLOAT_BYTES + y.length);
      else k.fill(at, y.length, value);
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
        const from = address(x) / FLOAT_BYTES + offsetX;
        const to = address(y) / FLOAT_BYTES + offsetY;
        const all = wholeMemory((Math.max(from, to) + length) * FLOAT_BYTES);
        if (all) {
          all.copyWithin(to, from, from + length);
          markDirty(y);
          return;
        }
      }
      const rank = writeDims(shape, stridesX, stridesY);
      k.copy_strided(address(x) + offsetX * FLOAT_BYTES, address(y) + offsetY * FLOAT_BYTES, rank, dimsAt);
      markDirty(y);
    },
    unary(op, x, y) {
      k.unary(UnaryOp[op], address(x), address(y), y.length);
      markDirty(y);
    },
    binary({ op, a, b, y, shape = [y.length], ...strides }) {
      const { stridesA = stridesOf(shape), stridesB = stridesOf(shape) } = strides;
      const rank = writeDims(shape, stridesA, stridesB);
      callBinary(module, {
        op: BinaryOp[op],
        a: address(a),
        b: address(b),
        y: address(y),
        rank,
        dims: dimsAt,
      });
      markDirty(y);
    },
    reduce(op, x, y, inner) {
      if (y.length === 0) return;
      const [outer, n] = [y.length / inner, x.length / y.length];
      callReduce(module, { op: ReduceOp[op], x: address(x), y: address(y), outer, n, inner });
      markDirty(y);
    },
  };
}

function productKernels(module: KernelModule): Products {
  return {
    gemm(a, b, y, s) {
      const { m, n, k, transA, transB, bias, batch = 1, strideA = 0, strideB = 0, strideC = 0 } = s;
      callGemm(module, {
        transA: transA ? 1 : 0,
        transB: transB ? 1 : 0,
        m,
        n,
        k,
        A: address(a),
        lda: s.lda ?? (transA ? m : k),
        B: address(b),
        ldb: s.ldb ?? (transB ? k : n),
        C: address(y),
        ldc: s.ldc ?? n,
        add: s.add ? 1 : 0,
        bias: bias ? address(bias) : 0,
        batch,
        strideA,
        strideB,
        strideC,
      });
      markDirty(y);
    },
    softmax(x, y, n, log) {
      const rows = n && x.length / n;
      callSoftmax(module, { x: address(x), y: address(y), rows, n, log: log ? 1 : 0 });
      markDirty(y);
    },
    gather(table, ids, y, width) {
      callGather(module, {
        table: address(table),
        ids: address(ids),
        y: address(y),
        count: ids.length,
        width,
      });
      markDirty(y);
    },
  };
}
