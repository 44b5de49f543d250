// Panels whose series differ in start, end and length, and covariates with gaps and unknown categories.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import { type ForecastOptions, forecast, panelFromTable, planEvent, prepareForecast } from '@unroll/tasks';
import { PanelEncoder } from '@unroll/tasks/internal';

interface Row {
  id: string;
  t: number;
  y: number | null;
  kind: string | null;
}

const time = (t: number) => `${2000 + Math.floor(t / 12)}-${String(1 + (t % 12)).padStart(2, '0')}`;
const tableOf = (rows: readonly Row[]): Table =>
  makeTable({
    source: 'members',
    names: ['id', 'month', 'y', 'kind'],
    cells: [
      rows.map(({ id }) => id),
      rows.map(({ t }) => time(t)),
      rows.map(({ y }) => y),
      rows.map(({ kind }) => kind),
    ],
  });

/** Returns the rows `from` to `to` (exclusive) of a series. */
function rowsOf(id: string, from: number, to: number, kind: string | null = 'a'): Row[] {
  const noise = new RandomStream(id.length + from, id).normal(to - from);
  return Array.from(noise, (value, i) => ({
    ...{ id, kind, t: from + i },
    y: 50 + 8 * Math.sin((2 * Math.PI * (from + i)) / 12) + value,
  }));
}
const current = ['p', 'q', 'r', 's', 'u'].flatMap((id) => rowsOf(id, 100, 160));
const options: ForecastOptions = {
  ...{ target: 'y', series: 'id', horizon: 3, units: 4, epochs: 2, baselines: ['theta'] },
};
const idsOf = (forecasts: readonly { id: string }[]) => forecasts.map(({ id }) => id).join('');

describe('a series', () => {
  test('of one row has its value as forecast, with a note', async () => {
    const result = await forecast(tableOf([...current, ...rowsOf('x', 159, 160)]), options);
    assert.equal(idsOf(result.forecasts), 'pqrsux');
    const { median } = result.forecasts[5];
    const { y } = rowsOf('x', 159, 160)[0];
    for (const value of median) assert.ok(Math.abs(value - y!) < 1e-9, `${median}`);
    if (result.model.network !== null)
      assert.ok(
        result.notes.some((note) => /too short for the network.*: x\.$/.test(note)),
        result.notes.join('\n'),
      );
  });
  test('without values is left out, with a note', async () => {
    const empty = rowsOf('x', 120, 130).map((row) => ({ ...row, y: null }));
    const { panel } = prepareForecast(tableOf([...current, ...empty]), options);
    assert.equal(idsOf(panel.series), 'pqrsu');
    assert.ok(panel.notes.includes('Series without values, left out: x.'));
  });
  test('that ended years ago is left out, or forecast from its own end', async () => {
    const table = tableOf([...current, ...rowsOf('x', 0, 60)]);
    const dropped = await forecast(table, options);
    assert.equal(idsOf(dropped.forecasts), 'pqrsu');
    const dropNote =
      /^1 of 6 series ended at least 3 rows before the last row and are left out .*: x \(2004-12\)\.$/;
    assert.ok(dropped.notes.some((note) => dropNote.test(note)));
    const kept = await forecast(table, { ...options, discontinued: 'keep' });
    assert.equal(idsOf(kept.forecasts), 'pqrsux');
    assert.deepEqual(kept.forecasts[5].time, ['2005-01', '2005-02', '2005-03']);
    assert.ok(kept.forecasts[5].median.every(Number.isFinite));
  });
  test('that started late is forecast, and the plan says how many series are tested', async () => {
    const prepared = prepareForecast(tableOf([...current, ...rowsOf('x', 148, 160)]), options);
    const { lines } = planEvent(prepared);
    assert.ok(
      lines.some(({ text }) => text.endsWith('; 5 of 6 series tested')),
      lines.map(({ text }) => text).join('\n'),
    );
    const { forecasts } = await forecast(tableOf([...current, ...rowsOf('x', 148, 160)]), options);
    assert.ok(forecasts[5].median.every(Number.isFinite));
  });
});

test('if half of the series end earlier, all are kept', () => {
  const rows = [
    ...rowsOf('p', 0, 60),
    ...rowsOf('q', 0, 60),
    ...rowsOf('r', 40, 100),
    ...rowsOf('s', 40, 100),
  ];
  const { panel } = prepareForecast(tableOf(rows), options);
  assert.equal(idsOf(panel.series), 'pqrs');
  assert.ok(
    panel.notes.some((note) =>
      /^2 of 4 series ended at least 3 rows before the last row and are forecast from/.test(note),
    ),
  );
});

test('rejects an unknown value of discontinued', () => {
  assert.throws(
    () => prepareForecast(tableOf(current), { ...options, discontinued: 'maybe' as 'keep' }),
    /discontinued must be keep or drop, got "maybe"/,
  );
});

describe('categories', () => {
  test('of a static covariate may be missing, but may not change', () => {
    const gaps = current.map((row) => (row.t % 5 === 0 ? { ...row, kind: null } : row));
    const panel = panelFromTable(tableOf(gaps), { target: 'y', series: 'id', static: ['kind'] });
    assert.deepEqual(panel.covariates[0].categories, ['a']);
    const plan = {
      ...{ scaler: 'changes' as const, log: false, lag: 1, window: 2, horizon: 1 },
      season: 1,
      hasUnsubtractedChannel: false,
    };
    const { inputs } = PanelEncoder.fit(panel, plan, 160).encode([{ series: 0, origin: 50 }]);
    assert.deepEqual([inputs[1], inputs[3]], [1, 1], 'a missing category is filled from the other rows');
    const changed = current.map((row) => (row.t === 130 ? { ...row, kind: 'b' } : row));
    assert.throws(
      () => panelFromTable(tableOf(changed), { target: 'y', series: 'id', static: ['kind'] }),
      /the static covariate "kind" of series "p" must be constant/,
    );
  });
  test('that occur only in future rows are encoded as unknown, with a note', () => {
    const futureRows = ['p', 'q'].flatMap((id) =>
      rowsOf(id, 160, 163).map((row) => ({ ...row, y: null, kind: row.t === 161 ? 'new' : 'a' })),
    );
    const rows = [...rowsOf('p', 100, 160), ...rowsOf('q', 100, 160, 'b'), ...futureRows];
    const panel = panelFromTable(tableOf(rows), { target: 'y', series: 'id', future: ['kind'] });
    assert.deepEqual(panel.covariates[0].categories, ['a', 'b']);
    assert.deepEqual([...panel.series[0].covariates[0].slice(60)], [0, -1, 0]);
    assert.ok(panel.notes.some((note) => note.startsWith('Column "kind": "new" not seen in training')));
  });
  test('are encoded as unknown in a tenth of the training pairs, and never in forecasts', () => {
    const panel = panelFromTable(tableOf(current), { target: 'y', series: 'id', static: ['kind'] });
    const plan = {
      ...{ scaler: 'changes' as const, log: false, lag: 1, window: 1, horizon: 1 },
      season: 1,
      hasUnsubtractedChannel: false,
    };
    const encoder = PanelEncoder.fit(panel, plan, 160);
    const range = { from: 0, to: 160, maxPairs: 1000 };
    const shareOfUnknown = (dropCategories: boolean) => {
      const { inputs, count } = encoder.pairs({ ...range, dropCategories });
      return inputs.filter((value, i) => i % 2 === 1 && value === 0).length / count;
    };
    assert.ok(shareOfUnknown(true) > 0.04 && shareOfUnknown(true) < 0.2);
    assert.equal(shareOfUnknown(false), 0);
  });
});
