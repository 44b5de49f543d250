// A killed or stopped run that is resumed with --resume writes the same files as an uninterrupted run.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { AIR, passengers, QUICK, useTempFolder } from '../shared/helpers.js';
import { afterEpochs } from '../shared/interrupted.js';

const KILLS = 6;
const temp = useTempFolder();
const { unroll } = temp;
const ARGS = ['forecast', ...AIR, '--cells', 'gru', '--epochs', '30', '--baselines', 'none', '--json'];
/** The files that a run writes, except those that record its duration (report.html and training.json). */
const RESULTS = [
  'forecast.csv',
  'backtest.csv',
  'model/config.json',
  'model/model.safetensors',
  'model/pipeline.json',
];
const results = (out: string) => RESULTS.map((name) => readFileSync(join(temp.folder, out, name), 'base64'));
const inFolder = (name: string) => join(temp.folder, name);

let uninterruptedMs = Number.POSITIVE_INFINITY;
before(async () => {
  // The minimum of two runs: if the first was slow, the runs below would end before they are killed.
  for (let i = 0; i < 2; i++) {
    const start = performance.now();
    await unroll([...ARGS, '--out', 'uninterrupted']);
    uninterruptedMs = Math.min(uninterruptedMs, performance.now() - start);
  }
});

test(`a run killed ${KILLS} times at random moments and resumed writes the files of an uninterrupted run`, async (t) => {
  const moments: string[] = [];
  let [kills, resumed] = [0, 0];
  for (let code: number | null = null; code !== 0; ) {
    // A moment between the start of the program and the writing of the files.
    const moment = kills < KILLS ? 150 + Math.random() * uninterruptedMs * 0.7 : null;
    const run = await unroll([...ARGS, '--resume', '--out', 'killed'], (child) => {
      if (moment !== null) setTimeout(() => child.kill('SIGKILL'), moment);
    });
    code = run.code;
    moments.push(code === 0 ? 'end' : moment!.toFixed(0));
    kills += Number(code !== 0);
    resumed += Number(/resuming the interrupted run/.test(run.stderr));
    assert.ok(code === 0 || code === null, run.stderr);
  }
  const details = `killed after ms: ${moments.join(', ')}; an uninterrupted run takes ${uninterruptedMs.toFixed(0)}`;
  t.diagnostic(details);
  assert.ok(resumed > 0, details);
  assert.deepEqual(results('killed'), results('uninterrupted'), details);
  assert.deepEqual(readdirSync(inFolder('killed')).sort(), readdirSync(inFolder('uninterrupted')).sort());
});

test('does not repeat completed training runs', async () => {
  const uninterrupted = (await unroll([...ARGS, '--out', 'counted'])).stderr;
  assert.doesNotMatch(uninterrupted, /restored from checkpoint/);
  await unroll([...ARGS, '--out', 'late'], afterEpochs(100, 'SIGKILL'));
  const { stderr } = await unroll([...ARGS, '--resume', '--out', 'late']);
  assert.match(stderr, /^\[1\/12\] .* restored from checkpoint$/m);
  assert.match(stderr, /^\[12\/12\] .* sequences\/s$/m);
});

describe('a run stopped with Ctrl-C', () => {
  before(async () => {
    const { code, stderr } = await unroll([...ARGS, '--out', 'stopped'], afterEpochs(20, 'SIGINT'));
    assert.equal(code, 130);
    assert.match(stderr, /unroll: Stopped\. Run the same command with --resume to continue\.\n$/);
    assert.deepEqual(readdirSync(inFolder('stopped')), ['.resume']);
  });

  test('rejects changed options and changed data, and names them', async () => {
    const other = [
      ...ARGS,
      '--resume',
      '--out',
      'stopped',
      '--units',
      '8',
      '--level',
      '90',
      '--calendar',
      'auto',
    ];
    const { code, stderr } = await unroll(other);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /interrupted run in stopped cannot be resumed: --units was not set and is now 8; --calendar was not set and is now auto; --level was not set and is now 90\. Restore the/,
    );
    writeFileSync(inFolder('more.csv'), `${readFileSync(passengers, 'utf8')}1961-01,450\n`);
    const more = ARGS.map((arg) => (arg === passengers ? 'more.csv' : arg));
    const changed = await unroll([...more, '--resume', '--out', 'stopped']);
    assert.equal(changed.code, 2);
    assert.match(changed.stderr, /cannot be resumed: the data have changed\./);
    assert.ok(existsSync(inFolder('stopped/.resume')), 'it can still be resumed');
  });

  test('can be resumed', async () => {
    const { code, stderr } = await unroll([...ARGS, '--resume', '--out', 'stopped']);
    assert.equal(code, 0);
    assert.match(stderr, /^resume {3}resuming the interrupted run$/m);
    assert.deepEqual(results('stopped'), results('uninterrupted'));
  });
});

test('without --resume, a new run starts', async () => {
  await unroll([...ARGS, '--out', 'again'], afterEpochs(20, 'SIGKILL'));
  const { code, stderr } = await unroll([...ARGS, ...QUICK, '--out', 'again']);
  assert.equal(code, 0);
  assert.doesNotMatch(stderr, /resume|restored from checkpoint/);
  assert.ok(!existsSync(inFolder('again/.resume')));
});

test('--resume without an interrupted run starts a new run, with a message', async () => {
  const { code, stderr } = await unroll([...ARGS, ...QUICK, '--resume', '--out', 'fresh']);
  assert.equal(code, 0);
  assert.match(stderr, /^resume {3}no interrupted run found in fresh, starting a new run$/m);
});

test('rejects --resume without --out', async () => {
  const { code, stderr } = await unroll([...ARGS, '--resume']);
  assert.equal(code, 2);
  assert.match(stderr, /--resume needs --out <folder>/);
});
