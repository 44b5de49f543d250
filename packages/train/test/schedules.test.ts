/**
 * Learning-rate schedules at their limits, and the class `Plateau`. optimizers-goldens.test.ts compares the schedules with
 * Keras and PyTorch.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  oneCycle,
  Plateau,
  piecewiseConstantDecay,
  polynomialDecay,
  resolveSchedule,
  type ScheduleConfig,
  stepDecay,
} from '@unroll/train';
import { fails } from './fails.js';
import { close } from './loss-examples.js';

describe('schedules', () => {
  test('the warm-up is linear, and the decay begins after it', () => {
    const schedule = cosineDecay({
      initialLearningRate: 0,
      warmupTarget: 2,
      warmupSteps: 4,
      decaySteps: 10,
      alpha: 0.1,
    });
    close([0, 1, 4, 9, 14, 99].map(schedule.rate), [0, 0.5, 2, 1.1, 0.2, 0.2]);
  });
  test('with restarts, each period begins exactly where the previous, shorter one ends', () => {
    const schedule = cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 3, tMul: 2, mMul: 0.5 });
    close([0, 3, 9, 21, 6].map(schedule.rate), [1, 0.5, 0.25, 0.125, 0.25]);
  });
  test('schedules are constant after their end', () => {
    close(
      [polynomialDecay({ initialLearningRate: 1, decaySteps: 5, endLearningRate: 0.5 }).rate(100)],
      [0.5],
    );
    close([oneCycle({ maxLearningRate: 1, totalSteps: 10 }).rate(1000)], [1 / 25 / 1e4]);
    assert.equal(piecewiseConstantDecay({ boundaries: [2], values: [3, 4] }).rate(1e9), 4);
  });
  test('invalid names and options raise errors', () => {
    const cases: [() => unknown, RegExp][] = [
      [
        () => resolveSchedule({ name: 'cosine' } as unknown as ScheduleConfig),
        /no schedule "cosine".*cosineDecay/,
      ],
      [
        () => resolveSchedule({ name: 'stepDecay', initialLearningRate: 1, stepSize: 2, steps: 3 }),
        /no option "steps"/,
      ],
      [
        () => stepDecay({ initialLearningRate: 1, stepSize: 0 }),
        /stepSize must be a finite number above 0, got 0/,
      ],
      [
        () => exponentialDecay({ initialLearningRate: -1, decaySteps: 1, decayRate: 1 }),
        /initialLearningRate/,
      ],
      [
        () => piecewiseConstantDecay({ boundaries: [1, 2], values: [1, 2] }),
        /values must have 3 entries for 2 boundaries, got 2/,
      ],
      [
        () => piecewiseConstantDecay({ boundaries: [2, 1], values: [1, 2, 3] }),
        /boundaries must increase, got 2, 1/,
      ],
      [
        () => cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 1, tMul: 0.5 }),
        /tMul must be a finite number >= 1/,
      ],
      [() => oneCycle({ maxLearningRate: 1, totalSteps: 9, pctStart: 2 }), /pctStart/],
      [
        () => resolveSchedule({ name: 'oneCycle', maxLearningRate: 1, totalSteps: 9, annealStrategy: 'x' }),
        /'cos' or 'linear'/,
      ],
    ];
    for (const [run, message] of cases) assert.throws(run, fails('value', message));
  });
});

describe('Plateau', () => {
  const rates = (plateau: Plateau, losses: readonly number[], start = 1): number[] => {
    let rate = start;
    return losses.map((loss) => (rate = plateau.observe(loss, rate)));
  };
  test('reduces the rate after `patience` epochs without improvement, then counts from 0 again', () => {
    const plateau = new Plateau({ factor: 0.5, patience: 2 });
    assert.deepEqual(rates(plateau, [5, 4, 4, 4, 4, 4, 3, 3]), [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]);
  });
  test('a change of at most minDelta is not an improvement', () => {
    const plateau = new Plateau({ factor: 0.5, patience: 1, minDelta: 0.5 });
    assert.deepEqual(rates(plateau, [5, 4.5, 4.4]), [1, 0.5, 0.5]);
  });
  test('pauses during the cooldown', () => {
    const plateau = new Plateau({ factor: 0.5, patience: 1, cooldown: 2 });
    assert.deepEqual(rates(plateau, [5, 5, 5, 5, 5]), [1, 0.5, 0.5, 0.25, 0.25]);
  });
  test('does not go below the minimum rate', () => {
    const plateau = new Plateau({ factor: 0.1, patience: 1, minLearningRate: 0.05 });
    assert.deepEqual(rates(plateau, [5, 5, 5, 5]), [1, 0.1, 0.05, 0.05]);
  });
  test('supports metrics where higher is better; NaN is never better', () => {
    const plateau = new Plateau({ factor: 0.5, patience: 1, better: 'higher' });
    assert.deepEqual(rates(plateau, [1, 2, Number.NaN, 3]), [1, 1, 0.5, 0.5]);
  });
  test('continues from a saved state', () => {
    const losses = [5, 5, 5, 4, 4, 4, 4];
    const uninterrupted = rates(new Plateau({ factor: 0.5, patience: 2, cooldown: 1 }), losses);
    const first = new Plateau({ factor: 0.5, patience: 2, cooldown: 1 });
    const firstRates = rates(first, losses.slice(0, 4));
    const second = new Plateau({ factor: 0.5, patience: 2, cooldown: 1 });
    second.state = JSON.parse(JSON.stringify(first.state)) as typeof first.state;
    assert.deepEqual([...firstRates, ...rates(second, losses.slice(4), firstRates.at(-1))], uninterrupted);
  });
  test('rejects a factor of 1 and a negative patience', () => {
    assert.throws(() => new Plateau({ factor: 1 }), fails('value', /above 0 and below 1, got 1/));
    assert.throws(() => new Plateau({ patience: -1 }), fails('value', /patience must be a number >= 0/));
  });
});
