/**
 * Compares a kernel of a backend with the kernel of the float64 reference, on the same arrays. Each array is an unaligned
 * part of a larger block, and the elements around it must not change.
 */
import { type Backend, RandomStream, referenceBackend, scope } from '@unroll/core';
import type { Block, KernelName, Kernels } from '@unroll/core/internal';
import { onBackend } from '../calls.js';
import { bitMismatch, mismatch, outputTolerance, throwProblems } from '../compare.js';
import { type ContractCase, readNow } from './case.js';

/** The arrays of a kernel call, by name. */
export type Arrays = Record<string, Float64Array>;
/** The same arrays in the memory of a backend. */
export type Blocks = Record<string, Block>;
/** Returns the largest allowed error of an array, given its expected values. `'exact'`: the bits must be equal. */
export type Tolerance = 'exact' | ((expected: Float64Array, name: string) => number);

/** One call of a kernel. */
export interface Trial {
  name: string;
  /** The arrays before the call. */
  arrays: Arrays;
  call(kernels: Kernels, blocks: Blocks): void;
  /** Default: the allowed error of the case. */
  tolerance?: Tolerance;
}

const float64 = referenceBackend('float64');
/** Numbers of guard elements before and after each array, and their value. */
const GUARDS_BEFORE = 37;
const GUARDS_AFTER = 41;
const GUARD = -12345.5;

/** Runs a trial and returns the arrays after the call. Throws if the kernel wrote outside of them. */
function runTrial(backend: Backend, { name, arrays, call }: Trial): Arrays {
  return onBackend(backend, () =>
    scope(() => {
      const enclosing = Object.entries(arrays).map(([key, values]) => {
        const block = backend.temporary(GUARDS_BEFORE + values.length + GUARDS_AFTER);
        const data = new Float64Array(block.length).fill(GUARD);
        data.set(values, GUARDS_BEFORE);
        backend.write(block, data);
        return { key, block, length: values.length };
      });
      const blocks = enclosing.map(({ key, block, length }) => [
        key,
        backend.view(block, GUARDS_BEFORE, length),
      ]);
      call(backend.kernels, Object.fromEntries(blocks) as Blocks);
      return Object.fromEntries(
        enclosing.map(({ key, block, length }) => {
          const values = Float64Array.from(readNow(backend, block));
          const outsideIndex = values.findIndex(
            (x, i) => (i < GUARDS_BEFORE || i >= GUARDS_BEFORE + length) && x !== GUARD,
          );
          if (outsideIndex >= 0)
            throw new Error(
              `${name}: the kernel wrote outside of ${key}, to index ${outsideIndex - GUARDS_BEFORE} (length ${length})`,
            );
          return [key, values.slice(GUARDS_BEFORE, GUARDS_BEFORE + length)];
        }),
      );
    }),
  );
}

/** Returns a case that runs trials of one kernel. `trials` is called once, when the case first runs. */
export function differentialCase(
  kernel: KernelName,
  name: string,
  trials: () => readonly Trial[],
  tolerance: Tolerance = outputTolerance,
): ContractCase {
  let prepared: { trial: Trial; expected: Arrays }[] | null = null;
  return {
    name: `kernel ${kernel}: ${name}`,
    kernels: [kernel],
    run(backend) {
      prepared ??= trials().map((trial) => ({ trial, expected: runTrial(float64, trial) }));
      const problems = prepared.flatMap(({ trial, expected }) => {
        const actual = runTrial(backend, trial);
        const limit = trial.tolerance ?? tolerance;
        return Object.entries(expected).map(([key, exact]) => {
          // If a value exceeds the range of float32, the correct result of a float32 backend is an infinity.
          const values = backend.float === Float32Array ? exact.map(Math.fround) : exact;
          const label = `${trial.name}: ${key}`;
          return limit === 'exact'
            ? bitMismatch(label, actual[key], values)
            : mismatch(label, actual[key], values, limit(values, key));
        });
      });
      throwProblems(problems);
    },
  };
}

const sequences = new Map<string, Float64Array>();
/** Returns the first `count` numbers of a cached sequence. If the cached sequence is too short, it is generated again. */
function prefixOf(name: string, count: number, generate: (count: number) => Float64Array): Float64Array {
  let sequence = sequences.get(name);
  if (!sequence || sequence.length < count) {
    sequence = generate(2 ** Math.ceil(Math.log2(Math.max(count, 64))));
    sequences.set(name, sequence);
  }
  return sequence.slice(0, count);
}

/** Draws reproducible random arrays: the same name gives the same numbers. All values are exact in float32. */
export const draw = {
  normal: (count: number, name: string): Float64Array =>
    prefixOf(`normal ${name}`, count, (n) => new RandomStream(3, 'normal', name).normal(n).map(Math.fround)),
  /** Integers from -4 to 4. Sums of their products are exact in any order. */
  integers: (count: number, name: string): Float64Array =>
    prefixOf(`whole ${name}`, count, (n) =>
      new RandomStream(3, 'whole', name).uniform(n, -4, 5).map(Math.floor),
    ),
  /** NaN, for result arrays: exposes elements that the kernel does not write, or reads before writing. */
  nan: (count: number): Float64Array => new Float64Array(count).fill(Number.NaN),
};

/** Array sizes: empty, and around multiples of the vector length. */
export const SIZES = [0, 1, 3, 15, 16, 17, 33, 100] as const;
/** An array size for which elementwise kernels use three threads. */
export const MANY = 310_000;
