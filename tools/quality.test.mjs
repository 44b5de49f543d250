// Tests quality.mjs, which prints the tables of docs/quality.md, with the series in the repository.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

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

test('airline: the baselines have known errors; the network is 25 % better, also with rounded weights', () => {
  const { stdout } = run('--only', 'airline', '--seeds', '0', '--weights', 'float16');
  const rows = stdout.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const mase = (model) => Number(rows.find((cells) => cells[1] === model)[6]);
  assert.equal(mase('seasonal-naive'), 1.266);
  assert.ok(mase('lstm') < 0.75 * mase('seasonal-naive'), `lstm ${mase('lstm')}`);
  assert.ok(
    Math.abs(mase('lstm, float16') / mase('lstm') - 1) < 0.002,
    'rounding must have almost no effect',
  );
  const changes = [...stdout.matchAll(/relative to their RMSE: (\S+) %/g)].map(([, share]) => Number(share));
  assert.equal(changes.length, 2);
  assert.ok(
    changes.every((share) => share > 0 && share < 0.5),
    `changes by rounding must be above 0 and below 0.5 %, got ${changes}`,
  );
});
