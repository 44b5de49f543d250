// The season of a panel: chosen by held-out error, so a season is found even if most series have none.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable } from '@unroll/data';
import { type Panel, panelFromTable, planEvent } from '@unroll/tasks';
import { baselines, chooseSeason, planForecast } from '@unroll/tasks/internal';

const ROWS = 96;
const time = (t: number) => `${2000 + Math.floor(t / 12)}-${String(1 + (t % 12)).padStart(2, '0')}`;

/** Returns a panel of monthly random walks; the first `seasonal` of `count` have a season of 12. */
function monthly(count: number, seasonal: number, change = (_: number, value: number) => value): Panel {
  const cells: (string | number)[][] = [[], [], []];
  for (let s = 0; s < count; s++) {
    const noise = new RandomStream(s, 'seasons').normal(ROWS);
    let level = 100;
    for (let t = 0; t < ROWS; t++) {
      level += noise[t];
      const season = s < seasonal ? 15 * Math.sin((2 * Math.PI * t) / 12) : 0;
      cells[0].push(`s${s}`);
      cells[1].push(time(t));
      cells[2].push(change(t, level + season));
    }
  }
  return panelFromTable(makeTable({ source: 'panel', names: ['id', 'month', 'y'], cells }), {
    target: 'y',
    series: 'id',
  });
}

const seasonOf = (panel: Panel, horizon = 12) =>
  chooseSeason(
    panel,
    panel.series.map(({ values }) => values),
    horizon,
  );

describe('the season of a panel', () => {
  test('is found if a third of the series have it, and the reason says so', () => {
    const { season, seasons, reason } = seasonOf(monthly(12, 4));
    assert.deepEqual({ season, seasons }, { season: 12, seasons: [12] });
    assert.match(reason, /found in 33 % of the series, lowers the held-out error .* by \d+ %/);
  });
  test('is 1 for random walks', () => assert.equal(seasonOf(monthly(12, 0)).season, 1));
  test('is found by the share of series that have it, if they are too short for held-out rows', () => {
    assert.equal(seasonOf(monthly(6, 6), 80).season, 12);
    assert.equal(seasonOf(monthly(6, 2), 80).season, 1);
  });
  test('is the season of the options, if it is set', () =>
    assert.equal(chooseSeason(monthly(3, 3), [], 12, 6).season, 6));
  test('does not depend on rows after the first origin', () => {
    const plan = planForecast(monthly(12, 4), { horizon: 12 });
    const changed = monthly(12, 4, (t, value) => (t < plan.cut ? value : (t * 7919) % 100));
    assert.deepEqual(planForecast(changed, { horizon: 12 }), plan);
    assert.equal(plan.season, 12);
  });
  test('and its reason are printed with the plan', () => {
    const panel = monthly(12, 4);
    const plan = planForecast(panel, { horizon: 12 });
    const { lines } = planEvent({ panel, plan, frequency: 'monthly' });
    assert.ok(lines.some(({ text }) => /^monthly, season length 12 \(found in 33 %/.test(text)));
  });
});

test('hourly data with daily and weekly seasons: both are found, with one seasonal-naive baseline each', () => {
  const rows = 168 * 12;
  const noise = new RandomStream(1, 'hours').normal(rows);
  const values = Array.from({ length: rows }, (_, t) => {
    const isWeekend = t % 168 >= 120;
    return 50 + (isWeekend ? -5 : 20) * Math.sin((2 * Math.PI * t) / 24) + noise[t];
  });
  const hours = values.map((_, t) => new Date(Date.UTC(2024, 0, 1, t)).toISOString());
  const table = makeTable({ source: 'h', names: ['time', 'y'], cells: [hours, values] });
  const panel = panelFromTable(table, { target: 'y' });
  const plan = planForecast(panel, { horizon: 24 });
  assert.deepEqual([plan.season, plan.seasons], [168, [168, 24]]);
  assert.equal(plan.window % 24, 0, 'the window covers whole days');
  const all = baselines(plan);
  const history = Float64Array.from(values);
  const [week] = all.get('seasonal-naive')!.forecasts(history, [rows], []);
  const [day] = all.get('seasonal-naive-24')!.forecasts(history, [rows], []);
  assert.deepEqual([week[0], day[0]], [values[rows - 168], values[rows - 24]]);
});
