// The plot for terminals: its width, the different marks of history and forecast, and the positions of values.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { historyCapacity, plot } from '@unroll/tasks';
import { shortNumber } from '@unroll/tasks/internal';

const history = Array.from({ length: 60 }, (_, t) => t % 12);
const labels = ['1956-01', '1960-12', '1961-12'] as const;
const picture = (options = {}, forecast: number[] = [0, 5, 11]) =>
  plot({ history, forecast, labels }, options);
const isBraille = (mark: string) => mark >= '\u2801' && mark <= '\u28ff';

test('every line fits the width', () => {
  for (const width of [40, 80]) {
    for (const line of picture({ width }))
      assert.ok(Array.from(line).length <= width, `${line.length}: ${line}`);
    assert.equal(Array.from(picture({ width })[0]!).length, width);
  }
});

test('draws history as dots left of the divider and each forecast step as a large point right of it', () => {
  const area = picture()
    .slice(0, 14)
    .map((line) => line.slice(line.indexOf('│') + 1).split('┊'));
  assert.ok(area.some(([left]) => Array.from(left!).some(isBraille)));
  assert.ok(area.every(([left]) => !left!.includes('●')));
  const points = area.flatMap(([, right], row) =>
    Array.from(right!).flatMap((mark, k) => (mark === '●' ? [[k, row]] : [])),
  );
  assert.deepEqual(
    points.sort((a, b) => a[0]! - b[0]!),
    [
      [0, 13],
      [1, 7],
      [2, 0],
    ],
  );
});

test('the axes show the smallest and the largest value and the times', () => {
  const lines = picture();
  assert.match(lines[0]!, /^ +11 │/);
  assert.match(lines[13]!, /^ +0 │/);
  assert.match(lines.at(-1)!, /1956-01 .* 1961-12$/);
});

test('the largest value is drawn in the top row and the smallest value in the bottom row', () => {
  const rows = plot({ history: [0, 10], forecast: [5], labels }).slice(0, 14);
  assert.ok(Array.from(rows[0]!).some(isBraille) && Array.from(rows[13]!).some(isBraille));
  assert.ok(
    Array.from(rows[13]!).findIndex(isBraille) < Array.from(rows[0]!).findIndex(isBraille),
    'rising to the right',
  );
});

test('omits the beginning of a history that does not fit', () => {
  assert.equal(historyCapacity(80, 12), 57);
  const long = Array.from({ length: 1000 }, (_, t) => (t < 900 ? 99 : t % 12));
  assert.match(plot({ history: long, forecast: [5], labels })[0]!, /^ +11 │/);
});

test('the function `paint` is applied only to the points', () => {
  const painted = picture({ paint: (text: string) => `<${text}>` }).join('\n');
  assert.equal(painted.match(/<●>/g)!.length, 3);
  assert.equal(painted.match(/</g)!.length, 3);
});

test('constant series, gaps, one row and long forecasts are drawn', () => {
  assert.equal(plot({ history: [5, 5, 5], forecast: [5], labels }).length, 16);
  assert.equal(plot({ history: [5, Number.NaN, 6], forecast: [5], labels }).length, 16);
  assert.equal(plot({ history: [5], forecast: [6], labels }).length, 16);
  const long = plot({ history, forecast: Array.from({ length: 500 }, (_, t) => t), labels });
  assert.ok(long.every((line) => Array.from(line).length <= 80));
});

test('numbers next to the axis have at most eight characters', () => {
  const numbers = [432, 43.25, 0.001234, 1234567, -0.5, 0, 1e-9, -98765.4321, -0.001234];
  assert.deepEqual(numbers.map(shortNumber), [
    '432',
    '43.25',
    '0.001234',
    '1.2e+6',
    '-0.5',
    '0',
    '1.0e-9',
    '-9.9e+4',
    '-1.2e-3',
  ]);
});

test('draws a constant series as a line', () => {
  for (const value of [0, 1e12 + 1, -1e17]) {
    const lines = plot({ history: Array(30).fill(value), forecast: [value, value], labels });
    assert.doesNotMatch(lines.join(), /NaN/);
    assert.ok(lines.some((line) => Array.from(line).some(isBraille) && line.includes('●')));
  }
});
