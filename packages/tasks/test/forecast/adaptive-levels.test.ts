// Levels of intervals that adapt to the coverage of recent forecasts: compared with a slow implementation of the definition, their
// limits, and no use of later rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { AdaptiveLevels, partOfHorizon, type StepOutcomes } from '@unroll/tasks/internal';

const HORIZON = 6;
const LEVELS = [0.8, 0.95];

/** For each horizon step, returns absolute normal errors of forecasts of three series, multiplied by `sizeAt(index)`. */
function outcomes(origins: number, sizeAt: (index: number) => number, seed = 0): StepOutcomes[] {
  const series = 3;
  return Array.from({ length: HORIZON }, (_, k) => {
    const errors = new RandomStream(seed, `errors ${k}`).normal(origins * series).map(Math.abs);
    const index = Array.from(errors, (_, n) => Math.floor(n / series) + k);
    const scores = errors.map((error, n) => error * sizeAt(index[n]!));
    return { index, scores: [Float64Array.from(scores), Float64Array.from(scores)] };
  });
}

/** Computes the level of one part of the horizon by the definition, comparing each score with all those known at its origin. */
function slowLevel(
  steps: readonly StepOutcomes[],
  l: number,
  part: number,
  rate: number,
  until: number,
): number {
  const nominal = LEVELS[l]!;
  const inPart = [...steps.keys()].filter((k) => partOfHorizon(k, HORIZON) === part);
  const meanStep = 1 + inPart.reduce((sum, k) => sum + k, 0) / inPart.length;
  const levels = [nominal];
  for (let origin = 1; origin <= until; origin++) {
    const isOutside: boolean[] = [];
    for (const k of inPart) {
      const { index, scores } = steps[k]!;
      for (const [n, row] of index.entries()) {
        if (row !== origin - 1) continue;
        const known = [...index.keys()].filter((m) => index[m]! < row - k).map((m) => scores[l]![m]!);
        const smaller = known.filter((score) => score < scores[l]![n]!).length;
        const total = known.length + Math.sqrt(k + 1);
        const canBeOutside = known.length / total >= levels[row - k]!;
        if (known.length >= 20 && canBeOutside) isOutside.push(smaller / total >= levels[row - k]!);
      }
    }
    const share = isOutside.filter(Boolean).length / isOutside.length;
    const next =
      levels.at(-1)! + (isOutside.length === 0 ? 0 : (rate / Math.sqrt(meanStep)) * (share - (1 - nominal)));
    levels.push(Math.min(1 - 0.25 * (1 - nominal), Math.max(1 - 2 * (1 - nominal), next)));
  }
  return levels[until]!;
}

test('levels equal those computed by the definition, also for tied scores', () => {
  const steps = outcomes(70, (index) => 1 + index / 40);
  for (const { scores } of steps)
    for (const list of scores) list.set(list.map((score) => Math.round(4 * score) / 4));
  const adapted = new AdaptiveLevels(steps, LEVELS, 0.05);
  for (const l of LEVELS.keys()) {
    for (const part of [0, 1, 2]) {
      for (const origin of [0, 20, 45, 70]) {
        const expected = slowLevel(steps, l, part, 0.05, origin);
        assert.ok(
          Math.abs(adapted.levelAt(origin, l, part) - expected) < 1e-12,
          `level ${l}, part ${part}, origin ${origin}`,
        );
      }
    }
  }
});

test('scores are not counted if even the highest possible rank at their origin is below the level', () => {
  // With 24 known scores, the highest rank at step 6 is 24 / (24 + sqrt(6)) = 0.91, below the level.
  const steps = outcomes(14, () => 1).map(({ index, scores }) => ({ index, scores: [scores[1]!] }));
  const adapted = new AdaptiveLevels(steps, [0.95], 0.5);
  assert.equal(adapted.levelAt(14, 0, 2), 0.95);
});

test('levels rise if errors grow, fall if they shrink, and stay near the nominal level otherwise', () => {
  const lastLevel = (sizeAt: (index: number) => number) =>
    new AdaptiveLevels(outcomes(400, sizeAt), LEVELS, 0.02).levelAt(400, 0, 1);
  assert.ok(lastLevel((index) => (index < 200 ? 1 : 2)) > 0.87);
  assert.ok(lastLevel((index) => (index < 200 ? 1 : 0.5)) < 0.7);
  const constant = lastLevel(() => 1);
  assert.ok(Math.abs(constant - 0.8) < 0.04, `${constant}`);
});

test('one minus the level stays between 0.25 and 2 times one minus the nominal level', () => {
  const extreme = (size: number) =>
    new AdaptiveLevels(
      outcomes(300, (index) => (index < 100 ? 1 : size)),
      LEVELS,
      0.5,
    );
  for (const [l, level] of LEVELS.entries()) {
    assert.ok(Math.abs(extreme(100).levelAt(103, l, 0) - (1 - 0.25 * (1 - level))) < 1e-12);
    assert.ok(Math.abs(extreme(0.01).levelAt(130, l, 0) - (1 - 2 * (1 - level))) < 1e-12);
  }
});

test('a level at an origin depends only on the rows before it', () => {
  const steps = outcomes(100, () => 1);
  const origin = 60;
  const changed = steps.map(({ index, scores }) => ({
    index,
    scores: scores.map((list) => list.map((score, n) => (index[n]! < origin ? score : 1000 + n))),
  }));
  const [before, after] = [steps, changed].map(
    (outcomesOfSteps) => new AdaptiveLevels(outcomesOfSteps, LEVELS, 0.1),
  );
  for (const l of LEVELS.keys())
    for (const part of [0, 1, 2]) {
      assert.equal(after!.levelAt(origin, l, part), before!.levelAt(origin, l, part));
      assert.notEqual(after!.levelAt(origin + 20, l, part), before!.levelAt(origin + 20, l, part));
    }
});

test('without enough known scores, the level is the nominal level', () => {
  const steps = outcomes(7, () => 1);
  const adapted = new AdaptiveLevels(steps, LEVELS, 0.5);
  assert.equal(adapted.levelAt(7, 0, 0), 0.8);
  const none = steps.map(() => ({ index: [], scores: [new Float64Array(0), new Float64Array(0)] }));
  assert.equal(new AdaptiveLevels(none, LEVELS, 0.5).levelAt(12, 1, 2), 0.95);
});
