/** The sizes of errors by series and by position in the season, compared with weighted means computed directly from their definition. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { panelFromTable } from '@unroll/tasks';
import { Calibration, ErrorSizes } from '@unroll/tasks/internal';

const SEASON = 3;
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

/** One error of each series and step in each row; errors of series 1 are larger, those at position 2 smaller after row 50. */
function stepsOf(seriesCount: number, horizon: number) {
  const noise = new RandomStream(3, 'sizes').uniform(100 * seriesCount * horizon);
  return Array.from({ length: horizon }, (_, k) => {
    const index = Array.from({ length: 100 * seriesCount }, (_, n) => Math.floor(n / seriesCount));
    const series = index.map((_, n) => n % seriesCount);
    const size = Float64Array.from(index, (row, n) => {
      const bySeries = series[n] === 1 ? 4 : 1;
      const byPosition = row % SEASON === 2 ? (row < 50 ? 3 : 0.5) : 1;
      return (k + 1) * bySeries * byPosition * (0.5 + noise[n * horizon + k]!);
    });
    return { series, index, size };
  });
}

interface Used {
  series: number;
  row: number;
  relative: number;
}

/** The errors before a row, each divided by the mean of the earlier errors of its step. */
function usedErrors(steps: ReturnType<typeof stepsOf>, row: number): Used[] {
  const used: Used[] = [];
  for (const { series, index, size } of steps) {
    const earlier: number[] = [];
    for (const [n, each] of index.entries()) {
      if (each >= row || Number.isNaN(size[n]!)) continue;
      const mean = earlier.reduce((sum, value) => sum + value, 0) / earlier.length;
      if (earlier.length >= 20) used.push({ series: series[n]!, row: each, relative: size[n]! / mean });
      earlier.push(size[n]!);
    }
  }
  return used;
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

function expectedSizes(steps: ReturnType<typeof stepsOf>, row: number, seriesCount: number) {
  const horizon = steps.length;
  const used = usedErrors(steps, row);
  const rows = used.map((error) => error.row);
  const [first, last] = [Math.min(...rows), Math.max(...rows)];
  const perRow = Math.max(1, used.length / (seriesCount * (last + 1 - first)));
  const ofSeries = (series: number): number => {
    const own = used.filter((error) => error.series === series);
    return weightedMean(own, last, Math.max(4 * horizon, 24), 1, Math.max(2 * horizon, 12) * perRow);
  };
  const relativeTo = (errors: readonly Used[], position: number, prior: number): number => {
    const mean = weightedMean(errors, last, 20 * SEASON, 0, 0);
    const here = errors.filter((error) => error.row % SEASON === position);
    return weightedMean(here, last, 20 * SEASON, prior * mean, 20 * perRow) / mean;
  };
  const ofAll = (position: number): number => relativeTo(used, position, 1);
  const ofPosition = (series: number, position: number): number =>
    relativeTo(
      used.filter((error) => error.series === series),
      position,
      ofAll(position),
    );
  return { ofSeries, ofAll, ofPosition };
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
        const expected = expectedSizes(steps, row, seriesCount);
        const { byPosition, bySeries } = sizes.spread()!;
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
        return sizes.spread()!.byPosition[2]!;
      });
      assert.ok(
        before! > 1.2 && after! < 0.9 * before!,
        `position 2 has smaller errors after row 50: ${before}, ${after}`,
      );
    });
  }

  test('at the origins of all errors depend only on the errors before the origin, bit for bit', () => {
    const [panel, horizon] = [panelOf(2), 4];
    const plain = new ErrorSizes(panel, SEASON, stepsOf(2, horizon)).atOrigins();
    const altered = stepsOf(2, horizon);
    const from = 70;
    for (const { index, size } of altered)
      for (const [n, row] of index.entries()) if (row >= from) size[n] = n % 3 === 0 ? Number.NaN : 1e6;
    const changed = new ErrorSizes(panel, SEASON, altered).atOrigins();
    let later = 0;
    for (const [k, { index }] of altered.entries()) {
      for (const [n, row] of index.entries()) {
        if (row - k <= from) {
          assert.equal(changed[k]!.bySeries[n], plain[k]!.bySeries[n]);
          assert.equal(changed[k]!.byPosition[n], plain[k]!.byPosition[n]);
        } else if (changed[k]!.bySeries[n] !== plain[k]!.bySeries[n]) later++;
      }
    }
    assert.ok(later > 100, `${later}`);
  });

  test('are 1 without errors and in a single series without a season; errors of fewer than 10 seasons have no spread', () => {
    const panel = panelOf(1);
    const none = new ErrorSizes(panel, SEASON, [{ series: [], index: [], size: new Float64Array(0) }]);
    none.moveTo(50);
    assert.equal(none.ofSeries(0), 1);
    assert.equal(none.spread(), null);
    const [step] = stepsOf(1, 1);
    const sizes = new ErrorSizes(panel, SEASON, [step!]);
    sizes.moveTo(20 + 10 * SEASON - 1);
    assert.equal(sizes.spread(), null);
    sizes.moveTo(20 + 10 * SEASON);
    assert.equal(sizes.spread()!.bySeries, undefined);
    const unseasonal = new ErrorSizes(panel, 1, [step!]);
    unseasonal.moveTo(100);
    assert.equal(unseasonal.spread(), null);
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
});
