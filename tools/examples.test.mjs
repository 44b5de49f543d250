// The examples run, in a process of their own as people run them, and have learned what they say. Rejects: an example
// that no longer runs, one that learns nothing, and one whose trick makes no difference.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../examples');

const printed = (name) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'dist', `${name}.js`)], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout;
};

/** The numbers that the groups of a pattern find. */
const results = (text, pattern) => {
  const found = pattern.exec(text);
  assert.ok(found, `${pattern} is not in:\n${text}`);
  return found.slice(1).map(Number);
};

const CHECKS = {
  'quick-start': (text) => {
    const [forecast, actual] = results(text, /forecast (\S+), actual (\S+)/);
    assert.ok(Math.abs(forecast - actual) < 0.05, text);
  },
  'time-series': (text) => {
    const [learned, naive] = results(text, /RMSE on 234 unseen steps: (\S+) \(last value: ([\d.]+)/);
    assert.ok(learned < 0.6 * naive, text);
  },
  'text-classification': (text) => {
    const [accuracy] = results(text, /accuracy on 600 unseen reviews: (\S+) %/);
    assert.ok(accuracy > 97, text);
  },
  seq2seq: (text) => {
    const [right, all] = results(text, /(\d+) of (\d+) unseen dates correct/);
    assert.ok(right > 0.97 * all, text);
  },
  'training-tricks': (text) => {
    assert.match(text, /without: stopped: the loss is no longer finite/);
    const [clipped] = results(text, /with clip: .*: loss (\S+)/);
    assert.ok(clipped < 0.8, text);
    const [plain, dropped] = results(text, /on unseen (\S+)[\s\S]*on unseen (\S+)/);
    assert.ok(dropped < 0.6 * plain, text);
    const [slow, fast] = results(text, /after 5 epochs (\S+)[\s\S]*after 5 epochs (\S+)/);
    assert.ok(fast < 0.8 * slow, text);
    const [one, both] = results(text, /one: (\S+) %[\s\S]*both: (\S+) %/);
    assert.ok(one < 85 && both > 93, text);
  },
};

const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
test('every example has a check', () => {
  assert.deepEqual(files.map((file) => file.slice(0, -3)).sort(), Object.keys(CHECKS).sort());
});
for (const [name, check] of Object.entries(CHECKS)) test(name, () => check(printed(name)));
