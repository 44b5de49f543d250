/**
 * Compares with Keras and PyTorch: every optimizer, kind of clipping, weight decay and moving average over eight steps, and every
 * schedule (packages/testkit/goldens/training/optimizers.json, written by tools/goldens/training_optimizers.py). Detects a
 * wrong position of epsilon, bias correction, order of clipping and decay, or handling of a norm that is not finite.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setBackend } from '@unroll/core';
import { mismatch, throwProblems } from '@unroll/testkit';
import { resolveOptimizer, resolveSchedule, type ScheduleConfig, type ScheduleName } from '@unroll/train';
import { type Packed, trainingGoldens, unpack } from './goldens.js';
import { clipOf, type GoldenOptions, optimizerOf } from './optimizer-options.js';
import { runOptimizer } from './optimizer-run.js';

interface OptimizerCase extends GoldenOptions {
  name: string;
  gradients?: Packed[];
  after: Packed[];
  averages?: Packed[];
}

interface ScheduleCase {
  name: string;
  schedule: string;
  options: Record<string, unknown>;
  learningRates: Packed;
}

const goldens = trainingGoldens<{
  initial: Packed[];
  gradients: Packed[];
  cases: OptimizerCase[];
  schedules: ScheduleCase[];
}>('optimizers.json');

const SKIPPED: Record<string, string> = {
  'pytorch sgd momentum dampening': 'Unroll has no dampening, like Keras',
  'keras adam accumulating 2': 'the training loop accumulates: see optimizers-loop.test.ts',
  'keras sgd accumulating 3, globalClipNorm': 'the training loop accumulates: see optimizers-loop.test.ts',
};

/** Splits tensors along their first axis (steps). Returns, for each step, the values of each tensor. */
function bySteps(tensors: readonly Packed[]): Float32Array[][] {
  const parts = tensors.map(unpack);
  return Array.from({ length: parts[0]!.shape[0]! }, (_, step) =>
    parts.map(({ values, shape }) => {
      const size = values.length / shape[0]!;
      return values.slice(step * size, (step + 1) * size);
    }),
  );
}

const joined = (parts: readonly Float32Array[]): number[] => parts.flatMap((part) => [...part]);

async function check(golden: OptimizerCase, allowed: number): Promise<void> {
  const { options } = golden;
  const average = options.useEma
    ? {
        momentum: options.emaMomentum as number,
        overwriteEvery: options.emaOverwriteFrequency as number | null,
      }
    : null;
  const optimizer = resolveOptimizer(optimizerOf(golden, ['p0/', 'p1/', 'p2/']));
  const found = await runOptimizer(optimizer, {
    initial: goldens.initial.map((packed) => unpack(packed).values),
    gradients: bySteps(golden.gradients ?? goldens.gradients),
    clip: clipOf(golden),
    average,
  });
  const compare = (
    what: string,
    steps: readonly Float64Array[],
    expected: readonly Packed[],
  ): (string | null)[] =>
    bySteps(expected).map((parts, n) => mismatch(`${what} ${n + 1}`, steps[n]!, joined(parts), allowed));
  throwProblems([
    ...compare('after step', found.after, golden.after),
    ...(golden.averages ? compare('average after step', found.averages, golden.averages) : []),
  ]);
}

after(() => setBackend());

for (const backend of ['default', 'wasm', 'reference', 'reference:float64'] as const) {
  describe(`optimizers against the goldens, backend ${backend}`, () => {
    for (const golden of goldens.cases) {
      test(golden.name, { skip: SKIPPED[golden.name] ?? false }, async () => {
        await (backend === 'default' ? setBackend() : setBackend(backend));
        // Keras computes the powers of its betas in float32, with an error of about 1e-5 of a step.
        const computesPowers = golden.source === 'keras' && golden.optimizer.includes('adam');
        await check(golden, computesPowers ? 5e-6 : 2e-6);
      });
    }
  });
}

describe('schedules against the goldens', () => {
  /** The names of schedules that differ between the goldens and Unroll. */
  const names: Record<string, ScheduleName> = { step: 'stepDecay' };
  for (const { name, schedule, options, learningRates } of goldens.schedules) {
    test(name, () => {
      const unrollOptions = Object.fromEntries(
        Object.entries(options)
          .filter(([option]) => option !== 'cycleMomentum')
          .map(([option, value]) => [option === 'maxLr' ? 'maxLearningRate' : option, value]),
      );
      const resolved = resolveSchedule({
        name: names[schedule] ?? schedule,
        ...unrollOptions,
      } as ScheduleConfig);
      const expected = unpack(learningRates).values;
      throwProblems([
        mismatch(
          name,
          Array.from(expected, (_, step) => resolved.rate(step)),
          expected,
          1e-7,
        ),
      ]);
      assert.deepEqual(JSON.parse(JSON.stringify(resolved.config)), resolved.config);
      assert.equal(
        resolveSchedule({ name: resolved.name as ScheduleName, ...resolved.config }).rate(3),
        resolved.rate(3),
      );
    });
  }
});
