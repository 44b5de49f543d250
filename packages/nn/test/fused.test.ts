/**
 * The three ways to compute a recurrent layer have the same results for every combination of options: the fused op, the
 * cell applied step by step, and a user's custom cell applied row by row to valid steps only. The tolerance is 1e-12 in
 * float64 on the reference backend. In float32, on every fast backend, the tolerances of @unroll/testkit apply. Detects an
 * option that the fused path interprets differently, a mask of one row that affects another row, skipped padding that changes
 * results, and a fused path that is never used.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Backend, referenceBackend } from '@unroll/core';
import type { KernelName } from '@unroll/core/internal';
import {
  gradientTolerance,
  largestMagnitude,
  mismatch,
  onBackend,
  outputTolerance,
  throwProblems,
} from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';
import {
  customCellNumbers,
  describeOptions,
  KINDS,
  type Kind,
  layerNumbers,
  type Numbers,
} from './fused-cases.js';

type Tolerance = (expected: ArrayLike<number>) => number;

function compare(title: string, found: Numbers, wanted: Numbers, output: Tolerance, gradient: Tolerance) {
  const lists = [
    ['output', found.outputs, wanted.outputs, output],
    ['gradient', found.gradients, wanted.gradients, gradient],
  ] as const;
  return lists.flatMap(([what, actual, expected, allowed]) =>
    expected.map((values, i) => mismatch(`${title}: ${what} ${i}`, actual[i]!, values, allowed(values))),
  );
}

/** Returns a backend that counts the calls of one kernel. */
function counting(backend: Backend, kernel: KernelName): { backend: Backend; calls: () => number } {
  let calls = 0;
  const kernels = new Proxy(backend.kernels, {
    get(target, name: KernelName) {
      if (name === kernel) calls++;
      return target[name];
    },
  });
  return { backend: Object.create(backend, { kernels: { value: kernels } }) as Backend, calls: () => calls };
}

const float64 = referenceBackend('float64');
const tight: Tolerance = (expected) => 1e-12 * Math.max(1, largestMagnitude(expected));
const cachedResults = new Map<string, Numbers[]>();

/** Returns the results of the custom cell in float64, which are computed once. */
function customCellResults(name: string, kind: Kind): Numbers[] {
  let numbers = cachedResults.get(name);
  if (!numbers) {
    numbers = onBackend(float64, () => kind.options.map((options) => customCellNumbers(kind, options)));
    cachedResults.set(name, numbers);
  }
  return numbers;
}

for (const [name, kind] of Object.entries(KINDS)) {
  describe(name, () => {
    for (const stepwise of [false, true]) {
      test(`${stepwise ? 'step by step' : 'fused'}, equals the custom cell in float64`, () => {
        const problems = kind.options.flatMap((options, i) =>
          onBackend(float64, () =>
            compare(
              describeOptions(options),
              layerNumbers(kind, options, stepwise),
              customCellResults(name, kind)[i]!,
              tight,
              tight,
            ),
          ),
        );
        throwProblems(problems);
      });
    }

    for (const { name: backendName, backend, reason } of testBackends()) {
      const missingKernel = backend?.supports(kind.kernel)
        ? false
        : `the backend has no kernel ${kind.kernel}`;
      test(`fused on ${backendName}, equals the custom cell`, { skip: reason || missingKernel }, () => {
        const problems = kind.options.flatMap((options, i) => {
          const found = onBackend(backend!, () => layerNumbers(kind, options, false));
          return compare(
            describeOptions(options),
            found,
            customCellResults(name, kind)[i]!,
            outputTolerance,
            gradientTolerance,
          );
        });
        throwProblems(problems);
      });
    }

    test('the fused path is used unless the layer runs step by step', () => {
      const [options] = kind.options;
      for (const [stepwise, expected] of [
        [false, 1],
        [true, 0],
      ] as const) {
        // biome-ignore format: pairs
        const { backend, calls } = counting(float64, kind.kernel);
        onBackend(backend, () => layerNumbers(kind, options!, stepwise));
        assert.equal(calls(), expected);
      }
    });
  });
}
