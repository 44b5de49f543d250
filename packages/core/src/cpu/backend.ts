/**
 * The CPU backend: an adapter for the compiled kernels (WebAssembly or the native addon: both have the same functions, and each
 * has one linear memory). Addresses are used only in this folder.
 */
import { type KernelModule, missingKernels, rowsToSplit } from '@unroll/kernels';
import type { Backend, Block, FloatArray, Kernels } from '../backend.js';
import { addressOf, type CpuBlock, markDirty } from './block.js';
import { Heap } from './heap.js';
import { inferenceKernels } from './inference.js';
import { DIMS_LENGTH, FLOAT_BYTES, wholeMemoryOf } from './memory.js';
import { packer, recurrentKernels } from './recurrent.js';
import { type TrainingKernels, trainingKernels } from './training.js';
import { type FormatChoice, formatChoice, setFormat } from './weight-format.js';

export interface CpuBackend extends Backend {
  readonly module: KernelModule;
  readonly heap: Heap;
}

/** Creates a backend that uses the given kernels. */
export function cpuBackend(module: KernelModule): CpuBackend {
  const training = module.inferenceOnly ? null : trainingKernels;
  return Object.assign(createBackend(module, training, formatChoice(module)), { setWeightFormat: setFormat });
}

/** Creates a backend without training kernels, so that pages that only run models do not load them. */
export function inferenceBackend(module: KernelModule): CpuBackend {
  return createBackend(module, null, null);
}

/**
 * Creates a backend.
 * @param training null: without the training kernels
 * @param formatFor chooses the format of packed weights; null: always float32
 */
function createBackend(
  module: KernelModule,
  training: typeof trainingKernels | null,
  formatFor: FormatChoice | null,
): CpuBackend {
  const heap = new Heap(module.memory, module.kind);
  const dimsAddress = heap.allocate(DIMS_LENGTH * FLOAT_BYTES);
  const packWeights = packer(heap);
  const wholeMemory = wholeMemoryOf(module.memory);
  const floats = (address: number, length: number): Float32Array =>
    new Float32Array(module.memory.buffer, address, length);
  const inference: Omit<Kernels, keyof TrainingKernels> = {
    ...inferenceKernels(module, wholeMemory, dimsAddress),
    ...recurrentKernels(module, heap, packWeights, formatFor),
  };
  const kernels: Kernels = training
    ? { ...inference, ...training(module, heap, packWeights) }
    : Object.assign(Object.create(missingKernels), inference); // calling any other kernel throws

  const readSync = (block: Block, to?: FloatArray): FloatArray => {
    const address = addressOf(block);
    const { length } = block;
    const all = wholeMemory(address + length * FLOAT_BYTES);
    const start = address / FLOAT_BYTES;
    if (to === undefined) return all ? all.slice(start, start + length) : floats(address, length).slice();
    to.set(all ? all.subarray(start, start + length) : floats(address, length));
    return to;
  };

  return {
    module,
    heap,
    name: 'cpu',
    get description() {
      return `${module.kind === 'wasm' ? 'WebAssembly' : 'native'} ${module.variant}, ${formatThreads(module.threads)}`;
    },
    float: Float32Array,
    kernels,
    supports: (kernel) => kernel in kernels,
    minBatchForStepCopies: rowsToSplit + 1, // with fewer rows, the kernels need all inputs in xh
    allocate(length): CpuBlock {
      const start = heap.allocate(length * FLOAT_BYTES);
      floats(start, length).fill(0);
      return { length, address: start, root: { start, version: 0, packed: [], formats: new Map() } };
    },
    release(block) {
      const { root } = block as CpuBlock;
      for (const copy of root.packed ?? []) heap.free(copy.address);
      heap.free(root.start);
    },
    temporary(length): CpuBlock {
      const start = heap.temporary(length * FLOAT_BYTES);
      return { length, address: start, root: { start, version: 0, packed: null, formats: null } };
    },
    openArena: () => heap.openArena(),
    closeArena: () => heap.closeArena(),
    view(block, offset, length): CpuBlock {
      const { address, root } = block as CpuBlock;
      return { length, address: address + offset * FLOAT_BYTES, root };
    },
    write(block, data) {
      const address = addressOf(block);
      const { length } = block;
      if (data.length > length)
        throw new RangeError(`write: got ${data.length} values for a block of ${length}.`);
      const all = wholeMemory(address + length * FLOAT_BYTES);
      if (all) all.set(data, address / FLOAT_BYTES);
      else floats(address, length).set(data);
      markDirty(block);
    },
    read: async (block) => readSync(block),
    readSync,
  };
}

function formatThreads(count: number): string {
  return count === 1 ? '1 thread' : `${count} threads`;
}
