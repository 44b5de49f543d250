// The representation of the target: chosen by held-out error, from training rows only, and stored in a saved model.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import { ForecastModel, forecast, panelFromTable, planEvent } from '@unroll/tasks';
import { chooseRepresentations, planForecast, WindowTransform } from '@unroll/tasks/internal';

type Series = (noise: Float64Array, s: number) => Float64Array;

/** A stationary series with a season: its seasonal differences are only noise. */
const seasonal: Series = (noise, s) =>
  noise.map((value, t) => 100 + 10 * s + 20 * Math.sin((2 * Math.PI * t) / 12) + 4 * value);
/** A random walk with a season: the latest seasonal difference persists. */
const walk: Series = (noise) => {
  let level = 100;
  return noise.map((value, t) => (level += 2 * value) + 20 * Math.sin((2 * Math.PI * t) / 12));
};
const seriesOf = (make: Series, count: number, rows = 120): Float64Array[] =>
  Array.from({ length: count }, (_, s) =>
    make(Float64Array.from(new RandomStream(s, 'views').normal(rows)), s),
  );

function tableOf(series: readonly Float64Array[]): Table {
  const cells: (string | number)[][] = [[], [], []];
  for (const [s, values] of series.entries()) {
    for (const [t, value] of values.entries()) {
      cells[0].push(`s${s}`);
      cells[1].push(`${2010 + Math.floor(t / 12)}-${String(1 + (t % 12)).padStart(2, '0')}`);
      cells[2].push(value);
    }
  }
  return makeTable({ source: 'p', names: ['id', 'month', 'y'], cells });
}
const panelOf = (series: readonly Float64Array[]) =>
  panelFromTable(tableOf(series), { target: 'y', series: 'id' });

const plan = {
  ...{ scaler: 'changes' as const, log: false, lag: 12, window: 12 },
  ...{ horizon: 12, chunk: 12, season: 12 },
};

describe('the chosen representations', () => {
  test('of a stationary series with a season: seasonal differences, without subtracting the last one', () => {
    const { representations, reason } = chooseRepresentations(seriesOf(seasonal, 10), plan, [12, 1]);
    assert.ok(
      representations.some(({ lag, reference }) => lag === 12 && reference !== 'last'),
      JSON.stringify(representations),
    );
    assert.match(
      reason,
      /held-out error of a linear model is \d+ % lower than with seasonal differences \(lag 12\), each minus the last one/,
    );
  });
  test('of a random walk: with the last seasonal difference or value subtracted', () => {
    const { representations } = chooseRepresentations(seriesOf(walk, 10), plan, [12, 1]);
    assert.ok(
      representations.some(({ reference }) => reference === 'last'),
      JSON.stringify(representations),
    );
  });
  test('are the default if there are too few rows', () => {
    const { representations, reason } = chooseRepresentations(seriesOf(seasonal, 1, 40), plan, [12, 1]);
    assert.deepEqual(
      representations.map(({ lag, reference }) => [lag, reference]),
      [
        [12, 'last'],
        [12, 'last'],
      ],
    );
    assert.equal(reason, '');
  });
  test('do not depend on rows after the first origin', () => {
    const series = seriesOf(seasonal, 6);
    const chosen = planForecast(panelOf(series), { horizon: 12 });
    const changed = series.map((values) =>
      values.map((value, t) => (t < chosen.cut ? value : (t * 7919) % 1000)),
    );
    assert.deepEqual(planForecast(panelOf(changed), { horizon: 12 }), chosen);
    assert.ok(chosen.representations.some(({ reference }) => reference !== 'last'));
  });
  test('are the default with --scaler changes', () => {
    const { representations } = planForecast(panelOf(seriesOf(seasonal, 6)), {
      horizon: 12,
      scaler: 'changes',
    });
    assert.ok(representations.every(({ reference }) => reference === 'last'));
  });
  test('are printed with the plan', () => {
    const panel = panelOf(seriesOf(seasonal, 6));
    const { lines } = planEvent({ panel, plan: planForecast(panel, { horizon: 12 }), frequency: 'monthly' });
    assert.ok(
      lines.some(({ text }) => /^window 12 rows: seasonal differences \(lag 12\).*held-out error/.test(text)),
    );
  });
});

test('logarithms are used if they lower the held-out error', () => {
  const series = seriesOf((noise, s) => {
    let level = 3 + s / 5;
    return noise.map((value, t) =>
      Math.exp((level += 0.02 * value + 0.03) + Math.sin((2 * Math.PI * t) / 12)),
    );
  }, 8);
  assert.equal(planForecast(panelOf(series), { horizon: 12 }).log, true);
});

describe('the centre of a window, computed by hand', () => {
  const values = Float64Array.of(1, 2, 4, 6, 9, 11); // differences over two rows: 3 4 5 5
  for (const [reference, centre] of [
    ['last', 5],
    ['mean', 14 / 3],
    ['zero', 0],
  ] as const) {
    test(reference, () => {
      const transformPlan = {
        ...{ scaler: 'changes' as const, log: false, lag: 2, window: 3, horizon: 2 },
        hasUnsubtractedChannel: false,
        reference,
      } as const;
      const transform = WindowTransform.fit(values, transformPlan);
      const scale =
        Math.hypot(
          ...[
            [3, 4, 5],
            [4, 5, 5],
          ].flatMap((window) => {
            const middle = { last: window[2], mean: (window[0] + window[1] + window[2]) / 3, zero: 0 }[
              reference
            ];
            return window.map((change) => change - middle);
          }),
        ) / Math.sqrt(6);
      assert.ok(Math.abs(transform.config.scale - scale) < 1e-12);
      const prepared = transform.prepare(values);
      const input = transform.input(prepared, 6);
      for (const [i, change] of [4, 5, 5].entries())
        assert.ok(Math.abs(input[i] - (change - centre) / scale) < 1e-12);
      // An output of 0 forecasts the value two rows before plus the centre.
      const [a, b] = transform.output(prepared, 6, [0, 0]);
      assert.ok(Math.abs(a - (9 + centre)) < 1e-12 && Math.abs(b - (11 + centre)) < 1e-12);
    });
  }
});

test('a saved model forecasts with the same representations', async () => {
  const table = tableOf(seriesOf(seasonal, 6));
  const options = { target: 'y', series: 'id', horizon: 12, units: 4, epochs: 2, baselines: [] };
  const { model, plan: chosenPlan, forecasts } = await forecast(table, options);
  assert.ok(
    chosenPlan.representations.some(({ reference }) => reference !== 'last'),
    JSON.stringify(chosenPlan.representations),
  );
  const loaded = ForecastModel.fromFiles(await model.toFiles());
  assert.deepEqual((await loaded.forecast(table)).forecasts, forecasts);
  assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
});
