// A saved model on newer rows: scores computed by hand, forecasts without later rows, and errors if nothing can be compared.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { makeTable, parseCsv, type Table } from '@unroll/data';
import { ForecastModel, forecast, type Pipeline, type TaskScores } from '@unroll/tasks';

const season = [10, 20, 15, 40];
/** Returns the rows `from` to `to` (exclusive) of a series whose values rise by 1 every season. */
const rows = (from: number, to: number, series = 'A') =>
  Array.from({ length: to - from }, (_, i) => {
    const t = from + i;
    return [series, t, season[t % 4]! + Math.floor(t / 4)] as [string, number, number | null];
  });
const tableOf = (cells: [string, number, number | null][]): Table =>
  makeTable({
    source: 'new.csv',
    names: ['s', 't', 'y'],
    cells: [0, 1, 2].map((c) => cells.map((row) => row[c]!)),
  });
const options = {
  target: 'y',
  series: 's',
  time: 't',
  season: 4,
  horizon: 4,
  window: 4,
  units: 4,
  epochs: 1,
};
const trained = forecast(tableOf(rows(0, 48)), options);
/** Returns a model that is the baseline `seasonal-naive`, with interval margins of 0.5 and 2. */
const seasonalNaiveModel = async (changes: Partial<Pipeline> = {}): Promise<ForecastModel> => {
  const { pipeline } = (await trained).model;
  const margins = [
    [0.5, 0.5, 0.5, 0.5],
    [2, 2, 2, 2],
  ];
  const seasonalNaive = {
    model: 'seasonal-naive',
    fallback: 'seasonal-naive',
    representations: [],
    head: 'point' as const,
  };
  const series = pipeline.series.map((stored) => ({ ...stored, unit: 1, transforms: [] }));
  const baseline = { ...pipeline, ...seasonalNaive, series, margins, fallbackMargins: margins };
  return new ForecastModel(
    { ...baseline, plan: { ...pipeline.plan, log: false, scaler: 'changes' }, ...changes },
    null,
  );
};
const scoresOf = ({ columns, rows: [row] }: TaskScores) =>
  Object.fromEntries(columns.map(({ name }, c) => [name, row![c]!]));

describe('the evaluation of a baseline', () => {
  test('gives the scores computed by hand if the forecasts are 1 too low everywhere', async () => {
    const model = await seasonalNaiveModel();
    const scores = await model.evaluate({ rows: tableOf(rows(48, 52)) });
    const { model: name, mase, rmse, mae, smape, ...coverages } = scoresOf(scores);
    assert.equal(scores.rows.length, 1, 'the best baseline is the model');
    // The forecasts from row 48, 49, 50 and 51 have 4, 3, 2 and 1 known actual values, each of them 1 larger than the value one
    // season before.
    assert.deepEqual([name, mase, rmse, mae], ['seasonal-naive', 1, 1, 1]);
    // The actual values of rows 48 to 51 are 22, 32, 27 and 52. Row 48 + i is in i + 1 forecasts, and each of these is 1 too low.
    const actuals = [22, 32, 27, 52].map((value, i) => ({ value, count: i + 1 }));
    const sum = actuals.reduce((total, { value, count }) => total + (count * 2) / (2 * value - 1), 0);
    assert.ok(Math.abs(Number(smape) - (100 * sum) / 10) < 1e-9, `${smape}`);
    assert.deepEqual([coverages['coverage-80'], coverages['coverage-95']], [0, 1]);
    assert.deepEqual(scores.notes, [
      'Rows up to 47 are training rows stored in the model.',
      '4 forecasts of up to 4 rows, from 48 to 51.',
    ]);
  });

  test('gives the same scores for all rows and for the newer rows alone; ignores missing values', async () => {
    const model = await seasonalNaiveModel();
    const all = await model.evaluate({ rows: tableOf(rows(0, 52)) });
    const newer = await model.evaluate({ rows: tableOf(rows(48, 52)) });
    assert.deepEqual(scoresOf(all).rmse, scoresOf(newer).rmse);
    const gap = rows(48, 53).map((row): typeof row => (row[1] === 50 ? [row[0], row[1], null] : row));
    const { rmse } = scoresOf(await model.evaluate({ rows: tableOf(gap) }));
    assert.equal(rmse, 1);
  });

  test('ignores series not seen in training, with a note', async () => {
    const model = await seasonalNaiveModel();
    const more = [...rows(48, 52), ...rows(0, 52, 'B').map((row): typeof row => [row[0], row[1], 99])];
    const scores = await model.evaluate({ rows: tableOf(more) });
    assert.equal(scoresOf(scores).rmse, 1);
    assert.match(scores.notes.join('\n'), /^Ignored series that are not in the training data: B\.$/m);
  });
});

describe('a network', () => {
  const file = new URL('../../../cli/data/air-passengers.csv', import.meta.url);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const first = (count: number) => parseCsv(lines.slice(0, count + 1).join('\n'));
  const values = lines.slice(1).map((line) => Number(line.split(',')[1]));

  test('forecasts from each new row without later rows, and is scored next to the best baseline', async () => {
    const options = { target: 'passengers', horizon: 3, units: 4, epochs: 4 };
    const { model, winner } = await forecast(first(120), options);
    assert.equal(winner, 'lstm');
    const errors: number[] = [];
    let inside = 0;
    for (let known = 120; known < 144; known++) {
      const { forecasts } = await model.forecast(first(known));
      const { median, lower, upper } = forecasts[0]!;
      for (let k = 0; k < 3 && known + k < 144; k++) {
        const actual = values[known + k]!;
        errors.push(actual - median[k]!);
        if (lower[0]![k]! <= actual && actual <= upper[0]![k]!) inside++;
      }
    }
    const scores = await model.evaluate({ rows: first(144) });
    const lstm = scoresOf({ ...scores, rows: scores.rows.filter(([name]) => name === 'lstm') });
    const rmse = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
    assert.ok(Math.abs(Number(lstm.rmse) / rmse - 1) < 1e-6, `${lstm.rmse} is not ${rmse}`);
    assert.equal(lstm['coverage-80'], inside / errors.length);
    assert.deepEqual(scores.rows.map(([name]) => name).sort(), ['lstm', 'seasonal-naive']);
    assert.match(scores.notes.at(-1)!, /^24 forecasts of up to 3 rows, from 1959-01 to 1960-12\.$/);
  });
});

describe('an evaluation is rejected', () => {
  const assertRejected = async (
    model: ForecastModel,
    table: Table | undefined,
    message: RegExp,
    code = 'data',
  ) => assert.rejects(model.evaluate({ rows: table }), { code, message });
  test('without rows', async () =>
    assertRejected(
      await seasonalNaiveModel(),
      undefined,
      /evaluate needs data with rows newer than the training data/,
      'value',
    ));
  test('without a value after the stored rows', async () =>
    assertRejected(
      await seasonalNaiveModel(),
      tableOf([...rows(0, 48), ['A', 48, null]]),
      /^new\.csv has no values of "y" after 47, the last training row of the model\. Provide newer rows\.$/,
    ));
  test('if the training rows have no times', async () => {
    const { pipeline } = await seasonalNaiveModel();
    const model = await seasonalNaiveModel({ time: { ...pipeline.time, name: 'row' } });
    await assertRejected(model, tableOf(rows(0, 52)), /trained on rows without times/);
  });
  test('if the times are not on the time grid of the training rows', async () => {
    const between = rows(48, 60).map((row): typeof row => [row[0], row[1] + 0.5, row[2]]);
    await assertRejected(
      await seasonalNaiveModel(),
      tableOf(between),
      /^new\.csv: the time 48\.5 is not on the time grid of the training rows of the model \(.*, up to 47\)\. Provide rows/,
    );
  });
  test('with texts or options', async () => {
    const model = await seasonalNaiveModel();
    await assert.rejects(model.evaluate({ texts: ['a'] }), {
      message:
        'This model (unroll-forecast-1) predicts from rows, got texts. Pass rows instead (command line: --data).',
    });
    await assert.rejects(
      model.evaluate({ options: { horizon: 3 } }),
      /Unknown option "horizon"\. There are no options here\./,
    );
  });
});

describe('a forecasting model', () => {
  test('predicts a table, with null for NaN', async () => {
    const model = await seasonalNaiveModel({ margins: [], fallbackMargins: [], levels: [] });
    const { columns, rows: predicted, notes } = await model.predict({ options: { horizon: 2 } });
    assert.deepEqual(columns, ['series', 'time', 'mean', 'median']);
    assert.deepEqual(predicted, [
      ['A', '48', 21, 21],
      ['A', '49', 31, 31],
    ]);
    assert.deepEqual(notes, []);
    const { pipeline } = model;
    const unknown = await seasonalNaiveModel({ levels: [0.8], margins: [[null]], fallbackMargins: [[null]] });
    assert.deepEqual((await unknown.predict({ options: { horizon: 1 } })).rows[0]!.slice(-2), [null, null]);
    assert.equal(pipeline.format, model.format);
  });
  test('future rows need data', async () =>
    assert.rejects(
      (await seasonalNaiveModel()).predict({ options: { 'future-rows': tableOf(rows(48, 50)) } }),
      {
        message: 'Future rows require data with the rows before them.',
      },
    ));
  test('rejects an unknown baseline', async () =>
    assert.rejects((await seasonalNaiveModel({ fallback: 'guess', model: 'guess' })).forecast(), {
      code: 'format',
      message: 'pipeline.json: unknown baseline "guess".',
    }));
  test('describe returns the columns, the horizon, the season and the model that forecasts', async () => {
    const properties = (await seasonalNaiveModel()).describe();
    const expected = {
      target: 'y',
      time: 't',
      horizon: 4,
      season: 4,
      'forecast by': 'seasonal-naive',
      'rows up to': '47',
    };
    for (const [name, value] of Object.entries(expected))
      assert.deepEqual(
        properties.find((property) => property.name === name),
        { name, value },
      );
    assert.deepEqual(JSON.parse(JSON.stringify(properties)), properties);
  });
});
