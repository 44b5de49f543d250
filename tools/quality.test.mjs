// Tests quality.mjs, which measures the accuracy of the tasks: with the series in the repository, and with small data sets that
// the test generates.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { resultsTable, withTable } from './quality-results.mjs';

const script = fileURLToPath(new URL('quality.mjs', import.meta.url));
const run = (...args) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

test('missing data and unknown evaluations are reported', () => {
  const { stdout, status } = run('--only', 'etth1');
  assert.match(stdout, /Skipped: pass --data DIR with a subfolder etth1/);
  assert.equal(status, 0);
  const other = run('--only', 'weather');
  assert.match(other.stderr, /no evaluation "weather".*airline, etth1/);
  assert.equal(other.status, 2);
  const weights = run('--weights', 'int8');
  assert.match(weights.stderr, /--weights must be float32 or float16, got "int8"/);
  assert.equal(weights.status, 2);
});

test('airline: seasonal-naive has its known error; the network is 25 % better, also with rounded weights', () => {
  const { stdout } = run('--only', 'airline', '--seeds', '0', '--weights', 'float16');
  const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const mase = (model) => Number(rows.find((cells) => cells[1] === model)[6]);
  assert.equal(mase('seasonal-naive'), 1.266);
  assert.ok(mase('lstm') < 0.75 * mase('seasonal-naive'), `lstm ${mase('lstm')}`);
  assert.ok(
    Math.abs(mase('lstm, float16') / mase('lstm') - 1) < 0.002,
    'rounding must have almost no effect',
  );
  const changes = [...stdout.matchAll(/relative to their RMSE: (\S+) %/g)].map(([, percent]) =>
    Number(percent),
  );
  assert.equal(changes.length, 2);
  assert.ok(
    changes.every((percent) => percent > 0 && percent < 0.5),
    `changes by rounding must be above 0 and below 0.5 %, got ${changes}`,
  );
});

test('docs/quality.md has the table of docs/quality.json', () => {
  const read = (name) => readFileSync(fileURLToPath(new URL(`../docs/${name}`, import.meta.url)), 'utf8');
  const page = read('quality.md');
  assert.equal(
    withTable(page, JSON.parse(read('quality.json'))),
    page,
    'run npm run quality to write the table',
  );
});

test('the table shows the mean over the seeds, and "not measured" for evaluations without a result', () => {
  const run = { processor: 'CPU', date: '2026-01-02' };
  const results = {
    wnut17: { 0: { value: 0.2, seconds: 10, ...run }, 3: { value: 0.3, seconds: 20, ...run } },
  };
  const rows = resultsTable(results).split('\n');
  const cells = rows.find((row) => row.startsWith('| wnut17 |')).split(' | ');
  assert.deepEqual(cells.slice(5), [
    '**25.0 %**',
    '20.0 %, 30.0 %',
    '`--networks 1`',
    '15',
    'CPU, 2026-01-02 |',
  ]);
  assert.match(
    rows.find((row) => row.startsWith('| sst2 |')),
    /not measured/,
  );
});

test('a tagger and a language model are trained on their data, and the results are stored', (t) => {
  const data = mkdtempSync(join(tmpdir(), 'unroll-quality-'));
  t.after(() => rmSync(data, { recursive: true }));
  const folders = ['resume-ner-zh', 'war-and-peace'].map((name) => join(data, name));
  for (const folder of folders) mkdirSync(folder);
  const sentence = (i) => `我 O\n在 O\n${i % 2 ? '上 B-LOC\n海 E-LOC' : '京 S-LOC'}\n`;
  const sentences = (count) => Array.from({ length: count }, (_, i) => sentence(i)).join('\n');
  writeFileSync(join(folders[0], 'train.char.bmes.gz'), gzipSync(sentences(60)));
  for (const part of ['dev', 'test']) writeFileSync(join(folders[0], `${part}.char.bmes`), sentences(10));
  const line = 'the cat sees the lake.\n';
  const book = `Header\n*** START OF THIS BOOK ***\n${line.repeat(150)}*** END OF THIS BOOK ***\n${'Z'.repeat(4000)}`;
  writeFileSync(join(folders[1], 'warandpeace.txt.gz'), gzipSync(book));
  const file = join(data, 'results.json');
  const args = ['--data', data, '--only', 'resume-ner-zh,war-and-peace', '--seeds', '2', '--results', file];
  const { stdout, stderr, status } = run(...args);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /## resume-ner-zh: .*\n\nSplit: as published\. Options: --networks 1\.\n/);
  assert.match(stdout, /\| 2 \| 100\.0 % \| 100\.0 % \|/);
  const results = JSON.parse(readFileSync(file, 'utf8'));
  assert.deepEqual(Object.keys(results), ['resume-ner-zh', 'war-and-peace']);
  const { value, validation, date, processor } = results['war-and-peace'][2];
  assert.ok(value < 0.5 && validation < 0.5, `without header and licence, the text is simple: ${value}`);
  assert.match(date, /^\d{4}-\d\d-\d\d$/);
  assert.ok(processor.length > 0);
});
