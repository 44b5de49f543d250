// Intervals from past errors: margins computed by hand, no use of later rows, and coverage close to the nominal coverage.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { actualAt, forecast, type Intervals, panelFromTable } from '@unroll/tasks';
import { Calibration, calibrateIntervals } from '@unroll/tasks/internal';

const panelOf = (values: ArrayLike<number>) =>
  panelFromTable(makeTable({ source: 's', names: ['y'], cells: [Array.from(values)] }), { target: 'y' });
const point = (value: number, levels: number) => ({
  median: Float64Array.of(value),
  lower: Array<Float64Array>(levels).fill(Float64Array.of(value)),
  upper: Array<Float64Array>(levels).fill(Float64Array.of(value)),
});
const symmetric = (margins: number[][]) => ({ lower: margins, upper: margins });
/** With this scale, a score is an error divided by 2 (see `units`). There is no logarithm, and no bound is clipped at 0. */
const plain = { log: false, nonNegative: [false], units: [2], floors: [0], ceilings: [1] };

describe('a calibration, computed by hand', () => {
  // Every forecast is 0; the errors are 1, -2, 3, -4, ..., 9, and the scores are their absolute values, divided by 2.
  const values = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? i + 1 : -(i + 1)));
  const learned = (levels: number[]) => {
    const calibration = new Calibration(levels, 1, plain);
    for (let origin = 0; origin < 9; origin++)
      calibration.learn(panelOf(values), { series: 0, origin }, point(0, levels.length));
    return calibration;
  };

  test('uses the eighth of nine scores as the margin of the 80 % interval: rank ceil(10·0.8)', () => {
    const { lower, upper } = learned([0.8]).widen(panelOf(values), { series: 0, origin: 9 }, point(100, 1));
    assert.deepEqual([lower[0]![0], upper[0]![0]], [92, 108]);
  });
  test('extrapolates the largest score with normal quantiles if the rank exceeds the number of scores', () => {
    const { upper } = learned([0.8, 0.99]).widen(panelOf(values), { series: 0, origin: 9 }, point(0, 2));
    assert.equal(upper[0]![0], 8);
    // The largest of nine scores is taken as the 90 % quantile. Of normal values, 90 % lie within 1.6449 standard deviations,
    // and 99 % within 2.5758.
    assert.ok(Math.abs(upper[1]![0]! - (9 * 2.5758) / 1.6449) < 1e-3, `${upper[1]}`);
  });
  test('ignores errors after the origin', () => {
    const { upper } = learned([0.8]).widen(panelOf(values), { series: 0, origin: 4 }, point(0, 1));
    assert.equal(upper[0]![0], 4);
  });
  test('returns NaN as bounds if no errors are known', () => {
    assert.ok(
      Number.isNaN(learned([0.8]).widen(panelOf(values), { series: 0, origin: 0 }, point(0, 1)).upper[0]![0]),
    );
  });
  test('never returns NaN after errors have become small, although the adapted level of narrow intervals falls to 0', () => {
    const [rows, horizon] = [160, 6];
    const noise = new RandomStream(1, 'calm').uniform(rows);
    const panel = panelOf(noise.map((each, row) => (row < 50 ? 20 : 0.2) * (each - 0.5)));
    const zero = new Float64Array(horizon);
    for (const level of [0.01, 0.3, 0.5]) {
      const calibration = new Calibration([level], horizon, { ...plain, adaptationRows: 12 });
      for (let origin = 0; origin < rows; origin++)
        calibration.learn(panel, { series: 0, origin }, { median: zero, lower: [zero], upper: [zero] });
      for (let origin = 40; origin < rows; origin++)
        assert.ok(
          Array.from(calibration.margins(origin).upper[0]!).every((margin) => margin >= 0),
          `${level}, row ${origin}`,
        );
    }
  });
  test('widens or narrows the interval of a head by its errors, but never past the median', () => {
    const calibration = new Calibration([0.5], 1, plain);
    const wide = { median: Float64Array.of(0), lower: [Float64Array.of(-10)], upper: [Float64Array.of(10)] };
    for (let origin = 0; origin < 9; origin++)
      calibration.learn(panelOf(values), { series: 0, origin }, wide);
    // The scores are (1 - 10) / 2, (2 - 10) / 2, ..., (9 - 10) / 2; their median is -5 / 2.
    const { lower, upper } = calibration.widen(panelOf(values), { series: 0, origin: 9 }, wide);
    assert.deepEqual([lower[0]![0], upper[0]![0]], [-5, 5]);
    const narrow = { median: Float64Array.of(0), lower: [Float64Array.of(-1)], upper: [Float64Array.of(1)] };
    const tight = calibration.widen(panelOf(values), { series: 0, origin: 9 }, narrow);
    assert.deepEqual([tight.lower[0]![0], tight.upper[0]![0]], [0, 0]);
  });
  test('does not narrow an interval that covered all values if its level has too few errors, and widens it only to contain the intervals of lower levels', () => {
    const calibration = new Calibration([0.5, 0.999999], 1, plain);
    const head = {
      median: Float64Array.of(0),
      lower: [Float64Array.of(-8), Float64Array.of(-20)],
      upper: [Float64Array.of(8), Float64Array.of(20)],
    };
    for (let origin = 0; origin < 9; origin++)
      calibration.learn(panelOf(values), { series: 0, origin }, head);
    // The largest score at 99.9999 % is (9 - 20) / 2. If it were extrapolated, it would narrow the interval to the median.
    const { lower, upper } = calibration.widen(panelOf(values), { series: 0, origin: 9 }, head);
    assert.deepEqual([lower, upper].map((bounds) => bounds.map(([value]) => value)), [[-5, -20], [5, 20]]); // biome-ignore format: by bound
    // The bounds of the levels cross after widening.
    const crossed = { ...head, lower: [...head.lower].reverse(), upper: [...head.upper].reverse() };
    const nested = calibration.widen(panelOf(values), { series: 0, origin: 9 }, crossed);
    assert.deepEqual(nested.upper.map(([value]) => value), [17, 17]); // biome-ignore format: one line
  });
  test('limits upper bounds to 10 · max(median, largest training value) if the target is log-transformed', () => {
    const log = { log: true, nonNegative: [false], units: [1], floors: [1e-3], ceilings: [25] };
    const calibration = new Calibration([0.5], 1, log);
    calibration.learn(panelOf([20, 20]), { series: 0, origin: 0 }, point(-5, 1)); // a factor of 20,000
    const bounds = [15, 40].map((value) =>
      calibration.widen(panelOf([20, 20]), { series: 0, origin: 1 }, point(value, 1)),
    );
    assert.deepEqual(
      bounds.map(({ upper }) => upper[0]![0]),
      [250, 400],
    );
    assert.ok(bounds.every(({ lower }) => lower[0]![0]! > 0));
  });
  test('treats errors as factors if the target is log-transformed', () => {
    const calibration = new Calibration([0.5], 1, {
      log: true,
      nonNegative: [false],
      units: [1],
      floors: [1e-9],
      ceilings: [1],
    });
    calibration.learn(panelOf([20, 20]), { series: 0, origin: 0 }, point(10, 1));
    const { lower, upper } = calibration.widen(panelOf([20, 20]), { series: 0, origin: 1 }, point(30, 1));
    assert.ok(Math.abs(lower[0]![0]! - 15) < 1e-9 && Math.abs(upper[0]![0]! - 60) < 1e-9);
  });
});

describe('margins of skewed errors', () => {
  // Every forecast is 0, and the values are 1, 2, ..., 9, -1, 1, 2, ...: one in ten is below the forecast.
  const valuesOf = (count: number) =>
    Array.from({ length: count }, (_, i) => (i % 10 === 9 ? -1 : (i % 10) + 1));
  const intervalAt = (count: number, horizon: number) => {
    const panel = panelOf([...valuesOf(count), ...new Array<number>(horizon).fill(0)]);
    const calibration = new Calibration([0.8], horizon, plain);
    const zeros = new Float64Array(horizon);
    const flat = { median: zeros, lower: [zeros], upper: [zeros] };
    for (let origin = 0; origin + horizon <= count; origin++)
      calibration.learn(panel, { series: 0, origin }, flat);
    const { lower, upper } = calibration.widen(panel, { series: 0, origin: count }, flat);
    return [lower[0]![0], upper[0]![0]];
  };

  test('have a quantile for each bound if at least 200 errors are known: a tenth of the 210 values is -1, a tenth is 9', () => {
    assert.deepEqual(intervalAt(210, 1), [-1, 9]);
    // With fewer errors, both bounds have the same margin: the 153rd of 190 absolute errors, rank ceil(191·0.8).
    assert.deepEqual(intervalAt(190, 1), [-8, 8]);
  });
  test('extrapolate the largest distance of each bound with normal quantiles if the level has too few errors', () => {
    const panel = panelOf([...valuesOf(210), 0]);
    const calibration = new Calibration([0.999], 1, plain);
    for (let origin = 0; origin < 210; origin++) calibration.learn(panel, { series: 0, origin }, point(0, 1));
    const { lower, upper } = calibration.widen(panel, { series: 0, origin: 210 }, point(0, 1));
    // Of normal values, 210 of 211 lie below 2.5943 standard deviations, and 99.95 % below 3.2905.
    const factor = 3.2905 / 2.5943;
    assert.ok(Math.abs(upper[0]![0]! - 9 * factor) < 1e-3, `${upper[0]}`);
    assert.ok(Math.abs(lower[0]![0]! + factor) < 1e-3, `${lower[0]}`);
  });
  test('are equal for both bounds if the errors span fewer than ten horizons', () => {
    const [lower, upper] = intervalAt(230, 25);
    assert.equal(lower, -upper!);
    assert.notEqual(intervalAt(280, 25)[0], -intervalAt(280, 25)[1]!);
  });
  test('leave as many values below as above the 80 % intervals of 1,000 log-normal errors', () => {
    const noise = new RandomStream(1, 'skewed').normal(3001).map(Math.exp);
    const calibration = new Calibration([0.8], 1, plain);
    const panel = panelOf(noise);
    let [below, above] = [0, 0];
    for (let origin = 0; origin < 3000; origin++) {
      const at = { series: 0, origin };
      if (origin >= 2000) {
        const { lower, upper } = calibration.widen(panel, at, point(1, 1));
        if (noise[origin]! < lower[0]![0]!) below++;
        if (noise[origin]! > upper[0]![0]!) above++;
      }
      calibration.learn(panel, at, point(1, 1));
    }
    assert.ok(Math.abs(below - 100) < 30 && Math.abs(above - 100) < 30, `${below} below, ${above} above`);
  });
});

test('beyond the calibrated steps, half-widths add up like independent errors', () => {
  const zeros = new Float64Array(5);
  const flat = { median: zeros, lower: [zeros], upper: [zeros] };
  const scale = { log: false, nonNegative: false, unit: 2, floor: 0, ceiling: 1 };
  const { lower, upper } = calibrateIntervals(flat, symmetric([[1, 2]]), scale);
  const expected = [2, 4, Math.hypot(2, 4), Math.hypot(4, 4), Math.hypot(2, 4, 4)];
  for (const [k, half] of expected.entries()) {
    assert.ok(
      Math.abs(upper[0]![k]! - half) < 1e-12 && Math.abs(lower[0]![k]! + half) < 1e-12,
      `${upper[0]}`,
    );
  }
  const { lower: clipped } = calibrateIntervals(flat, symmetric([[1, 2]]), { ...scale, nonNegative: true });
  assert.ok(clipped[0]!.every((value) => value === 0));
});

test('beyond the calibrated steps, clipping at 0 changes neither the width of later steps nor the order of bounds and median', () => {
  const median = Float64Array.of(3, -1, 1, -2, 1);
  const points = { median, lower: [median], upper: [median] };
  const scale = { log: false, unit: 2, floor: 0, ceiling: 1 };
  const { lower, upper } = calibrateIntervals(points, symmetric([[1, 2]]), { ...scale, nonNegative: true });
  const free = calibrateIntervals(points, symmetric([[1, 2]]), { ...scale, nonNegative: false });
  for (const k of median.keys()) {
    assert.equal(lower[0]![k], Math.min(median[k]!, Math.max(0, free.lower[0]![k]!)));
    assert.equal(upper[0]![k], Math.max(median[k]!, free.upper[0]![k]!));
  }
});

test('sixty errors of one series give 90 % intervals a coverage of 87 to 93 % at every horizon step', () => {
  const [count, horizon] = [2000, 6];
  const coverages = new Float64Array(horizon);
  for (let s = 0; s < count; s++) {
    let level = 0;
    const walk = new RandomStream(s, 'walk').normal(80 + horizon).map((noise) => (level += noise));
    const panel = panelOf(walk);
    const calibration = new Calibration([0.9], horizon, {
      log: false,
      nonNegative: [false],
      units: [1],
      floors: [0],
      ceilings: [1],
    });
    const naiveForecast = (origin: number) => {
      const median = new Float64Array(horizon).fill(walk[origin - 1]!);
      return { median, lower: [median], upper: [median] };
    };
    for (let origin = 20; origin < 80; origin++)
      calibration.learn(panel, { series: 0, origin }, naiveForecast(origin));
    const { lower, upper } = calibration.widen(panel, { series: 0, origin: 80 }, naiveForecast(80));
    for (let k = 0; k < horizon; k++) {
      coverages[k]! += Number(walk[80 + k]! >= lower[0]![k]! && walk[80 + k]! <= upper[0]![k]!) / count;
    }
  }
  assert.ok(
    coverages.every((share) => share >= 0.87 && share <= 0.93),
    `${coverages}`,
  );
});

test('five errors give 95 % intervals nearly their nominal coverage', () => {
  const count = 4000;
  let coverage = 0;
  for (let s = 0; s < count; s++) {
    const values = new RandomStream(s, 'few').normal(6);
    const calibration = new Calibration([0.95], 1, {
      log: false,
      nonNegative: [false],
      units: [1],
      floors: [0],
      ceilings: [1],
    });
    const panel = panelOf(values);
    for (let origin = 0; origin < 5; origin++) calibration.learn(panel, { series: 0, origin }, point(0, 1));
    const { lower, upper } = calibration.widen(panel, { series: 0, origin: 5 }, point(0, 1));
    coverage += Number(values[5]! >= lower[0]![0]! && values[5]! <= upper[0]![0]!) / count;
  }
  // With the largest of the five errors as margin, the coverage would be five sixths.
  assert.ok(coverage > 0.9 && coverage < 0.96, `${coverage}`);
});

test('90 % intervals have a coverage of 87 to 93 % at every horizon step, for every model', async () => {
  const [count, length, horizon] = [800, 48, 4];
  // Autoregressive series around a level; every other one with a season of four rows.
  const all = Array.from({ length: count }, (_, s) => {
    const random = new RandomStream(s, 'coverage').normal(length + horizon);
    let carried = 0;
    return random.map((noise, t) => {
      carried = 0.7 * carried + noise;
      return carried + (s % 2) * 3 * Math.sin((Math.PI / 2) * (t + 0.3 * s)) + 10;
    });
  });
  const rows = all.flatMap((values, s) =>
    Array.from(values.slice(0, length), (value, t) => ({ s: `s${s}`, t, value })),
  );
  const table = makeTable({
    source: 'made',
    names: ['s', 't', 'y'],
    cells: [rows.map(({ s }) => s), rows.map(({ t }) => t), rows.map(({ value }) => value)],
  });
  const result = await forecast(table, {
    ...{ target: 'y', series: 's', time: 't', season: 4, horizon },
    ...{ levels: [0.9], units: 8, epochs: 10 },
  });
  /** Returns the coverage at each horizon step. */
  const coverageOf = (forecasts: readonly Intervals[], actuals: readonly ArrayLike<number>[]) =>
    Array.from({ length: horizon }, (_, k) => {
      const inside = forecasts.filter(
        ({ lower, upper }, n) => actuals[n]![k]! >= lower[0]![k]! && actuals[n]![k]! <= upper[0]![k]!,
      );
      return inside.length / forecasts.length;
    });
  const check = (name: string, shares: number[]) =>
    assert.ok(
      shares.every((share) => share >= 0.87 && share <= 0.93),
      `${name}: ${shares}`,
    );
  const next = all.map((values) => values.subarray(length));
  check('the forecast', coverageOf(result.forecasts, next));
  const actuals = result.origins.map((origin) => actualAt(result.panel, origin, horizon));
  assert.deepEqual(result.backtest.map(({ model }) => model).sort(), [
    'drift',
    'ensemble',
    'ets',
    'lstm',
    'naive',
    'seasonal-naive',
    'theta',
  ]);
  for (const { model, forecasts } of result.backtest)
    check(`${model} in the backtest`, coverageOf(forecasts, actuals));
});
