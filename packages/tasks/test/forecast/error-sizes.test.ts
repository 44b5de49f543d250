/** The sizes of errors by series, position and origin, compared with weighted means computed directly from their definition. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { panelFromTable } from '@unroll/tasks';
import { Calibration, ErrorSizes, StepScores, spreadAt } from '@unroll/tasks/internal';

const [SEASON, LONG_SEASON] = [3, 6];
const panelOf = (series: number, rows = 100) => {
  const count = series * rows;
  return panelFromTable(
    makeTable({
      source: 's',
      names: ['t', 'id', 'y'],
      cells: [
        Array.from({ length: count }, (_, i) => i % rows),
        Array.from({ length: count }, (_, i) => `s${Math.floor(i / rows)}`),
        Array.from({ length: count }, (_, i) => (i % rows) % SEASON),
      ],
    }),
    { target: 'y', time: 't', series: 'id' },
  );
};

/**
 * One error of each series and step in each row; errors of series 1 are larger, those at position 2 smaller after row 50, those at
 * position 4 of the longer season larger, and those of forecasts from position 1 smaller.
 */
function stepsOf(seriesCount: number, horizon: number) {
  const noise = new RandomStream(3, 'sizes').uniform(100 * seriesCount * horizon);
  return Array.from({ length: horizon }, (_, k) => {
    const index = Array.from({ length: 100 * seriesCount }, (_, n) => Math.floor(n / seriesCount));
    const series = index.map((_, n) => n % seriesCount);
    const size = Float64Array.from(index, (row, n) => {
      const bySeries = series[n] === 1 ? 4 : 1;
      const byPosition = row % SEASON === 2 ? (row < 50 ? 3 : 0.5) : 1;
      const byLongPosition = row % LONG_SEASON === 4 ? 2 : 1;
      const byOrigin = (row - k + LONG_SEASON * 10) % SEASON === 1 ? 0.5 : 1;
      const factors = bySeries * byPosition * byLongPosition * byOrigin;
      return (k + 1) * factors * (0.5 + noise[n * horizon + k]!);
    });
    return { series, index, size };
  });
}

interface Used {
  series: number;
  /** The horizon step, from 0. */
  step: number;
  row: number;
  relative: number;
}

/** The errors before a row in the order of their rows, each divided by the mean of the earlier errors of its step. */
function usedErrors(steps: ReturnType<typeof stepsOf>, row: number): Used[] {
  const used: Used[] = [];
  for (const [step, { series, index, size }] of steps.entries()) {
    const earlier: number[] = [];
    for (const [n, each] of index.entries()) {
      if (each >= row || Number.isNaN(size[n]!)) continue;
      const mean = earlier.reduce((sum, value) => sum + value, 0) / earlier.length;
      if (earlier.length >= 20) used.push({ series: series[n]!, step, row: each, relative: size[n]! / mean });
      earlier.push(size[n]!);
    }
  }
  return used.sort((a, b) => a.row - b.row);
}

function weightedMean(
  errors: readonly Used[],
  last: number,
  halfLife: number,
  prior: number,
  weight: number,
) {
  let [sum, total] = [weight * prior, weight];
  for (const { row, relative } of errors) {
    const each = 0.5 ** ((last - row) / halfLife);
    sum += each * relative;
    total += each;
  }
  return sum / total;
}

const positionOf = (row: number, season: number): number => ((row % season) + season) % season;

function expectedSizes(used: readonly Used[], seriesCount: number, horizon: number) {
  const rows = used.map((error) => error.row);
  const [first, last] = [Math.min(...rows), Math.max(...rows)];
  const perRow = Math.max(1, used.length / (seriesCount * (last + 1 - first)));
  const ofSeries = (series: number): number => {
    const own = used.filter((error) => error.series === series);
    return weightedMean(own, last, Math.max(4 * horizon, 24), 1, Math.max(2 * horizon, 12) * perRow);
  };
  const relativeTo = (errors: readonly Used[], position: number, prior: number): number => {
    const mean = weightedMean(errors, last, 20 * SEASON, 0, 0);
    const here = errors.filter((error) => positionOf(error.row, SEASON) === position);
    return weightedMean(here, last, 20 * SEASON, prior * mean, 20 * perRow) / mean;
  };
  const ofAll = (position: number): number => relativeTo(used, position, 1);
  const ofPosition = (series: number, position: number): number =>
    relativeTo(
      used.filter((error) => error.series === series),
      position,
      ofAll(position),
    );
  return { ofSeries, ofAll, ofPosition, last, perRow, hasSpread: last + 1 - first >= 10 * SEASON };
}

/** The factors of all positions in the longer season, in each third of the horizon, and of the origin. */
function expectedFactors(used: readonly Used[], seriesCount: number, horizon: number) {
  const [byRow, inUnitsOfRow, inUnitsOfOrigin]: Used[][] = [[], [], []];
  const factorOf = (
    errors: readonly Used[],
    here: readonly Used[],
    { last, halfLife = 100 * SEASON, prior }: { last: number; halfLife?: number; prior: number },
  ): number => {
    if (errors.length === 0) return 1;
    const mean = weightedMean(errors, last, halfLife, 0, 0);
    return weightedMean(here, last, halfLife, mean, prior) / mean;
  };
  type Sizes = Pick<ReturnType<typeof expectedSizes>, 'last' | 'perRow'>;
  const ofLongPosition = ({ last, perRow }: Sizes, position: number): number => {
    const here = byRow!.filter((error) => error.row % LONG_SEASON === position);
    return factorOf(byRow!, here, { last, halfLife: 20 * LONG_SEASON, prior: 5 * perRow * seriesCount });
  };
  const thirdOf = ({ step }: Used): number => Math.floor((3 * step) / horizon);
  const inThirds = ({ last, perRow }: Sizes, errors: readonly Used[]): number[][] =>
    [0, 1, 2].map((third) => {
      const ofThird = errors.filter((error) => thirdOf(error) === third);
      return Array.from({ length: SEASON }, (_, position) => {
        const here = ofThird.filter((error) => error.row % SEASON === position);
        return factorOf(ofThird, here, { last, prior: (5 * perRow * seriesCount) / 3 });
      });
    });
  const ofOrigin = ({ last, perRow }: Sizes, position: number): number => {
    const here = inUnitsOfRow!.filter((error) => positionOf(error.row - error.step, SEASON) === position);
    return factorOf(inUnitsOfRow!, here, { last, prior: 5 * perRow * seriesCount });
  };
  for (const [i, error] of used.entries()) {
    const before = expectedSizes(used.slice(0, i), seriesCount, horizon);
    if (!before.hasSpread) continue;
    const relative = error.relative / before.ofPosition(error.series, error.row % SEASON);
    const ofLong = ofLongPosition(before, error.row % LONG_SEASON);
    byRow!.push({ ...error, relative });
    const ofOwnOrigin = ofOrigin(before, positionOf(error.row - error.step, SEASON));
    inUnitsOfOrigin!.push({ ...error, relative: relative / ofLong / ofOwnOrigin });
    inUnitsOfRow!.push({ ...error, relative: relative / ofLong });
  }
  const sizes = expectedSizes(used, seriesCount, horizon);
  return {
    byLongPosition: Array.from({ length: LONG_SEASON }, (_, position) => ofLongPosition(sizes, position)),
    byThird: inThirds(sizes, inUnitsOfRow!),
    byThirdWithOrigin: inThirds(sizes, inUnitsOfOrigin!),
    byOrigin: Array.from({ length: SEASON }, (_, position) => ofOrigin(sizes, position)),
  };
}

const close = (actual: number, expected: number, what: string) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${what}: ${actual}, expected ${expected}`);

describe('the sizes of errors', () => {
  for (const [seriesCount, horizon] of [
    [2, 1],
    [3, 7],
  ] as const) {
    test(`are weighted means of earlier errors (${seriesCount} series, horizon ${horizon})`, () => {
      const [panel, steps] = [panelOf(seriesCount), stepsOf(seriesCount, horizon)];
      const sizes = new ErrorSizes(panel, SEASON, steps);
      for (const row of [60, 99, Number.POSITIVE_INFINITY, 45]) {
        sizes.moveTo(row);
        const expected = expectedSizes(usedErrors(steps, row), seriesCount, horizon);
        const { byPosition, bySeries } = sizes.spread(false)!;
        for (let s = 0; s < seriesCount; s++) {
          close(sizes.ofSeries(s), expected.ofSeries(s), `series ${s} at row ${row}`);
          for (let p = 0; p < SEASON; p++) {
            close(byPosition[p]!, expected.ofAll(p), `position ${p} at row ${row}`);
            close(
              bySeries![`s${s}`]![p]!,
              expected.ofPosition(s, p),
              `series ${s}, position ${p} at row ${row}`,
            );
          }
        }
        assert.ok(sizes.ofSeries(1) > 1.5 * sizes.ofSeries(0), 'series 1 has larger errors');
      }
      const [before, after] = [50, 100].map((row) => {
        sizes.moveTo(row);
        return sizes.spread(false)!.byPosition[2]!;
      });
      assert.ok(
        before! > 1.2 && after! < 0.9 * before!,
        `position 2 has smaller errors after row 50: ${before}, ${after}`,
      );
    });
  }

  test('the factors of the longer season, of the part of the horizon and of the origin are relative to the sizes known before each error', () => {
    const [panel, steps, rows] = [panelOf(2), stepsOf(2, 4), [70, 100, 60]];
    const sizes = new ErrorSizes(panel, SEASON, steps, LONG_SEASON);
    for (const row of rows) {
      sizes.moveTo(row);
      const [spread, withOrigin] = [false, true].map((each) => sizes.spread(each)!);
      const { byLongPosition, byOrigin, ...expected } = expectedFactors(usedErrors(steps, row), 2, 4);
      assert.equal(spread!.byOrigin, undefined);
      assert.deepEqual(withOrigin!.byLongPosition, spread!.byLongPosition);
      const compare = (actual: readonly number[], factors: readonly number[], name: string) => {
        assert.equal(actual.length, factors.length);
        for (const [p, factor] of factors.entries())
          close(actual[p]!, factor, `${name}, position ${p} at row ${row}`);
      };
      compare(spread!.byLongPosition!, byLongPosition, 'longer season');
      compare(withOrigin!.byOrigin!, byOrigin, 'origin');
      for (const [{ byPart }, thirds] of [
        [spread!, expected.byThird],
        [withOrigin!, expected.byThirdWithOrigin],
      ] as const) {
        assert.deepEqual([byPart!.horizon, byPart!.factors.length], [4, 3]);
        for (const [third, factors] of thirds.entries())
          compare(byPart!.factors[third]!, factors, `third ${third}`);
      }
    }
    sizes.moveTo(100);
    const { byLongPosition: long, byOrigin } = sizes.spread(true)!;
    assert.ok(long![4]! > 1.15 * long![1]!, `the factors of positions 4 and 1: ${long}`);
    assert.ok(byOrigin![1]! < 0.8 * byOrigin![0]! && byOrigin![1]! < 0.8 * byOrigin![2]!, `${byOrigin}`);
  });

  test('of all errors are those that intervals from the origin of the error are widened by', () => {
    for (const [seriesCount, horizon] of [
      [1, 1],
      [2, 2],
      [2, 7],
    ] as const) {
      const [panel, steps] = [panelOf(seriesCount), stepsOf(seriesCount, horizon)];
      const atOrigins = new ErrorSizes(panel, SEASON, steps, LONG_SEASON).atOrigins();
      const sizes = new ErrorSizes(panel, SEASON, steps, LONG_SEASON);
      let compared = 0;
      for (let origin = 0; origin < 100 - horizon; origin++) {
        sizes.moveTo(origin);
        for (const [name, byOrigin] of [
          ['byPosition', false],
          ['byOrigin', true],
        ] as const) {
          const spreadOf = spreadAt(sizes.spread(byOrigin), panel);
          for (const [k, { series, index }] of steps.entries())
            for (const [n, row] of index.entries()) {
              if (row !== origin + k) continue;
              const expected = spreadOf({ series: series[n]!, origin }, k);
              close(atOrigins[k]![name][n]!, expected, `${name} from ${origin}, step ${k}`);
              if (expected !== 1) compared++;
            }
        }
      }
      assert.ok(compared > 60 * seriesCount * horizon, `${compared}`);
    }
  });

  test('are compared on the scores of the later half of the rows', () => {
    const scores = new StepScores(1, [1]);
    scores.index.push(7, 3, 3, 9, 5, 9, 1, 9);
    assert.deepEqual(scores.laterHalf([0, 1, 3, 4, 6]), [0, 3, 4], 'rows 7, 9 and 5 of 1, 3, 5, 7, 9');
    assert.deepEqual(scores.laterHalf([2, 3, 5, 7]), [3, 5, 7], 'all scores of a row');
    assert.deepEqual(scores.laterHalf([]), []);
  });

  test('have no factors of parts and origins if the horizon has fewer than three steps', () => {
    const sizes = new ErrorSizes(panelOf(2), SEASON, stepsOf(2, 2), LONG_SEASON);
    sizes.moveTo(100);
    const { byPart, byOrigin, byLongPosition } = sizes.spread(true)!;
    assert.ok([...byPart!.factors.flat(), ...byOrigin!].every((factor) => factor === 1));
    assert.ok(byLongPosition!.some((factor) => factor !== 1));
  });

  test('at the origins of all errors depend only on the errors before the origin, bit for bit', () => {
    const [panel, horizon] = [panelOf(2), 4];
    const plain = new ErrorSizes(panel, SEASON, stepsOf(2, horizon), LONG_SEASON).atOrigins();
    const altered = stepsOf(2, horizon);
    const from = 70;
    for (const { index, size } of altered)
      for (const [n, row] of index.entries()) if (row >= from) size[n] = n % 3 === 0 ? Number.NaN : 1e6;
    const changed = new ErrorSizes(panel, SEASON, altered, LONG_SEASON).atOrigins();
    const names = ['bySeries', 'byPosition', 'byOrigin'] as const;
    const later = { bySeries: 0, byPosition: 0, byOrigin: 0 };
    for (const [k, { index }] of altered.entries()) {
      for (const [n, row] of index.entries()) {
        for (const name of names) {
          const [after, before] = [changed[k]![name][n], plain[k]![name][n]];
          if (row - k <= from) assert.equal(after, before, `${name} at row ${row}`);
          else if (after !== before) later[name]++;
        }
      }
    }
    for (const name of names) assert.ok(later[name] > 100, `${name}: ${later[name]}`);
  });

  test('are 1 without errors and in a single series without a season; errors of fewer than 10 seasons have no spread', () => {
    const panel = panelOf(1);
    const none = new ErrorSizes(panel, SEASON, [{ series: [], index: [], size: new Float64Array(0) }]);
    none.moveTo(50);
    assert.equal(none.ofSeries(0), 1);
    assert.equal(none.spread(true), null);
    const [step] = stepsOf(1, 1);
    const sizes = new ErrorSizes(panel, SEASON, [step!]);
    sizes.moveTo(20 + 10 * SEASON - 1);
    assert.equal(sizes.spread(true), null);
    sizes.moveTo(20 + 10 * SEASON);
    assert.equal(sizes.spread(true)!.bySeries, undefined);
    const unseasonal = new ErrorSizes(panel, 1, [step!]);
    unseasonal.moveTo(100);
    assert.equal(unseasonal.spread(true), null);
    const silent = new ErrorSizes(panel, SEASON, [{ ...step!, size: new Float64Array(100) }]);
    silent.moveTo(100);
    assert.equal(silent.ofSeries(0), 1, 'errors of 0');
  });

  test('make the intervals of a panel as wide as the errors of each series', () => {
    const panel = panelOf(2, 201);
    const scale = {
      log: false,
      nonNegative: [false, false],
      units: [1, 1],
      floors: [0, 0],
      ceilings: [9, 9],
    };
    const calibration = new Calibration([0.8], 1, scale);
    const noise = new RandomStream(4, 'errors').normal(402);
    /** A forecast whose error is normal, with a standard deviation of 1 or 5. */
    const forecastAt = (series: number, origin: number) => {
      const error = (series === 1 ? 5 : 1) * noise[2 * origin + series]!;
      const median = Float64Array.of((origin % SEASON) + error);
      return { median, lower: [median], upper: [median] };
    };
    for (let origin = 0; origin < 200; origin++)
      for (const series of [0, 1]) calibration.learn(panel, { series, origin }, forecastAt(series, origin));
    const widths = [0, 1].map((series) => {
      const { lower, upper } = calibration.widen(panel, { series, origin: 200 }, forecastAt(series, 200));
      return upper[0]![0]! - lower[0]![0]!;
    });
    // 80 % of normal values lie within 1.2816 standard deviations.
    for (const [series, sd] of [1, 5].entries()) {
      const ratio = widths[series]! / (2 * 1.2816 * sd);
      assert.ok(ratio > 0.7 && ratio < 1.4, `series ${series}: ${ratio} times the expected width`);
    }
  });

  test('give intervals their coverage at each position in a longer season and in a part of the horizon, and from each origin', () => {
    const [season, horizon, rows] = [4, 4, 900];
    const noise = new RandomStream(6, 'origins').normal(rows * horizon);
    const cases = {
      'position 5 of the longer season': (row: number) => row % (2 * season) === 5,
      'position 2 in the first third of the horizon': (row: number, origin: number) =>
        row % season === 2 && row - origin < 2,
      'position 1 of the origin': (_: number, origin: number) => origin % season === 1,
    };
    const table = makeTable({
      source: 's',
      names: ['t', 'y'],
      cells: [Array.from({ length: rows }, (_, i) => i), Array.from({ length: rows }, (_, i) => i % season)],
    });
    const panel = panelFromTable(table, { target: 'y', time: 't' });
    const scale = {
      ...{ log: false, nonNegative: [false], units: [1], floors: [0], ceilings: [9] },
      ...{ season, longSeason: 2 * season },
    };
    for (const [name, isLarge] of Object.entries(cases)) {
      const calibration = new Calibration([0.8], horizon, scale);
      /** Forecasts whose errors are normal, with a standard deviation of 6 where `isLarge`, elsewhere 1. */
      const forecastAt = (origin: number) => {
        const median = Float64Array.from(
          { length: horizon },
          (_, k) =>
            ((origin + k) % season) + (isLarge(origin + k, origin) ? 6 : 1) * noise[origin * horizon + k]!,
        );
        return { median, lower: [median], upper: [median] };
      };
      for (let origin = 0; origin < rows - horizon; origin++)
        calibration.learn(panel, { series: 0, origin }, forecastAt(origin));
      const covered = { large: [0, 0], small: [0, 0] };
      for (let origin = rows / 2; origin < rows - horizon; origin++) {
        const { lower, upper } = calibration.widen(panel, { series: 0, origin }, forecastAt(origin));
        for (let k = 0; k < horizon; k++) {
          const actual = (origin + k) % season;
          const counts = covered[isLarge(origin + k, origin) ? 'large' : 'small'];
          counts[0]! += Number(lower[0]![k]! <= actual && actual <= upper[0]![k]!);
          counts[1]!++;
        }
      }
      const [large, small] = [covered.large, covered.small].map(([inside, count]) => inside! / count!);
      // If all intervals were equally wide, they would cover less than half of the large errors.
      assert.ok(large! > 0.7 && large! < 0.9, `${name}: ${large} of ${covered.large[1]} large errors`);
      assert.ok(small! > 0.72 && small! < 0.88, `${name}: ${small} of ${covered.small[1]} small errors`);
    }
  });
});
