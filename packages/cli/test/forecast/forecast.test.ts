// unroll forecast: printed text, written files, and Ctrl-C.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AIR, passengers, QUICK, useTempFolder } from '../shared/helpers.js';
import { afterEpochs } from '../shared/interrupted.js';

const temp = useTempFolder();
const { unroll, csv } = temp;

describe('a successful run', () => {
  test('prints the backend, the plan, progress, the leaderboard, the plot and the folder', async () => {
    const { code, stdout, stderr } = await unroll(['forecast', ...AIR, '--out', 'air']);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    assert.match(stdout, /^backend {2}\S/);
    assert.match(stdout, /144 rows of "passengers" by "month", 1949-01 to 1960-12/);
    assert.match(stdout, /monthly, season length 12, log-transformed/);
    assert.match(stdout, /4 forecasts of 12 rows from 1957-01 to 1960-12/);
    assert.match(stdout, /^\[12\/12\] .*loss [\d.]+, \d+ sequences\/s$/m);
    assert.match(
      stdout,
      /^model +MASE +sMAPE +RMSE +MAE +WQL +coverage 80% +coverage 95%\nensemble .*\n(?:(?:theta|lstm|ets) .*\n){3}seasonal-naive .* 41\.85 .*\ndrift .*\nnaive /m,
    );
    assert.equal(stdout.match(/●/g)!.length, 13, 'twelve points and the caption');
    assert.ok(!stdout.includes('\x1b'), 'no colour and no progress bar without a terminal');
    assert.ok(
      stdout.split('\n').every((line) => Array.from(line).length <= 80),
      'at most 80 columns',
    );

    assert.deepEqual(readdirSync(join(temp.folder, 'air')).sort(), [
      'backtest.csv',
      'forecast.csv',
      'model',
      'report.html',
    ]);
    const [header, ...rows] = csv('air/forecast.csv');
    assert.deepEqual(header, ['time', 'mean', 'median', 'lo-80', 'hi-80', 'lo-95', 'hi-95']);
    assert.deepEqual([rows[0]![0], rows[11]![0], rows.length], ['1961-01', '1961-12', 12]);
    for (const row of rows) {
      const [mean, median, low80, high80, low95, high95] = row.slice(1).map(Number) as [number, ...number[]];
      assert.ok(
        300 < low95! &&
          low95! <= low80! &&
          low80! <= median! &&
          median! <= high80! &&
          high80! <= high95! &&
          high95! < 900,
      );
      assert.ok(Math.abs(mean - median!) < 20);
    }

    const [names, ...tests] = csv('air/backtest.csv');
    assert.deepEqual(names, [
      'origin',
      'time',
      'model',
      'actual',
      'median',
      'lo-80',
      'hi-80',
      'lo-95',
      'hi-95',
    ]);
    assert.equal(tests.length, 4 * 7 * 12, 'four origins, seven models, twelve months');
    const naive = tests.filter((row) => row[2] === 'seasonal-naive' && row[1]!.endsWith('-07'));
    assert.deepEqual(
      naive.map((row) => row.slice(0, 5)),
      [
        ['1956-12', '1957-07', 'seasonal-naive', '465', '413'],
        ['1957-12', '1958-07', 'seasonal-naive', '491', '465'],
        ['1958-12', '1959-07', 'seasonal-naive', '548', '491'],
        ['1959-12', '1960-07', 'seasonal-naive', '622', '548'],
      ],
    );
  });

  test('--json: JSON lines on stdout, the result last, and text on stderr', async () => {
    const { code, stdout, stderr } = await unroll(['forecast', ...AIR, ...QUICK, '--json', '--out', 'json']);
    assert.equal(code, 0);
    assert.match(stderr, /^backend/);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.slice(0, 3).map(({ event }) => event),
      ['backend', 'plan', 'epoch'],
    );
    const result = events.at(-1);
    const names = ['event', 'winner', 'season', 'frequency', 'leaderboard', 'peakMemory', 'out'];
    assert.deepEqual(Object.keys(result), names);
    assert.ok(result.peakMemory > 1e7);
    assert.equal(result.event, 'result');
    assert.equal(result.season, 12);
    assert.equal(result.frequency, 'monthly');
    assert.equal(result.out, 'json');
    assert.equal(result.winner, result.leaderboard[0].model);
    assert.deepEqual(Object.keys(result.leaderboard[0]), [
      'model',
      'mase',
      'smape',
      'rmse',
      'mae',
      'wql',
      'crps',
      'coverage',
    ]);
  });

  test('--quiet: only writes the files', async () => {
    const run = await unroll(['forecast', ...AIR, ...QUICK, '--quiet', '--out', 'quiet']);
    assert.deepEqual(run, { code: 0, stdout: '', stderr: '' });
    assert.ok(existsSync(join(temp.folder, 'quiet/forecast.csv')));
  });

  test('replaces an existing forecast', async () => {
    mkdirSync(join(temp.folder, 'again'));
    writeFileSync(join(temp.folder, 'again/forecast.csv'), 'old');
    await unroll(['forecast', ...AIR, ...QUICK, '--quiet', '--out', 'again']);
    assert.match(
      readFileSync(join(temp.folder, 'again/forecast.csv'), 'utf8'),
      /^time,mean,median,.*\n1961-01,/,
    );
  });
});

test('the head negbin forecasts counts of at least 0, and rejects the scaler log', async () => {
  const sold = Array.from({ length: 80 }, (_, t) => `${t},${t % 5 === 0 ? 1 + (t % 3) : 0}`);
  writeFileSync(join(temp.folder, 'rare.csv'), ['t,sold', ...sold].join('\n'));
  const options = ['--target', 'sold', '--horizon', '4', '--season', '1', ...QUICK];
  const args = ['forecast', 'rare.csv', ...options, '--head', 'negbin', '--out', 'rare'];
  const { code, stdout, stderr } = await unroll(args);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /modelled as counts/);
  const [, ...rows] = csv('rare/forecast.csv');
  assert.equal(rows.length, 4);
  for (const row of rows)
    assert.ok(
      row.slice(1).every((cell) => Number(cell) >= 0),
      String(row),
    );
  const predicted = await unroll(['predict', 'rare/model']);
  assert.equal(predicted.stdout, readFileSync(join(temp.folder, 'rare/forecast.csv'), 'utf8'));
  const withLogScaler = await unroll(['forecast', 'rare.csv', ...options, '--scaler', 'log']);
  assert.equal(withLogScaler.code, 2);
  assert.match(withLogScaler.stderr, /The scaler log needs positive values, got zero or negative values/);
});

test('a dry run only prints the plan', async () => {
  const { code, stdout } = await unroll(['forecast', ...AIR, '--dry-run', '--out', 'dry']);
  assert.equal(code, 0);
  assert.match(stdout, /monthly, season length 12/);
  assert.doesNotMatch(stdout, /loss|sequences|MASE/);
  assert.ok(!existsSync(join(temp.folder, 'dry')));
});

test('reports the calendar features and uses them', async () => {
  const outputOf = async (calendar: string) =>
    (await unroll(['forecast', ...AIR, '--dry-run', '--calendar', calendar])).stdout;
  assert.match(await outputOf('auto'), /\n +additional inputs: the calendar \(month\)\n/);
  assert.match(await outputOf('month'), /\n +additional inputs: the calendar \(month\)\n/);
  assert.doesNotMatch(await outputOf('none'), /calendar/);
  const { code } = await unroll([
    'forecast',
    ...AIR,
    ...QUICK,
    '--calendar',
    'auto',
    '--quiet',
    '--out',
    'cal',
  ]);
  assert.equal(code, 0);
  const read = (name: string) => readFileSync(join(temp.folder, 'cal', name), 'utf8');
  assert.match(read('report.html'), /<dt>Additional input<\/dt><dd>the calendar \(month\)<\/dd>/);
  assert.deepEqual(JSON.parse(read('model/pipeline.json')).plan.calendar, ['month']);
  assert.equal((await unroll(['predict', 'cal/model'])).stdout, read('forecast.csv'));
});

test('gives the same forecast for every file format', async () => {
  const text = readFileSync(passengers, 'utf8');
  const rows = text.trim().split('\n').slice(1);
  const objects = rows
    .map((row) => row.split(','))
    .map(([month, sold]) => ({ month, passengers: Number(sold) }));
  const kinds: Record<string, string | Uint8Array> = {
    'plain.csv': text,
    'excel.csv': Buffer.from(`\uFEFF${text.replaceAll(',', ';').replaceAll('\n', '\r\n')}`, 'utf16le'),
    'packed.csv.gz': gzipSync(text),
    'lines.jsonl': objects.map((row) => JSON.stringify(row)).join('\n'),
    'array.json': JSON.stringify(objects),
    'mixed.csv': `month,passengers\n${rows.toReversed().join('\n')}\n`,
  };
  const results: string[] = [];
  for (const [name, content] of Object.entries(kinds)) {
    writeFileSync(join(temp.folder, name), content);
    const args = [
      'forecast',
      name,
      '--target',
      'passengers',
      '--horizon',
      '3',
      ...QUICK,
      '--out',
      `of-${name}`,
    ];
    const { code, stderr } = await unroll([...args, '--quiet']);
    assert.deepEqual([code, stderr], [0, ''], name);
    results.push(readFileSync(join(temp.folder, `of-${name}`, 'forecast.csv'), 'utf8'));
  }
  assert.equal(new Set(results).size, 1);
});

describe('several series with covariates', () => {
  const months = Array.from(
    { length: 40 },
    (_, t) => `${2020 + Math.floor(t / 12)}-${String((t % 12) + 1).padStart(2, '0')}`,
  );
  const table = (futurePrice: string) =>
    [
      'shop,month,sold,price,town',
      ...['A "one", big', 'B'].flatMap((shop, s) =>
        months.map((month, t) => {
          const cells = [
            month,
            t < 38 ? String(20 + t + 5 * (t % 4) + s) : '',
            t < 38 ? String(t % 3) : futurePrice,
            s === 0 ? 'x' : 'y',
          ];
          return [`"${shop.replaceAll('"', '""')}"`, ...cells].join(',');
        }),
      ),
    ].join('\n');
  const options = [
    '--target',
    'sold',
    '--horizon',
    '2',
    '--series',
    'shop',
    '--future',
    'price',
    '--static',
    'town',
    ...QUICK,
  ];

  test('gives a forecast for each series, with quoted names if needed', async () => {
    writeFileSync(join(temp.folder, 'shops.csv'), table('1'));
    const { code, stdout } = await unroll([
      'forecast',
      'shops.csv',
      ...options,
      '--level',
      '90',
      '--out',
      'shops',
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /76 rows of 2 series \("shop"\) of "sold" by "month", 2020-01 to 2023-02/);
    assert.match(stdout, /additional inputs: price \(future\), town \(static\)/);
    const lines = readFileSync(join(temp.folder, 'shops/forecast.csv'), 'utf8').split('\n');
    assert.equal(lines[0], 'series,time,mean,median,lo-90,hi-90');
    assert.match(lines[1]!, /^"A ""one"", big",2023-03,[\d.]+,[\d.]+,[\d.]+,[\d.]+$/);
    assert.match(lines[4]!, /^B,2023-04,/);
  });

  test('without future covariates: exit 2 and a template, which is deleted once the data contain the covariates', async () => {
    writeFileSync(join(temp.folder, 'gaps.csv'), table(''));
    const { code, stderr } = await unroll(['forecast', 'gaps.csv', ...options, '--out', 'gaps']);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /"price" must be known for the 2 rows to forecast, but is missing for A "one", big 2023-03 to 2023-04, B /,
    );
    assert.match(stderr, /gaps\/future-template\.csv contains these rows\. Fill it in and add --future-rows/);
    const template = readFileSync(join(temp.folder, 'gaps/future-template.csv'), 'utf8');
    assert.equal(template.split('\n')[1], '"A ""one"", big",2023-03,,');
    assert.deepEqual(readdirSync(join(temp.folder, 'gaps')), ['future-template.csv']);

    writeFileSync(join(temp.folder, 'gaps.csv'), table('2'));
    assert.equal((await unroll(['forecast', 'gaps.csv', ...options, '--out', 'gaps', '--quiet'])).code, 0);
    assert.ok(!existsSync(join(temp.folder, 'gaps/future-template.csv')), 'the template is deleted');
  });
});

describe('commands', () => {
  test('suggests the nearest command for an unknown one', async () => {
    const { code, stderr } = await unroll(['forcast']);
    assert.equal(code, 2);
    assert.equal(stderr, 'unroll: Unknown command "forcast". Did you mean "forecast"?\n');
  });
  test('help and version go to stdout', async () => {
    assert.match((await unroll(['--help'])).stdout, /^Usage: unroll <command>/);
    const help = await unroll(['forecast', '--help']);
    assert.equal(help.code, 0);
    for (const name of ['target', 'horizon', 'time', 'units', 'epochs', 'seed', 'out', 'json']) {
      assert.match(help.stdout, new RegExp(`--${name}\\b`));
    }
    assert.match((await unroll(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

test('Ctrl-C stops the run with exit 130 and writes nothing', async () => {
  const args = ['forecast', ...AIR, '--epochs', '100000', '--json'];
  const { code, stdout, stderr } = await unroll(args, afterEpochs(1, 'SIGINT'));
  assert.equal(code, 130, stderr);
  assert.match(stderr, /unroll: Stopped\. No files were written\.\n$/);
  assert.doesNotMatch(stdout, /"result"/);
});

test('a closed pipe is not an error', async () => {
  const { code, stderr } = await unroll(['forecast', ...AIR, '--json'], (child) => {
    child.stdout!.once('data', () => child.stdout!.destroy());
  });
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /EPIPE/);
});
