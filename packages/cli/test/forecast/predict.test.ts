// Forecasts of a saved model: the original forecast again, forecasts from newer rows and of other series, and error messages.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { AIR, passengers, QUICK, useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll, csv } = temp;
const MODEL = 'air/model';
const file = (name: string) => readFileSync(join(temp.folder, name), 'utf8');

before(async () => {
  await unroll(['forecast', ...AIR, ...QUICK, '--quiet', '--out', 'air']);
});

test('repeats the forecast, with and without the data', async () => {
  const withoutData = await unroll(['predict', MODEL]);
  assert.deepEqual(withoutData, { code: 0, stdout: file('air/forecast.csv'), stderr: '' });
  const withData = await unroll(['predict', MODEL, '--data', passengers, '--out', 'again']);
  assert.equal(withData.stdout, '');
  assert.equal(file('again/forecast.csv'), file('air/forecast.csv'));
});

test('continues from newer rows, also with a shorter horizon', async () => {
  writeFileSync(join(temp.folder, 'newer.csv'), `${readFileSync(passengers, 'utf8')}1961-01,450\n1961-02,\n`);
  const { code, stdout } = await unroll([
    'predict',
    MODEL,
    '--data',
    'newer.csv',
    '--horizon',
    '2',
    '--json',
  ]);
  assert.equal(code, 0);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    rows.map((row) => row.time),
    ['1961-02', '1961-03'],
  );
  assert.ok(rows.every((row) => row['lo-95'] <= row.median && row.median <= row['hi-95']));
});

test('continues from the newer rows alone, and beyond the backtested horizon', async () => {
  writeFileSync(join(temp.folder, 'all.csv'), `${readFileSync(passengers, 'utf8')}1961-01,450\n`);
  writeFileSync(join(temp.folder, 'one.csv'), 'month,passengers\n1961-01,450\n');
  const fromAllRows = await unroll(['predict', MODEL, '--data', 'all.csv']);
  const fromNewerRows = await unroll(['predict', MODEL, '--data', 'one.csv']);
  assert.equal(fromNewerRows.stdout, fromAllRows.stdout);
  assert.equal(fromNewerRows.stderr, 'Rows up to 1960-12 are training rows stored in the model.\n');
  assert.match(fromNewerRows.stdout, /\n1961-02,/);
  const long = await unroll(['predict', MODEL, '--horizon', '30']);
  assert.equal(long.code, 0);
  assert.match(
    long.stderr,
    /^The model was backtested up to step 12\. Steps 13 to 30 are forecast recursively/,
  );
  assert.ok(long.stdout.startsWith(file('air/forecast.csv')));
  assert.equal(long.stdout.trimEnd().split('\n').length, 31);
  assert.match(long.stdout, /\n1963-06,/);
});

test('a model of many series forecasts an unseen one', async () => {
  const rows = (shop: string, level: number) =>
    Array.from({ length: 40 }, (_, t) => `${shop},${t},${level + t + 5 * (t % 4)}`);
  const head = 'shop,t,sold';
  writeFileSync(join(temp.folder, 'shops.csv'), [head, ...rows('A', 10), ...rows('B', 50)].join('\n'));
  writeFileSync(join(temp.folder, 'new.csv'), [head, ...rows('C', 90)].join('\n'));
  const options = [
    '--target',
    'sold',
    '--time',
    't',
    '--series',
    'shop',
    '--horizon',
    '4',
    '--season',
    '4',
    ...QUICK,
  ];
  assert.equal((await unroll(['forecast', 'shops.csv', ...options, '--quiet', '--out', 'shops'])).code, 0);
  const { code, stdout } = await unroll(['predict', 'shops/model', '--data', 'new.csv']);
  assert.equal(code, 0);
  const [, ...forecast] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
  assert.deepEqual(
    forecast.map((row) => row.slice(0, 2)),
    [
      ['C', '40'],
      ['C', '41'],
      ['C', '42'],
      ['C', '43'],
    ],
  );
  for (const [k, row] of forecast.entries())
    assert.ok(Math.abs(Number(row[3]) - (130 + k + 5 * (k % 4))) < 8, String(row));
});

test('detects times in several columns, writes them as one column, and reads newer rows', async () => {
  const hour = (t: number) => new Date(Date.UTC(2024, 1, 27) + t * 3_600_000);
  const rows = Array.from({ length: 60 }, (_, t) => {
    const time = hour(t);
    return [t + 1, 2024, time.getUTCMonth() + 1, time.getUTCDate(), time.getUTCHours(), 20 + (t % 6)].join();
  });
  const head = 'No,year,month,day,hour,load';
  writeFileSync(join(temp.folder, 'old.csv'), [head, ...rows.slice(0, 48)].join('\n'));
  writeFileSync(join(temp.folder, 'parts.csv'), [head, ...rows].join('\n'));
  const options = ['--target', 'load', '--horizon', '6', '--season', '6', ...QUICK];
  const { code, stdout } = await unroll(['forecast', 'old.csv', ...options, '--out', 'parts']);
  assert.equal(code, 0);
  assert.match(stdout, /Times are combined from year, month, day, hour and written as 2024-02-28T23:00\./);
  assert.deepEqual(
    csv('parts/forecast.csv').map((row) => row[0]),
    ['time', ...Array.from({ length: 6 }, (_, k) => `2024-02-29T0${k}:00`)],
  );
  const again = await unroll(['predict', 'parts/model', '--data', 'parts.csv', '--horizon', '1']);
  assert.match(again.stdout, /^time,.*\n2024-02-29T12:00,.*\n$/);
});

test('saves the baseline if it is the best model', async () => {
  const season = [10, 20, 15, 40];
  const rows = Array.from({ length: 48 }, (_, t) => `${t},${season[t % 4]}`);
  writeFileSync(join(temp.folder, 'wave.csv'), ['t,y', ...rows].join('\n'));
  const options = ['--target', 'y', '--horizon', '4', '--season', '4', ...QUICK];
  await unroll(['forecast', 'wave.csv', ...options, '--quiet', '--out', 'wave']);
  const { stdout } = await unroll(['predict', 'wave/model']);
  assert.equal(stdout, file('wave/forecast.csv'));
  assert.deepEqual(
    csv('wave/forecast.csv')
      .slice(1)
      .map((row) => Number(row[2])),
    season,
  );
});

test('a saved ensemble with fitted baselines repeats its forecast, and continues from the newer rows alone', async () => {
  const options = ['--epochs', '1', '--units', '1', '--baselines', 'ets', '--quiet', '--out', 'mixed'];
  await unroll(['forecast', ...AIR, ...options]);
  assert.equal(JSON.parse(file('mixed/model/pipeline.json')).model, 'ensemble');
  assert.equal((await unroll(['predict', 'mixed/model'])).stdout, file('mixed/forecast.csv'));
  writeFileSync(join(temp.folder, 'longer.csv'), `${readFileSync(passengers, 'utf8')}1961-01,450\n`);
  writeFileSync(join(temp.folder, 'last.csv'), 'month,passengers\n1961-01,450\n');
  const [fromAllRows, fromNewerRow] = [
    await unroll(['predict', 'mixed/model', '--data', 'longer.csv']),
    await unroll(['predict', 'mixed/model', '--data', 'last.csv']),
  ];
  assert.equal(fromNewerRow.stdout, fromAllRows.stdout);
  assert.match(fromNewerRow.stdout, /\n1961-02,/);
});

describe('a mistake prints a short error and exits with code 2', () => {
  before(() => {
    writeFileSync(join(temp.folder, 'other.csv'), 'month,sold\n1961-01,5\n1961-02,5\n');
    for (const name of ['empty', 'damaged', 'foreign']) mkdirSync(join(temp.folder, name));
    for (const name of ['config.json', 'pipeline.json'])
      copyFileSync(join(temp.folder, MODEL, name), join(temp.folder, 'damaged', name));
    writeFileSync(join(temp.folder, 'damaged/model.safetensors'), 'nothing');
    writeFileSync(join(temp.folder, 'foreign/pipeline.json'), '{"format": "something else"}');
  });
  const cases: Record<string, [string[], RegExp]> = {
    'no folder': [[], /Exactly one model is required: unroll predict <model folder>/],
    'a missing folder': [['gone'], /gone: folder not found/],
    'a folder without a model': [
      ['empty'],
      /pipeline\.json is missing, so this is not a saved model of a task/,
    ],
    'a model of another kind': [
      ['foreign'],
      /pipeline\.json: format must name a task, such as "unroll-forecast-1", got "something else"/,
    ],
    'damaged weights': [['damaged'], /model\.safetensors/],
    'a horizon of 0': [[MODEL, '--horizon', '0'], /--horizon must be an integer of at least 1/],
    'data without the target': [[MODEL, '--data', 'other.csv'], /other\.csv has no column "passengers"/],
    'an unknown option': [[MODEL, '--dta', 'x'], /Unknown option --dta\. Did you mean --data\?/],
  };
  for (const [name, [args, message]] of Object.entries(cases)) {
    test(name, async () => {
      const { code, stdout, stderr } = await unroll(['predict', ...args]);
      assert.match(stderr, message);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.ok(stderr.trimEnd().split('\n').length <= 4, stderr);
    });
  }
});
