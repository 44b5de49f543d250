// The head negbin on generated counts, small and large: better than a normal distribution, never below 0, saved and loaded.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import { ForecastModel, type ForecastOptions, forecast, prepareForecast } from '@unroll/tasks';
import { negativeBinomialQuantile } from '@unroll/tasks/internal';

const [SERIES, ROWS] = [40, 84];

/** Returns negative binomial counts with a season of seven rows; the series have means between 0.2 and 20. */
function counts(): Table {
  const cells: [string[], number[], number[]] = [[], [], []];
  for (let s = 0; s < SERIES; s++) {
    const random = new RandomStream(s, 'counts');
    const [logMean] = random.uniform(1, -1.5, 3);
    for (const [t, level] of random.uniform(ROWS).entries()) {
      const mean = Math.exp(logMean!) * (1 + 0.8 * Math.sin((2 * Math.PI * (t + s)) / 7));
      cells[0].push(`s${s}`);
      cells[1].push(t);
      cells[2].push(negativeBinomialQuantile(level, mean, 0.6));
    }
  }
  return makeTable({ source: 'made', names: ['s', 't', 'y'], cells });
}
const options: ForecastOptions = {
  ...{ target: 'y', series: 's', time: 't', season: 7, horizon: 7 },
  ...{ levels: [0.2, 0.4, 0.6, 0.8, 0.95], units: 16, epochs: 15 },
};
const table = counts();
const trained = forecast(table, { ...options, head: 'negbin' });

describe('head negbin', () => {
  test('its weighted quantile loss is at least 10 % lower than that of the head gaussian', async () => {
    const wql = (result: Awaited<typeof trained>) =>
      result.leaderboard.find(({ model }) => model === 'lstm')!.wql;
    const normal = wql(await forecast(table, { ...options, head: 'gaussian' }));
    const negbin = wql(await trained);
    assert.ok(negbin < 0.9 * normal, `${negbin}, and ${normal} of the head gaussian`);
  });

  test('its intervals have at least their nominal coverage, since counts are integers', async () => {
    const { coverage } = (await trained).leaderboard.find(({ model }) => model === 'lstm')!;
    assert.ok(coverage['80']! >= 0.77 && coverage['95']! >= 0.93, JSON.stringify(coverage));
  });

  test('no bound is below 0, and the mean is positive where the median is 0', async () => {
    const { winner, forecasts, backtest } = await trained;
    assert.equal(winner, 'lstm');
    const tested = backtest.find(({ model }) => model === 'lstm')!.forecasts;
    for (const { lower } of [...forecasts, ...tested])
      assert.ok(lower.every((bounds) => bounds.every((value) => value >= 0)));
    const rare = forecasts.filter(({ median }) => median.every((value) => value === 0));
    assert.ok(rare.length > 0, 'some series are mostly 0');
    for (const { mean } of rare) assert.ok(mean.every((value) => value > 0 && value < 1.5));
  });

  test('a saved and loaded model makes the same forecast', async () => {
    const { model, forecasts } = await trained;
    assert.deepEqual(
      (await ForecastModel.fromFiles(await model.toFiles()).forecast(table)).forecasts,
      forecasts,
    );
  });

  test('rejects values that are not counts, with their location', async () => {
    const salesOf = (values: number[]) =>
      makeTable({ source: 'sales.csv', names: ['t', 'y'], cells: [values.map((_, t) => t), values] });
    const values = Array.from({ length: 40 }, (_, t) => t % 5);
    const countOptions = { target: 'y', time: 't', horizon: 2, head: 'negbin' } as const;
    for (const wrong of [2.5, -1]) {
      await assert.rejects(forecast(salesOf(values.with(7, wrong)), countOptions), {
        message: `sales.csv, column "y": the head negbin needs counts (non-negative integers), got ${wrong} at 7. Use the head quantile instead.`,
        code: 'data',
      });
    }
    await assert.rejects(forecast(salesOf(values), { ...countOptions, scaler: 'standard' }), {
      message: 'The option scaler cannot be used with the head negbin, which has its own scaling.',
    });
  });
});

test('many zeros: a note proposes the head negbin, unless a head was chosen or the values are not counts', () => {
  const proposal = /^"y" holds counts, of which \d+ % are 0\. Compare with the head negbin/;
  const notesOf = (rows: Table, head?: ForecastOptions['head']) =>
    prepareForecast(rows, { ...options, ...(head && { head }) }).panel.notes.filter((note) =>
      proposal.test(note),
    );
  const rare = makeTable({
    source: 'rare',
    names: ['s', 't', 'y'],
    cells: table.columns.map(({ name, cells }) =>
      name === 'y' ? cells.map((cell) => Math.max(0, Number(cell) - 3)) : cells,
    ),
  });
  assert.equal(notesOf(rare).length, 1);
  assert.equal(notesOf(rare, 'point').length, 0);
  const halves = makeTable({
    source: 'halves',
    names: ['s', 't', 'y'],
    cells: rare.columns.map(({ name, cells }) =>
      name === 'y' ? cells.map((cell) => Number(cell) / 2) : cells,
    ),
  });
  assert.equal(notesOf(halves).length, 0);
});
