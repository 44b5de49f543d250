/** The rows at which the baselines of a run are fitted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTable } from '@unroll/data';
import { panelFromTable } from '@unroll/tasks';
import { baselineFits } from '@unroll/tasks/internal';

const panelOf = (rows: number) =>
  panelFromTable(
    makeTable({ source: 's', names: ['y'], cells: [Array.from({ length: rows }, (_, t) => t % 7)] }),
    { target: 'y' },
  );
const planOf = (first: number, count: number) => ({
  period: 24,
  horizon: 24,
  origins: Array.from({ length: count }, (_, i) => first + i),
});

test('baselines are fitted at every origin of a short backtest, and once per horizon in the calibration', () => {
  const fits = baselineFits(panelOf(300), planOf(200, 48), [{ series: 0, origin: 150 }]);
  assert.deepEqual(
    planOf(200, 48).origins.filter((origin) => !fits.includes(origin)),
    [],
  );
  assert.deepEqual(fits.slice(0, 3), [150, 174, 198]);
});

test('baselines are fitted at a sample of the origins if there are thousands of them', () => {
  const fits = baselineFits(panelOf(10_000), planOf(4000, 6000), []);
  assert.ok(fits.length > 100 && fits.length < 200, `${fits.length}`);
  assert.ok(fits.every((fit, i) => i === 0 || fit > fits[i - 1]!));
});
