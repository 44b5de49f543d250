/**
 * Compares one kernel on a backend with the float64 reference, on the same arrays. Each array is an unaligned part of a
 * larger block, and the elements around it must not change.
 */
import { type Backend, RandomStream, referenceBackend, scope } from '@unroll/core';
import type { Block, KernelName, Kernels } from '@unroll/core/internal';
import { onBackend } from '../calls.js';
import { bitMismatch, mismatch, outputTolerance, report } from '../compare.js';
import { type ContractCase, readNow } from './case.js';

export type Arrays = Record<string, Float64Array>;
export type Blocks = Record<string, Block>;
/** The largest allowed error of an array's elements, given the expected values; 'bits': the bits must be equal. */
export type Allowed = 'bits' | ((expected: Float64Array, name: string) => number);

export interface Trial {
  name: string;
  arrays: Arrays;
  call(kernels: Kernels, blocks: Blocks): void;
  allowed?: Allowed;
}

const float64 = referenceBackend('float64');
const BEFORE = 37;
const AFTER = 41;
const GUARD = -12345.5;

/** Runs the trial and returns the resulting arrays. Throws if the trial wrote outside of them. */
function perform(backend: Backend, { name, arrays, call }: Trial): Arrays {
  return onBackend(backend, () =>
    scope(() => {
      const enclosing = Object.entries(arrays).map(([key, values]) => {
        const whole = backend.temporary(BEFORE + values.length + AFTER);
        const data = new Float64Array(whole.length).fill(GUARD);
        data.set(values, BEFORE);
        backend.write(whole, data);
        return { key, whole, length: values.length };
      });
      const blocks = enclosing.map(({ key, whole, length }) => [key, backend.view(whole, BEFORE, length)]);
      call(backend.kernels, Object.fromEntries(blocks) as Blocks);
      return Object.fromEntries(
        enclosing.map(({ key, whole, length }) => {
          const values = Float64Array.from(readNow(backend, whole));
          const outside = values.findIndex((x, i) => (i < BEFORE || i >= BEFORE + length) && x !== GUARD);
          if (outside >= 0)
            throw new Error(`${name}: wrote ${key}[${outside - BEFORE}], outside its ${length} elements`);
          return [key, values.slice(BEFORE, BEFORE + length)];
        }),
      );
    }),
  );
}

/** A case of several trials of one kernel; `trials` is called once. */
export function differentialCase(
  kernel: KernelName,
  name: string,
  trials: () => readonly Trial[],
  allowed: Allowed = outputTolerance,
): ContractCase {
  let prepared: { trial: Trial; expected: Arrays }[] | null = null;
  return {
    name: `kernel ${kernel}: ${name}`,
    kernels: [kernel],
    run(backend) {
      prepared ??= trials().map((trial) => ({ trial, expected: perform(float64, trial) }));
      const problems = prepared.flatMap(({ trial, expected }) => {
        const found = perform(backend, trial);
        const limit = trial.allowed ?? allowed;
        return Object.entries(expected).map(([key, exact]) => {
          // If a value exceeds the range of float32, the correct result of a float32 backend is an infinity.
          const values = backend.float === Float32Array ? exact.map(Math.fround) : exact;
          const what = `${trial.name}: ${key}`;
          return limit === 'bits'
            ? bitMismatch(what, found[key], values)
            : mismatch(what, found[key], values, limit(values, key));
        });
      });
      report(problems);
    },
  };
}

const drawn = new Map<string, Float64Array>();
/** The first `count` numbers of a cached sequence, which is extended when needed. */
function first(count: number, name: string, make: (count: number) => Float64Array): Float64Array {
  let known = drawn.get(name);
  if (!known || known.length < count) {
    known = make(2 ** Math.ceil(Math.log2(Math.max(count, 64))));
    drawn.set(name, known);
  }
  return known.slice(0, count);
}

/** Arrays drawn by name, the same on every run. All values are exact in float32. */
export const draw = {
  normal: (count: number, name: string): Float64Array =>
    first(count, `normal ${name}`, (n) => new RandomStream(3, 'normal', name).normal(n).map(Math.fround)),
  /** Integers from -4 to 4: sums of their products are exact in any order. */
  whole: (count: number, name: string): Float64Array =>
    first(count, `whole ${name}`, (n) =>
      new RandomStream(3, 'whole', name).uniform(n, -4, 5).map(Math.floor),
    ),
  blank: (count: number): Float64Array => new Float64Array(count).fill(Number.NaN),
};

export const SIZES = [0, 1, 3, 15, 16, 17, 33, 100] as const;
/** Enough elements to split elementwise work among three threads. */
export const MANY = 310_000;
