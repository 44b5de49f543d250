// Runs each example in a separate process and checks its output: the model has learned the task, and in the example
// training-tricks, each technique improves the result.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../examples');

/** Runs an example and returns its output. */
const outputOf = (name) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'dist', `${name}.js`)], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout;
};

/** Returns the groups of a pattern in an output as numbers. */
const results = (text, pattern) => {
  const match = pattern.exec(text);
  assert.ok(match, `${pattern} does not match:\n${text}`);
  return match.slice(1).map(Number);
};

const CHECKS = {
  chorales: (text) => {
    const [nats] = results(text, /test: (\S+) nats per step/);
    // A model without memory has a loss of about 12 nats per step; the lowest possible loss is 4.62.
    assert.ok(nats > 4.5 && nats < 5.2, text);
  },
  insight: (text) => {
    const [before, after] = [...text.matchAll(/relative to lag 0: (\S+)/g)].map(([, value]) => Number(value));
    assert.ok(before < 0.4 && after > 0.5, text); // the gradient reaches the step that the model repeats
    const [loss] = results(text, /, (\S+) in the last one/);
    const forced = [...text.matchAll(/ {2}[fio] = [01]: (\S+)/g)].map(([, value]) => Number(value));
    assert.ok(loss < 0.01 && forced.length === 4 && forced.every((value) => value > 5 * loss), text);
    const [steps] = results(text, /after training\n {2}looks back (\S+) steps/);
    assert.ok(steps >= 5, text);
  },
  'quick-start': (text) => {
    const [forecast, actual] = results(text, /forecast (\S+), actual (\S+)/);
    assert.ok(Math.abs(forecast - actual) < 0.05, text);
  },
  'time-series': (text) => {
    const [learned, naive] = results(text, /RMSE on 234 unseen steps: (\S+) \(last value: ([\d.]+)/);
    assert.ok(learned < 0.6 * naive, text);
  },
  'sensor-classification': (text) => {
    const [missing, accuracy] = results(
      text,
      /missing values: (\S+) %\naccuracy on 150 new recordings: (\S+) %/,
    );
    assert.ok(missing > 1.5 && missing < 2.5 && accuracy > 90, text);
    assert.match(text, /a recording of running is classified as running/);
  },
  'moving-box': (text) => {
    const [accuracy] = results(text, /accuracy on 100 new clips: (\S+) %/);
    const [exact] = results(text, /sentences exactly right: (\S+) %/);
    assert.ok(accuracy > 90 && exact > 80, text);
    assert.match(text, /the box moves up\na?/);
    assert.match(text, /^a small box moves left$/m);
    const [weights] = [...text.matchAll(/^ {2}\w+ +([\d. ]+)$/gm)].map(([, list]) =>
      list.split(' ').map(Number),
    );
    assert.ok(weights.length === 6 && Math.abs(weights.reduce((a, b) => a + b) - 1) < 0.05, text);
  },
  singing: (text) => {
    const [distortion, stopped] = results(text, /new songs: (\S+) dB\nend predicted in (\S+) %/);
    assert.ok(distortion < 4 && stopped > 90, text);
    assert.match(text, /so mi do ti: 0\.\d+ s, so mi do ti$/m);
  },
  'telephone-tones': (text) => {
    const [accuracy] = results(text, /accuracy on 100 new recordings: (\S+) %/);
    const [errors] = results(text, /word error rate on 60 new recordings: (\S+) %/);
    assert.ok(accuracy > 95 && errors < 5, text);
    assert.match(text, /the star is a symbol/);
    assert.match(text, /^0\.25 s: 5\n[\s\S]*dialled: 5 5 5 0 1/m);
  },
  'text-classification': (text) => {
    const [accuracy] = results(text, /accuracy on 600 unseen reviews: (\S+) %/);
    assert.ok(accuracy > 97, text);
  },
  seq2seq: (text) => {
    const [correct, total] = results(text, /(\d+) of (\d+) unseen dates correct/);
    assert.ok(correct > 0.97 * total, text);
  },
  translator: (text) => {
    const [correct, total] = results(text, /(\d+) of (\d+) unseen strings reversed/);
    assert.ok(correct >= 0.99 * total, text);
    const [onDiagonal] = results(text, /(\S+) % of the alignments on the anti-diagonal/);
    assert.ok(onDiagonal > 99, text);
  },
  summaries: (text) => {
    const [score] = results(text, /ROUGE-L (\S+) on 200 unseen reports/);
    assert.ok(score > 98, text);
  },
  tagger: (text) => {
    const [correct, total] = results(text, /(\d+) of (\d+) unseen sentences tagged without an error/);
    assert.ok(total === 1000 && correct >= 0.99 * total, text);
  },
  entities: (text) => {
    const [f1] = results(text, /300 unseen sentences: F1 (\S+) %/);
    assert.ok(f1 > 95, text);
    assert.match(text, /"text":"Dinorton","type":"LOC"/);
  },
  'long-memory': (text) => {
    const runs = [...text.matchAll(/^(\w+) over .*, (\w+), seed \d: (not )?solved .*, loss (\S+) /gm)];
    for (const [line, task, cell, not, loss] of runs) {
      if (cell !== 'rnn') assert.equal(not, undefined, line);
      else assert.ok(Number(loss) > (task === 'adding' ? 0.12 : 1.7), line);
    }
    assert.equal(runs.length, 10);
    assert.equal(runs.filter(([, , cell]) => cell === 'rnn').length, 6);
  },
  'skip-gram': (text) => {
    const [right, total] = results(text, /in the same group: (\d+) of (\d+) words/);
    assert.ok(right >= 0.9 * total, text);
  },
  'training-tricks': (text) => {
    assert.match(text, /without: stopped: the loss is no longer finite/);
    const [clipped] = results(text, /with clip: .*: loss (\S+)/);
    assert.ok(clipped < 0.8, text);
    const [withoutDropout, withDropout] = results(text, /on unseen (\S+)[\s\S]*on unseen (\S+)/);
    assert.ok(withDropout < 0.6 * withoutDropout, text);
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
for (const [name, check] of Object.entries(CHECKS))
  test(`the output of the example ${name} is correct`, () => check(outputOf(name)));
