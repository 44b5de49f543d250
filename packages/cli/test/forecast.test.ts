// The command as a user runs it: what is printed and written, every mistake in the input, and Ctrl-C.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin/unroll.js', import.meta.url));
const passengers = fileURLToPath(new URL('../data/air-passengers.csv', import.meta.url));
const AIR = [passengers, '--target', 'passengers', '--horizon', '12'];
const QUICK = ['--epochs', '2', '--units', '4'];
let folder = '';

interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

function unroll(args: string[], onStart?: (child: ChildProcess) => void): Promise<Run> {
  const child = spawn(process.execPath, [bin, ...args], { cwd: folder });
  const run: Run = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (data) => (run.stdout += data));
  child.stderr.on('data', (data) => (run.stderr += data));
  onStart?.(child);
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...run, code })));
}

const csv = (name: string): string[][] =>
  readFileSync(join(folder, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));

before(() => (folder = mkdtempSync(join(tmpdir(), 'unroll-cli-'))));
after(() => rmSync(folder, { recursive: true }));

describe('a good run', () => {
  test('for people: backend, what was inferred, progress, leaderboard, plot and file', async () => {
    const { code, stdout, stderr } = await unroll(['forecast', ...AIR, '--out', 'air']);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    assert.match(stdout, /^backend {2}\S/);
    assert.match(stdout, /144 rows of "passengers" by "month", 1949-01 to 1960-12/);
    assert.match(stdout, /monthly, season of 12 rows, taken as logarithms/);
    assert.match(stdout, /4 forecasts of 12 rows from 1957-01 to 1960-12/);
    assert.match(stdout, /^training 8\/8 .*loss [\d.]+, \d+ sequences\/s$/m);
    assert.match(
      stdout,
      /^model +MASE +sMAPE +RMSE +MAE +WQL +in 80% +in 95%\nlstm .*\nseasonal-naive .* 41\.85 .*\ndrift .*\nnaive /m,
    );
    assert.equal(stdout.match(/●/g)!.length, 13, 'twelve points and the caption');
    assert.ok(!stdout.includes('\x1b'), 'no colour and no bar where nobody watches');
    assert.ok(
      stdout.split('\n').every((line) => Array.from(line).length <= 80),
      'at most 80 columns',
    );

    assert.deepEqual(readdirSync(join(folder, 'air')).sort(), [
      'backtest.csv',
      'forecast.csv',
      'report.html',
    ]);
    const [head, ...rows] = csv('air/forecast.csv');
    assert.deepEqual(head, ['time', 'mean', 'median', 'lo-80', 'hi-80', 'lo-95', 'hi-95']);
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
    assert.equal(tests.length, 4 * 4 * 12, 'four origins, four models, twelve months');
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

  test('for programs: JSON lines on stdout, the result last, text on stderr', async () => {
    const { code, stdout, stderr } = await unroll(['forecast', ...AIR, ...QUICK, '--json', '--out', 'json']);
    assert.equal(code, 0);
    assert.match(stderr, /^backend/);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.slice(0, 3).map((each) => each.event),
      ['backend', 'plan', 'epoch'],
    );
    const result = events.at(-1);
    assert.deepEqual(Object.keys(result), ['event', 'winner', 'season', 'frequency', 'leaderboard', 'out']);
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
      'coverage',
    ]);
  });

  test('quiet: nothing but the file', async () => {
    const run = await unroll(['forecast', ...AIR, ...QUICK, '--quiet', '--out', 'quiet']);
    assert.deepEqual(run, { code: 0, stdout: '', stderr: '' });
    assert.ok(existsSync(join(folder, 'quiet/forecast.csv')));
  });

  test('a forecast that is there already is replaced', async () => {
    mkdirSync(join(folder, 'again'));
    writeFileSync(join(folder, 'again/forecast.csv'), 'old');
    await unroll(['forecast', ...AIR, ...QUICK, '--quiet', '--out', 'again']);
    assert.match(readFileSync(join(folder, 'again/forecast.csv'), 'utf8'), /^time,mean,median,.*\n1961-01,/);
  });
});

describe('mistakes in the input: exit 2, a few clear lines, nothing written', () => {
  const rows = Array.from({ length: 40 }, (_, t) => `2020-${String((t % 12) + 1).padStart(2, '0')},${t}`);
  const files: Record<string, string> = {
    'good.csv': `month,sold\n${rows.map((row, t) => row.replace('2020', String(2020 + Math.floor(t / 12)))).join('\n')}\n`,
    'empty.csv': '',
    'text.csv': 'month,sold\n2020-01,5\n2020-02,many\n2020-03,6\n',
    'twice.csv': 'month,sold\n2020-01,5\n2020-02,6\n2020-02,7\n',
    'ragged.csv': 'month,sold\n2020-01,5\n2020-02,6,7\n',
    'zero.csv': 'month,sold\n2020-01,\0\n',
  };
  before(() => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    mkdirSync(join(folder, 'blocked/forecast.csv'), { recursive: true });
  });
  const good = ['good.csv', '--target', 'sold', '--horizon', '2'];
  const cases: Record<string, [string[], RegExp]> = {
    'no file': [['--target', 'sold', '--horizon', '2'], /Which file\? unroll forecast <file>/],
    'two files': [
      ['good.csv', 'text.csv', '--target', 'sold', '--horizon', '2'],
      /One file at a time, and 2 are named: good\.csv, text\.csv/,
    ],
    'a file that is not there': [
      ['gone.csv', '--target', 'sold', '--horizon', '2'],
      /gone\.csv: there is no such file/,
    ],
    'a folder for a file': [
      ['.', '--target', 'sold', '--horizon', '2'],
      /this is a folder, and a file is needed/,
    ],
    'an empty file': [['empty.csv', '--target', 'sold', '--horizon', '2'], /empty\.csv is empty/],
    'a file that is not text': [
      ['zero.csv', '--target', 'sold', '--horizon', '2'],
      /zero\.csv is not a text file: it holds zero bytes/,
    ],
    'no target': [['good.csv', '--horizon', '2'], /--target <column> is missing/],
    'no horizon': [['good.csv', '--target', 'sold'], /--horizon <n> is missing/],
    'a target that is no column': [
      ['good.csv', '--target', 'solt', '--horizon', '2'],
      /no column "solt"\. Did you mean "sold"\?/,
    ],
    'a time that is no column': [[...good, '--time', 'Month'], /no column "Month"\. Did you mean "month"\?/],
    'a time column without times': [
      [...good, '--time', 'sold', '--target', 'month'],
      /line 2, column "month" \(1\): "2020-01" is not a number/,
    ],
    'text in a number': [
      ['text.csv', '--target', 'sold', '--horizon', '1'],
      /text\.csv, line 3, column "sold" \(2\): "many" is not a number/,
    ],
    'a time twice': [
      ['twice.csv', '--target', 'sold', '--horizon', '1'],
      /twice\.csv, lines 3 and 4: the time 2020-02 stands twice/,
    ],
    'a row that is too long': [
      ['ragged.csv', '--target', 'sold', '--horizon', '1'],
      /ragged\.csv, line 3: 3 fields, more than the header's 2/,
    ],
    'horizon 0': [
      ['good.csv', '--target', 'sold', '--horizon', '0'],
      /--horizon must be a whole number from 1, and it is "0"/,
    ],
    'a horizon in words': [
      ['good.csv', '--target', 'sold', '--horizon', 'two'],
      /--horizon must be a whole number from 1, and it is "two"/,
    ],
    'a horizon beyond the data': [
      ['good.csv', '--target', 'sold', '--horizon', '39'],
      /40 rows, too few to forecast 39 ahead.*The longest horizon that these rows allow is \d+/,
    ],
    'units 0': [[...good, '--units', '0'], /--units must be a whole number from 1/],
    'an option that is not known': [
      [...good, '--horizn', '3'],
      /There is no option --horizn\. Did you mean --horizon\?/,
    ],
    'an option without its value': [[...good, '--seed'], /--seed needs a value/],
    'a value for a switch': [[...good, '--json=yes'], /--json takes no value/],
    'a file where the folder should be': [
      [...good, '--out', 'good.csv/x'],
      /--out good\.csv\/x: .*good\.csv is a file, and a folder is needed/,
    ],
    'a folder where the forecast should be': [
      [...good, ...QUICK, '--out', 'blocked'],
      /blocked\/forecast\.csv: a folder stands where a file is to be written/,
    ],
  };
  for (const [name, [args, message]] of Object.entries(cases)) {
    test(name, async () => {
      const { code, stderr } = await unroll([
        'forecast',
        ...args,
        ...(args.includes('--out') ? [] : ['--out', 'bad']),
      ]);
      assert.match(stderr, message);
      assert.equal(code, 2);
      assert.ok(stderr.trimEnd().split('\n').length <= 4, stderr);
      assert.doesNotMatch(stderr, /\n\s+at |Error:/);
      assert.ok(!existsSync(join(folder, 'bad')), 'nothing is written');
      assert.deepEqual(readdirSync(join(folder, 'blocked')), ['forecast.csv']);
    });
  }
});

describe('verbs', () => {
  test('a verb that is not known is told with the nearest', async () => {
    const { code, stderr } = await unroll(['forcast']);
    assert.equal(code, 2);
    assert.equal(stderr, 'unroll: There is no verb "forcast". Did you mean "forecast"?\n');
  });
  test('help and version go to stdout', async () => {
    assert.match((await unroll(['--help'])).stdout, /^Usage: unroll <verb>/);
    const help = await unroll(['forecast', '--help']);
    assert.equal(help.code, 0);
    for (const name of ['target', 'horizon', 'time', 'units', 'epochs', 'seed', 'out', 'json']) {
      assert.match(help.stdout, new RegExp(`--${name}\\b`));
    }
    assert.match((await unroll(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

test('Ctrl-C stops the run with exit 130 and writes nothing', async () => {
  const args = ['forecast', ...AIR, '--epochs', '100000', '--json', '--out', 'stopped'];
  const { code, stdout, stderr } = await unroll(args, (child) => {
    child.stdout!.on('data', (data) => /"epoch"/.test(String(data)) && child.kill('SIGINT'));
  });
  assert.equal(code, 130);
  assert.match(stderr, /unroll: Stopped\. Nothing was written\.\n$/);
  assert.doesNotMatch(stdout, /"result"/);
  assert.ok(!existsSync(join(folder, 'stopped')));
});

test('a reader that goes away is no error', async () => {
  const { code, stderr } = await unroll(['forecast', ...AIR, '--json'], (child) => {
    child.stdout!.once('data', () => child.stdout!.destroy());
  });
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /EPIPE/);
});
