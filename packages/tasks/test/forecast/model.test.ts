// A saved and loaded model: the same forecasts to the last digit, from the stored rows and from a table.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeTable, type Table } from '@unroll/data';
import { ForecastModel, type ForecastOptions, forecast } from '@unroll/tasks';

const options: ForecastOptions = {
  target: 'y',
  series: 's',
  time: 't',
  season: 4,
  horizon: 3,
  past: ['sun'],
  future: ['day'],
  static: ['kind'],
  head: 'quantile',
  units: 8,
  epochs: 20,
  baselines: [], // so that the network wins
};

interface Row {
  s: string;
  t: number;
  y: number | null;
  sun: number | null;
  day: string | number;
  kind: string;
}
const days = ['mon', 'tue', 'wed'];
const rowsOf = (s: string, kind: string, length = 40): Row[] =>
  Array.from({ length: length + 3 }, (_, t) => {
    const isFuture = t >= length;
    const y = isFuture
      ? null
      : 20 + t + 6 * (t % 3 === 0 ? 1 : 0) + (kind === 'big' ? 30 : 0) + Math.sin(t * 7);
    return { s, t, y, sun: isFuture ? null : Math.cos(t), day: days[t % 3]!, kind };
  });
function tableOf(rows: readonly Row[]): Table {
  const names = ['s', 't', 'y', 'sun', 'day', 'kind'] as const;
  return makeTable({ source: 'made', names, cells: names.map((name) => rows.map((row) => row[name])) });
}
const rows = [...rowsOf('A', 'small'), ...rowsOf('B', 'big')];
const trained = forecast(tableOf(rows), options);

describe('a saved and loaded model', () => {
  test('gives the same forecast from the stored rows and from the table', async () => {
    const { winner, model, forecasts } = await trained;
    assert.equal(winner, 'lstm');
    const files = await model.toFiles({ seed: 0 });
    assert.deepEqual([...files.keys()].sort(), [
      'config.json',
      'model.safetensors',
      'pipeline.json',
      'training.json',
    ]);
    const loaded = ForecastModel.fromFiles(files);
    assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
    assert.deepEqual((await loaded.forecast(tableOf(rows))).forecasts, forecasts);
    assert.deepEqual((await loaded.forecast(tableOf(rows.toReversed()))).forecasts.toReversed(), forecasts);
  });
  test('files of an earlier version, which store the horizon chunk as reach, give the same forecast', async () => {
    const { model, forecasts } = await trained;
    const files = await model.toFiles();
    const pipeline = JSON.parse(new TextDecoder().decode(files.get('pipeline.json')));
    const { chunk: reach, ...plan } = pipeline.plan;
    const earlier = JSON.stringify({ ...pipeline, plan: { ...plan, reach } });
    const loaded = ForecastModel.fromFiles(
      new Map([...files, ['pipeline.json', new TextEncoder().encode(earlier)]]),
    );
    assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
  });

  test('files of an earlier version, which store the representations as views, give the same forecast', async () => {
    const { model, forecasts } = await trained;
    const files = await model.toFiles();
    const text = new TextDecoder()
      .decode(files.get('pipeline.json'))
      .replaceAll('"representations"', '"views"')
      .replaceAll('"hasUnsubtractedChannel"', '"absolute"')
      .replaceAll('"reference"', '"anchor"');
    assert.deepEqual(
      [text.includes('"views"'), text.includes('"absolute"'), text.includes('"anchor"')],
      [true, true, true],
    );
    const loaded = ForecastModel.fromFiles(
      new Map([...files, ['pipeline.json', new TextEncoder().encode(text)]]),
    );
    assert.deepEqual((await loaded.forecast()).forecasts, forecasts);
    const plain = ({ pipeline }: ForecastModel) => JSON.parse(JSON.stringify(pipeline));
    assert.deepEqual(plain(loaded), plain(ForecastModel.fromFiles(files)));
  });

  test('the encoding of categories does not change if a table contains only some of them', async () => {
    const { model, forecasts } = await trained;
    const { forecasts: one } = await model.forecast(tableOf(rowsOf('B', 'big')));
    // The training run predicts two series in one batch, this forecast only one: the results of different batch sizes differ in
    // the last bits.
    const near = (got: unknown, want: unknown): void => {
      if (typeof got === 'number' && typeof want === 'number') {
        assert.ok(Math.abs(got - want) <= 1e-6 * Math.abs(want), `${got} is not ${want}`);
      } else if (typeof want === 'object' && want !== null) {
        assert.deepEqual(Object.keys(got as object), Object.keys(want));
        for (const [key, value] of Object.entries(want)) near((got as Record<string, unknown>)[key], value);
      } else {
        assert.equal(got, want);
      }
    };
    near(one, [forecasts[1]]);
  });
});

describe('newer rows', () => {
  const longer = [...rowsOf('A', 'small', 43), ...rowsOf('B', 'big', 43)];
  const since = (t: number) => tableOf(longer.filter((row) => row.t >= t));

  test('give the same forecast alone and together with the earlier rows', async () => {
    const { model, forecasts: before } = await trained;
    const { forecasts } = await model.forecast(tableOf(longer));
    assert.deepEqual(forecasts[0]!.time, ['43', '44', '45']);
    assert.notDeepEqual(forecasts[0]!.median, before[0]!.median);
    for (const [from, note] of [
      [0, ''],
      [20, 'Rows up to 19 are training rows stored in the model.'],
      [38, 'Rows up to 37 are training rows stored in the model.'],
      [40, 'Rows up to 39 are training rows stored in the model.'],
    ] as const) {
      const { panel, forecasts: alone } = await model.forecast(since(from));
      assert.deepEqual(alone, forecasts, `from ${from}`);
      assert.equal(panel.notes.join(), note);
    }
  });
  test('with only future covariates give the forecast of the rows after the stored rows', async () => {
    const { model, forecasts } = await trained;
    const futureTable = tableOf(rows.filter(({ t }) => t >= 40));
    assert.deepEqual((await model.forecast(futureTable)).forecasts, forecasts);
  });
  test('may follow a gap, which is filled from the past and reported', async () => {
    const { model } = await trained;
    const { panel, forecasts } = await model.forecast(since(42));
    assert.match(
      panel.notes.join(),
      /Rows up to 39 are training rows stored in the model; 2 rows are missing after that\./,
    );
    assert.deepEqual(forecasts[1]!.time, ['43', '44', '45']);
    assert.ok(forecasts[1]!.median.every((value) => Number.isFinite(value)));
  });
  test('of an unknown series need enough rows, and are reported', async () => {
    const { model } = await trained;
    const unknown = rowsOf('C', 'huge').map((row) => ({ ...row, y: row.y === null ? null : 3 * row.y }));
    const { panel, forecasts, notes } = await model.forecast(tableOf([...rows, ...unknown]));
    assert.match(panel.notes.join(), /"huge" not seen in training \(known: /);
    assert.match(notes.join(), /^Series that are not in the training data, scaled by their own rows: C\.$/);
    assert.ok(
      forecasts[2]!.median.every((value) => value > 100 && value < 300),
      `${forecasts[2]!.median}`,
    );
    const { notes: two } = await model.forecast(tableOf(unknown.filter(({ t }) => t >= 37)));
    assert.match(two.join('\n'), /too short for the network, forecast by [a-z-]+: C\./);
    await assert.rejects(model.forecast(tableOf(unknown.filter(({ t }) => t >= 39))), {
      message: /column "y" of series "C": a forecast needs at least 2 values, got 1/,
    });
  });
});

test('rejects missing future covariates', async () => {
  const { model } = await trained;
  await assert.rejects(model.forecast(tableOf(rows.filter(({ y }) => y !== null))), {
    message: /^"day" must be known for the 3 rows to forecast, but is missing for A 40 to 42, B 40 to 42\./,
  });
});

test('example rejects a row that has too few rows before it; the message counts rows from 1', async () => {
  const { model } = await trained;
  await assert.rejects(model.example({}, 0), {
    message: /^Row 1 \(A, up to \d+\) has too few rows before it for the network\. Choose a later row\.$/,
  });
});

test('rejects a column of another type than in training', async () => {
  const { model } = await trained;
  const numbered = rows.map((row) => ({ ...row, day: row.t % 3 }));
  await assert.rejects(model.forecast(tableOf(numbered)), {
    message: 'made, column "day" must hold text as in training, got numbers.',
  });
});

describe('another horizon', () => {
  const upTo = (steps: number) =>
    [...rowsOf('A', 'small'), ...rowsOf('B', 'big')].filter(({ t }) => t < 40 + steps);

  test('a shorter forecast is the beginning of the longer one, and needs fewer future covariates', async () => {
    const { model, forecasts } = await trained;
    const { forecasts: short, notes } = await model.forecast(tableOf(upTo(2)), 2);
    assert.deepEqual(short[1]!.time, ['40', '41']);
    for (const part of ['median', 'mean'] as const)
      assert.deepEqual(short[1]![part], forecasts[1]![part].slice(0, 2));
    assert.deepEqual(short[1]!.upper[1], forecasts[1]!.upper[1]!.slice(0, 2));
    assert.deepEqual(notes, []);
  });
  test('a longer forecast begins with the shorter one and continues from it', async () => {
    const { model, forecasts } = await trained;
    const long = [...rowsOf('A', 'small', 40), ...rowsOf('B', 'big', 40)];
    const day = (s: string, kind: string, t: number): Row => ({
      s,
      t,
      y: null,
      sun: null,
      day: days[t % 3]!,
      kind,
    });
    const more = [43, 44, 45, 46].flatMap((t) => [day('A', 'small', t), day('B', 'big', t)]);
    const { forecasts: all, notes } = await model.forecast(tableOf([...long, ...more]), 7);
    assert.match(notes.join(), /backtested up to step 3\. Steps 4 to 7 are forecast recursively/);
    assert.deepEqual(all[1]!.median.slice(0, 3), forecasts[1]!.median);
    assert.deepEqual(all[1]!.lower[0]!.slice(0, 3), forecasts[1]!.lower[0]);
    // The same by hand: the first forecast is written into the table as observed values.
    const continued = [...long, ...more].map((row) => {
      const step = row.t - 40;
      const sun = row.t === 39 ? row.sun : Math.cos(39);
      if (step < 0) return row;
      if (step > 2) return row;
      return { ...row, y: forecasts[row.s === 'A' ? 0 : 1]!.median[step]!, sun };
    });
    const { forecasts: next } = await model.forecast(tableOf(continued));
    for (let k = 0; k < 3; k++)
      assert.ok(
        Math.abs(next[1]!.median[k]! - all[1]!.median[3 + k]!) < 1e-4,
        `${next[1]!.median} ${all[1]!.median}`,
      );
    const width = (k: number) => all[1]!.upper[0]![k]! - all[1]!.lower[0]![k]!;
    assert.ok(width(3) > width(2) && width(6) > width(5), 'wider after each chunk');
    await assert.rejects(model.forecast(tableOf(rows), 7), /"day" must be known for the 7 rows to forecast/);
  });
  test('must be a positive integer', async () =>
    assert.rejects(
      (await trained).model.forecast(undefined, 0),
      /horizon must be a positive integer, got 0/,
    ));
});

describe('invalid model files', () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  test('are rejected with the reason', async () => {
    const { pipeline } = (await trained).model;
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /pipeline\.json is missing/],
      [{ 'pipeline.json': '{' }, /pipeline\.json is not valid JSON: /],
      [{ 'pipeline.json': '{"format":"other"}' }, /does not belong to a forecasting model/],
      [{ 'pipeline.json': '{"format":"unroll-forecast-1","views":[]}' }, /representations, series.* missing/],
      [
        { 'pipeline.json': '{"format":"unroll-forecast-1","model":"naive"}' },
        /damaged: fallback, target, .* missing/,
      ],
      [
        { 'pipeline.json': JSON.stringify(pipeline) },
        /config\.json is missing, so the network cannot be restored/,
      ],
    ];
    for (const [files, message] of cases) {
      const bytes = new Map(Object.entries(files).map(([name, text]) => [name, encode(text)]));
      assert.throws(() => ForecastModel.fromFiles(bytes), { message, code: 'format' });
    }
  });
});
