/** The kernels for running a model, apart from the fused cells. */
import { BinaryOp, type KernelModule, ReduceOp, UnaryOp } from '@unroll/kernels';
import type { Kernels } from '../backend.js';
import { address, markDirty } from './block.js';
import { FLOAT, type Shown, spacesAt } from './memory.js';

/** For this many numbers or fewer, a kernel call costs more than the same loop in JavaScript. */
const FEW = 4096;

type InferenceKernels = Pick<
  Kernels,
  'fill' | 'copy' | 'unary' | 'binary' | 'reduce' | 'gemm' | 'softmax' | 'gather'
>;

/** @param dimsAt address at which index spaces are passed to the kernels */
export function inferenceKernels(
  { kernels: k, memory }: KernelModule,
  shown: Shown,
  dimsAt: number,
): InferenceKernels {
  const putDims = spacesAt(memory, dimsAt);
  return {
    fill(y, value) {
      const at = address(y);
      const all = y.length <= FEW ? shown(at + y.length * FLOAT) : null;
      if (all) all.fill(value, at / FLOAT, at / FLOAT + y.length);
      else k.fill(at, y.length, value);
      markDirty(y);
    },
    copy(x, offsetX, stridesX, y, offsetY, stridesY, shape) {
      const last = shape.length - 1;
      const length = shape[last] ?? 1;
      let lead = 0;
      while (lead < last && shape[lead] === 1) lead++;
      if (lead === last && length <= FEW && stridesX[last] === 1 && stridesY[last] === 1) {
        const from = address(x) / FLOAT + offsetX;
        const to = address(y) / FLOAT + offsetY;
        const all = shown((Math.max(from, to) + length) * FLOAT);
        if (all) {
          all.copyWithin(to, from, from + length);
          markDirty(y);
          return;
        }
      }
      const rank = putDims(shape, stridesX, stridesY);
      k.copy_strided(address(x) + offsetX * FLOAT, address(y) + offsetY * FLOAT, rank, dimsAt);
      markDirty(y);
    },
    unary(op, x, y) {
      k.unary(UnaryOp[op], address(x), address(y), y.length);
      markDirty(y);
    },
    binary(op, a, stridesA, b, stridesB, y, shape) {
      const rank = putDims(shape, stridesA, stridesB);
      k.binary(BinaryOp[op], address(a), address(b), address(y), rank, dimsAt);
      markDirty(y);
    },
    reduce(op, x, y, outer, n, inner) {
      k.reduce(ReduceOp[op], address(x), address(y), outer, n, inner);
      markDirty(y);
    },
    gemm(a, b, y, s) {
      const { m, n } = s;
      const lda = s.lda ?? (s.transA ? m : s.k);
      const ldb = s.ldb ?? (s.transB ? s.k : n);
      // biome-ignore format: as gemm lists them
      k.gemm(
        s.transA ? 1 : 0, s.transB ? 1 : 0, m, n, s.k, address(a), lda, address(b), ldb, address(y), s.ldc ?? n,
        s.add ? 1 : 0, s.bias ? address(s.bias) : 0, s.batch ?? 1, s.strideA ?? 0, s.strideB ?? 0, s.strideC ?? 0,
      );
      markDirty(y);
    },
    softmax(x, y, rows, n, log) {
      k.softmax(address(x), address(y), rows, n, log ? 1 : 0);
      markDirty(y);
    },
    gather(table, ids, y, width) {
      k.gather(address(table), address(ids), address(y), ids.length, width);
      markDirty(y);
    },
  };
}
