// The function that `pipeline('forecast', model)` returns: the same forecast as `predict`, from rows, tables and numbers; and errors.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeTable, type Table } from '@unroll/data';
import { type ForecastModel, type ForecastPoint, forecast } from '@unroll/tasks';

const SMALL = { horizon: 3, season: 4, units: 4, epochs: 4, baselines: [] };
const valueAt = (t: number): number => 20 + 5 * (t % 4) + Math.sin(7 * t);
const dayAt = (t: number): string => new Date(Date.UTC(2024, 0, 1 + t)).toISOString().slice(0, 10);
const steps = Array.from({ length: 60 }, (_, t) => t);
const table = (names: string[], cells: (string | number | null)[][]): Table =>
  makeTable({ source: 'made', names, cells });

/** Returns the points as the rows of `predict`. */
const rowsOf = (points: readonly ForecastPoint[]) =>
  points.map(({ series, time, mean, median, intervals }) => [
    ...(series === undefined ? [] : [series]),
    time,
    ...[mean, median, ...intervals.flatMap(({ lower, upper }) => [lower, upper])].map((value) =>
      Number(value.toPrecision(10)),
    ),
  ]);
const predicted = async (model: ForecastModel, rows?: Table, options = {}) =>
  (await model.predict({ ...(rows && { rows }), options })).rows;

describe('the pipeline of a forecast of one series', () => {
  const trained = forecast(table(['day', 'sold'], [steps.map(dayAt), steps.map(valueAt)]), {
    ...SMALL,
    target: 'sold',
  });
  const newSteps = [60, 61, 62];
  const newRows = newSteps.map((t) => ({ day: dayAt(t), sold: valueAt(t) }));

  test('continues the training data', async () => {
    const { model } = await trained;
    const points = await model.pipe(undefined);
    assert.deepEqual(
      points.map(({ time }) => time),
      [60, 61, 62].map(dayAt),
    );
    assert.deepEqual(rowsOf(points), await predicted(model));
    assert.deepEqual(
      points[0].intervals.map(({ level }) => level),
      model.pipeline.levels,
    );
    assert.ok(
      points.every(({ intervals: [{ lower, upper }], median }) => lower <= median && median <= upper),
    );
    assert.equal((await model.pipe(null, { horizon: 5 })).length, 5);
  });
  test('takes rows, tables and numbers', async () => {
    const { model } = await trained;
    const rows = table(['day', 'sold'], [newSteps.map(dayAt), newSteps.map(valueAt)]);
    const expected = await predicted(model, rows);
    assert.equal(expected[0][0], dayAt(63));
    for (const input of [rows, newRows, newSteps.map(valueAt)])
      assert.deepEqual(rowsOf(await model.pipe(input)), expected);
  });
  test('rejects inputs that are not rows, tables or numbers, and invalid options', async () => {
    const { model } = await trained;
    const wrong = (input: unknown) =>
      assert.rejects(model.pipe(input), { code: 'value', message: /^rows must be/ });
    for (const input of ['2024-01-01', 7, {}, [newRows[0], 7], [[1, 2]]]) await wrong(input);
    await assert.rejects(model.pipe([]), { message: 'The list of rows is empty.' });
    await assert.rejects(model.pipe(newRows, { horizon: 0 }), {
      message: /horizon must be a positive integer/,
    });
    await assert.rejects(model.pipe([{ date: dayAt(60), sold: 3 }]), { code: 'data', message: /"day"/ });
  });
});

test('the pipeline of a forecast without times takes the whole series', async () => {
  const values = steps.map(valueAt);
  const { model } = await forecast(table(['sold'], [values]), { ...SMALL, target: 'sold' });
  const shorter = values.slice(0, 50);
  assert.deepEqual(rowsOf(await model.pipe(shorter)), await predicted(model, table(['sold'], [shorter])));
});

test('the pipeline of a forecast of several series takes future rows and names the series', async () => {
  const all = ['A', 'B'].flatMap((shop) => Array.from({ length: 63 }, (_, t) => ({ shop, t, price: t % 3 })));
  const { model } = await forecast(
    table(
      ['shop', 'day', 'price', 'sold'],
      [
        all.map(({ shop }) => shop),
        all.map(({ t }) => dayAt(t)),
        all.map(({ price }) => price),
        all.map(({ t, price, shop }) => (t < 60 ? valueAt(t) - price + (shop === 'A' ? 0 : 10) : null)),
      ],
    ),
    { ...SMALL, target: 'sold', series: 'shop', future: ['price'] },
  );
  const row = (shop: string, t: number) => ({ shop, day: dayAt(t), price: 1 });
  const rows = ['A', 'B'].map((shop) => ({ ...row(shop, 60), sold: 24 }));
  const futureRows = ['A', 'B'].flatMap((shop) => [61, 62, 63].map((t) => row(shop, t)));
  const points = await model.pipe(rows, { futureRows });
  assert.deepEqual(
    points.map(({ series, time }) => `${series} ${time}`),
    futureRows.map(({ shop, day }) => `${shop} ${day}`),
  );
  await assert.rejects(model.pipe([20, 21]), {
    code: 'value',
    message: 'This model also reads the columns shop, price. Pass rows as objects instead of numbers.',
  });
  await assert.rejects(model.pipe(rows, { futureRows: [3] as never }), {
    message:
      'futureRows must be a table or a list of objects such as { month: "1960-12", passengers: 432 }, got 3.',
  });
});
