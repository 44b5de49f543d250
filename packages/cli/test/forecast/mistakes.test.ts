// Every mistake in the input gives exit code 2 and a short error message, and no files are written.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { QUICK, useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll } = temp;

describe('mistakes in the input: exit 2, a few clear lines, nothing written', () => {
  const rows = Array.from({ length: 40 }, (_, t) => `2020-${String((t % 12) + 1).padStart(2, '0')},${t}`);
  const files: Record<string, string> = {
    'good.csv': `month,sold\n${rows.map((row, t) => row.replace('2020', String(2020 + Math.floor(t / 12)))).join('\n')}\n`,
    'empty.csv': '',
    'text.csv': 'month,sold\n2020-01,5\n2020-02,many\n2020-03,6\n',
    'twice.csv': 'month,sold\n2020-01,5\n2020-02,6\n2020-02,7\n',
    'ragged.csv': 'month,sold\n2020-01,5\n2020-02,6,7\n',
    'zero.csv': 'month,sold\n2020-01,\0\n',
    'bare.csv': '2020-01,5\n2020-02,6\n',
    'quote.csv': 'month,sold\n"2020-01,5\n2020-02,6\n',
    'gap.csv': 'month,sold\n2020-01,5\n,6\n',
    'either.csv': 'day,sold\n01/02/2020,5\n01/03/2020,6\n01/04/2020,6\n',
    'uneven.csv': 'day,sold\n2020-01-01T00:00,5\n2020-01-01T01:00,6\n2020-01-01T01:17,6\n',
    'broken.jsonl': '{"month":"2020-01","sold":5}\n{"month":\n',
    'broken.csv.gz': '\x1f\x8bnot gzip',
    'header.csv': 'month,sold\n',
  };
  before(() => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(temp.folder, name), text, 'latin1');
    mkdirSync(join(temp.folder, 'blocked/forecast.csv'), { recursive: true });
    // A folder that even root cannot write to.
    mkdirSync(join(temp.folder, 'closed'));
    if (process.platform === 'linux') symlinkSync('/proc', join(temp.folder, 'closed/model'));
    // A sparse file of 3 GB takes no space on the disk.
    writeFileSync(join(temp.folder, 'huge.csv'), '');
    truncateSync(join(temp.folder, 'huge.csv'), 3e9);
  });
  const good = ['good.csv', '--target', 'sold', '--horizon', '2'];
  const cases: Record<string, [string[], RegExp]> = {
    'no file': [['--target', 'sold', '--horizon', '2'], /A file is required: unroll forecast <file>/],
    'two files': [
      ['good.csv', 'text.csv', '--target', 'sold', '--horizon', '2'],
      /Exactly one file is required, got 2: good\.csv, text\.csv/,
    ],
    'a missing file': [['gone.csv', '--target', 'sold', '--horizon', '2'], /gone\.csv: file not found/],
    'a folder in place of the file': [
      ['.', '--target', 'sold', '--horizon', '2'],
      /this is a folder, expected a file/,
    ],
    'an empty file': [['empty.csv', '--target', 'sold', '--horizon', '2'], /empty\.csv is empty/],
    'a file that is not text': [
      ['zero.csv', '--target', 'sold', '--horizon', '2'],
      /zero\.csv is not a text file: it contains zero bytes/,
    ],
    'a file that is too large': [
      ['huge.csv', '--target', 'sold', '--horizon', '2'],
      /huge\.csv is too large to load\. Remove columns and rows that are not needed\. .* --sql "select day/,
    ],
    'an empty query': [[...good, '--sql', ''], /--sql must not be empty/],
    'no target': [['good.csv', '--horizon', '2'], /--target <column> is required/],
    'no horizon': [['good.csv', '--target', 'sold'], /--horizon <n> is required/],
    'an unknown target column': [
      ['good.csv', '--target', 'solt', '--horizon', '2'],
      /no column "solt"\. Did you mean "sold"\?/,
    ],
    'an unknown time column': [[...good, '--time', 'Month'], /no column "Month"\. Did you mean "month"\?/],
    'a time column without times': [
      [...good, '--time', 'sold', '--target', 'month'],
      /line 2, column 1 \("month"\): "2020-01" is not a number/,
    ],
    'text in a column of numbers': [
      ['text.csv', '--target', 'sold', '--horizon', '1'],
      /text\.csv, line 3, column 2 \("sold"\): "many" is not a number/,
    ],
    'a repeated time': [
      ['twice.csv', '--target', 'sold', '--horizon', '1'],
      /twice\.csv, lines 3 and 4: duplicate time 2020-02/,
    ],
    'a row that is too long': [
      ['ragged.csv', '--target', 'sold', '--horizon', '1'],
      /ragged\.csv, line 3: 3 fields, more than the header's 2/,
    ],
    'a header without rows': [
      ['header.csv', '--target', 'sold', '--horizon', '1'],
      /header\.csv has a header but no rows/,
    ],
    'no header': [
      ['bare.csv', '--target', 'sold', '--horizon', '1'],
      /bare\.csv, line 1: the first line must name the columns/,
    ],
    'an unclosed quotation mark': [
      ['quote.csv', '--target', 'sold', '--horizon', '1'],
      /quote\.csv, line 2: a quotation mark is not closed/,
    ],
    'a row without its time': [
      ['gap.csv', '--target', 'sold', '--horizon', '1'],
      /gap\.csv, line 3, column 1 \("month"\): the time is missing/,
    ],
    'dates with an ambiguous order of day and month': [
      ['either.csv', '--target', 'sold', '--horizon', '1'],
      /may be 01 February 2020 or 02 January 2020/,
    ],
    'times at irregular intervals': [
      ['uneven.csv', '--target', 'sold', '--horizon', '1'],
      /uneven\.csv, column "day": The times follow no regular step/,
    ],
    'truncated JSON': [
      ['broken.jsonl', '--target', 'sold', '--horizon', '1'],
      /broken\.jsonl, line 2: invalid JSON/,
    ],
    'a damaged gzip file': [
      ['broken.csv.gz', '--target', 'sold', '--horizon', '1'],
      /broken\.csv\.gz: the gzip file is truncated or damaged and cannot be decompressed/,
    ],
    'an unknown frequency': [[...good, '--frequency', 'often'], /"often" is not a frequency\. Write monthly/],
    'an unknown cell': [
      [...good, '--cells', 'lstm,lsmt'],
      /cells must contain only rnn, lstm, gru, minGRU, .*, got "lsmt"/,
    ],
    'an unknown head': [[...good, '--head', 'sharp'], /head must be one of point, quantile, .*, got "sharp"/],
    'an unknown calendar feature': [
      [...good, '--calendar', 'month,moon'],
      /calendar must be auto, none or a list of hour, weekday, month, got "moon"/,
    ],
    'a calendar feature that is constant': [
      [...good, '--calendar', 'hour'],
      /The calendar feature "hour" cannot be used for good\.csv: its rows are monthly/,
    ],
    'an invalid level': [
      [...good, '--level', '80,950'],
      /--level must be percentages between 0 and 100, such as 80,95, got "950"/,
    ],
    'an empty entry in a list': [
      [...good, '--past', 'a,,b'],
      /--past must not contain empty names, got "a,,b"/,
    ],
    'an unknown covariate column': [[...good, '--future', 'prices'], /no column "prices"/],
    'horizon 0': [
      ['good.csv', '--target', 'sold', '--horizon', '0'],
      /--horizon must be an integer of at least 1, got "0"/,
    ],
    'a horizon in words': [
      ['good.csv', '--target', 'sold', '--horizon', 'two'],
      /--horizon must be an integer of at least 1, got "two"/,
    ],
    'a horizon beyond the data': [
      ['good.csv', '--target', 'sold', '--horizon', '39'],
      /40 rows, too few to train and backtest a forecast of horizon 39.*The longest possible horizon is \d+/,
    ],
    'units 0': [[...good, '--units', '0'], /--units must be an integer of at least 1/],
    'an unknown option': [[...good, '--horizn', '3'], /Unknown option --horizn\. Did you mean --horizon\?/],
    'an option without its value': [[...good, '--seed'], /--seed needs a value/],
    'a value for a flag': [[...good, '--json=yes'], /--json takes no value/],
    'a file in place of the folder': [
      [...good, '--out', 'good.csv/x'],
      /--out good\.csv\/x: .*good\.csv is a file, expected a folder/,
    ],
    ...(process.platform === 'linux' && {
      'a file system that rejects new files': [
        [...good, ...QUICK, '--out', '/proc/x'],
        /^.*--out \/proc\/x: no files can be created in \/proc\.$/m,
      ],
      'a model folder that rejects new files': [
        [...good, ...QUICK, '--epochs', '1000000', '--out', 'closed'],
        /--out closed\/model: no files can be created in .*closed\/model\.$/m,
      ],
    }),
    'a folder in place of forecast.csv': [
      [...good, ...QUICK, '--out', 'blocked'],
      /blocked\/forecast\.csv: this is a folder, expected a file/,
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
      assert.ok(!existsSync(join(temp.folder, 'bad')), 'nothing is written');
      assert.deepEqual(readdirSync(join(temp.folder, 'blocked')), ['forecast.csv']);
    });
  }
});
