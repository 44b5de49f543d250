/**
 * The fast backend: one adapter over the compiled kernels, whether they come as WebAssembly or as the native addon
 * (both present the same functions over one linear memory). Addresses and offsets stay inside this file.
 */
import { BinaryOp, type KernelModule, onlyInfers, ReduceOp, UnaryOp } from '@unroll/kernels';
import type { Backend, FloatArray, Kernels } from '../backend.js';
import { formatShape, shapeError } from '../errors.js';
import { address, type CpuBlock, touched } from './block.js';
import { Heap } from './heap.js';
import { packer, recurrentKernels } from './recurrent.js';
import { type TrainingKernels, trainingKernels } from './training.js';

const FLOAT = 4;
const MAX_RANK = 8;
/** Numbers in the longest array that every engine makes. */
const LONGEST = 2 ** 31 - 1;
/** Up to so many numbers a call of a kernel costs more than what JavaScript does in its place. */
const FEW = 4096;

export interface CpuBackend extends Backend {
  readonly module: KernelModule;
  readonly heap: Heap;
}

/** The backend over these kernels. */
export function cpuBackend(module: KernelModule): CpuBackend {
  return backendOver(module, module.inferenceOnly ? null : trainingKernels);
}

/** The same without what only training calls, so that a page that only runs models does not carry it. */
export function inferenceBackend(module: KernelModule): CpuBackend {
  return backendOver(module, null);
}

function backendOver(module: KernelModule, training: typeof trainingKernels | null): CpuBackend {
  const heap = new Heap(module.memory);
  const dimsAt = heap.allocate(3 * MAX_RANK * 4);
  const k = module.kernels;
  const packed = packer(heap);

  /** All of the memory as numbers, but what lies beyond the longest array; made anew when the memory has grown. */
  let all: Float32Array = new Float32Array(0);
  /** Whether `all` shows the numbers at these addresses. */
  const shows = (end: number): boolean => {
    const { buffer } = module.memory;
    if (all.buffer !== buffer)
      all = new Float32Array(buffer, 0, Math.min(buffer.byteLength / FLOAT, LONGEST));
    return end <= all.length * FLOAT;
  };
  const floats = (at: number, length: number): Float32Array =>
    new Float32Array(module.memory.buffer, at, length);

  /** Where index spaces are passed to the kernels; made anew when the memory has grown. */
  let dims = new Int32Array(module.memory.buffer, dimsAt, 3 * MAX_RANK);
  /** Writes an index space (shape, then strides of each operand) where the kernels read it; returns its rank. */
  const putDims = (shape: readonly number[], first: readonly number[], second: readonly number[]): number => {
    if (dims.buffer !== module.memory.buffer)
      dims = new Int32Array(module.memory.buffer, dimsAt, 3 * MAX_RANK);
    const rank = shape.length;
    if (rank > MAX_RANK) {
      throw shapeError(
        `At most ${MAX_RANK} axes can be walked, got ${formatShape(shape)}. Reshape to fewer.`,
        { shape },
      );
    }
    for (let d = 0; d < rank; d++) {
      dims[d] = shape[d];
      dims[rank + d] = first[d];
      dims[2 * rank + d] = second[d];
    }
    return rank;
  };
  const inference: Omit<Kernels, keyof TrainingKernels> = {
    fill(y, value) {
      const at = address(y);
      if (y.length <= FEW && shows(at + y.length * FLOAT)) all.fill(value, at / FLOAT, at / FLOAT + y.length);
      else k.fill(at, y.length, value);
      touched(y);
    },
    copy(x, offsetX, stridesX, y, offsetY, stridesY, shape) {
      const last = shape.length - 1;
      const length = shape[last] ?? 1;
      let lead = 0;
      while (lead < last && shape[lead] === 1) lead++;
      if (lead === last && length <= FEW && stridesX[last] === 1 && stridesY[last] === 1) {
        const from = address(x) / FLOAT + offsetX;
        const to = address(y) / FLOAT + offsetY;
        if (shows((Math.max(from, to) + length) * FLOAT)) {
          all.copyWithin(to, from, from + length);
          touched(y);
          return;
        }
      }
      const rank = putDims(shape, stridesX, stridesY);
      k.copy_strided(address(x) + offsetX * FLOAT, address(y) + offsetY * FLOAT, rank, dimsAt);
      touched(y);
    },
    unary(op, x, y) {
      k.unary(UnaryOp[op], address(x), address(y), y.length);
      touched(y);
    },
    binary(op, a, stridesA, b, stridesB, y, shape) {
      const rank = putDims(shape, stridesA, stridesB);
      k.binary(BinaryOp[op], address(a), address(b), address(y), rank, dimsAt);
      touched(y);
    },
    reduce(op, x, y, outer, n, inner) {
      k.reduce(ReduceOp[op], address(x), address(y), outer, n, inner);
      touched(y);
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
      touched(y);
    },
    softmax(x, y, rows, n, log) {
      k.softmax(address(x), address(y), rows, n, log ? 1 : 0);
      touched(y);
    },
    gather(table, ids, y, width) {
      k.gather(address(table), address(ids), address(y), ids.length, width);
      touched(y);
    },
    ...recurrentKernels(k, heap, packed),
  };

  const kernels: Kernels = training
    ? { ...inference, ...training(k, packed) }
    : Object.assign(Object.create(onlyInfers), inference);

  return {
    module,
    heap,
    name: 'cpu',
    get description() {
      return `${module.kind === 'wasm' ? 'WebAssembly' : 'native'} ${module.variant}, ${threadCount(module.threads)}`;
    },
    float: Float32Array,
    kernels,
    supports: (kernel) => kernel in kernels,
    fewestInTurn: 9, // one more than the kernels' rows_to_split
    allocate(length): CpuBlock {
      const start = heap.allocate(length * FLOAT);
      floats(start, length).fill(0);
      return { length, at: start, root: { start, version: 0, packed: [], halves: new Map() } };
    },
    release(block) {
      const { root } = block as CpuBlock;
      for (const form of root.packed ?? []) heap.free(form.at);
      heap.free(root.start);
    },
    temporary(length): CpuBlock {
      const start = heap.temporary(length * FLOAT);
      return { length, at: start, root: { start, version: 0, packed: null, halves: null } };
    },
    openArena: () => heap.openArena(),
    closeArena: () => heap.closeArena(),
    view(block, offset, length): CpuBlock {
      const { at, root } = block as CpuBlock;
      return { length, at: at + offset * FLOAT, root };
    },
    write(block, data) {
      const at = address(block);
      const { length } = block;
      if (data.length > length)
        throw new RangeError(`${data.length} values do not fit a block of ${length}.`);
      if (shows(at + length * FLOAT)) all.set(data, at / FLOAT);
      else floats(at, length).set(data);
      touched(block);
    },
    read(block, to): FloatArray {
      const at = address(block);
      const { length } = block;
      const shown = shows(at + length * FLOAT);
      if (to === undefined) {
        return shown ? all.slice(at / FLOAT, at / FLOAT + length) : floats(at, length).slice();
      }
      to.set(shown ? all.subarray(at / FLOAT, at / FLOAT + length) : floats(at, length));
      return to;
    },
  };
}

function threadCount(count: number): string {
  return count === 1 ? '1 thread' : `${count} threads`;
}
