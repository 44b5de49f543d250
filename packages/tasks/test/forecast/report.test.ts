// The report: a single file without external resources, escaped names, and charts for wide and narrow screens.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { makeTable } from '@unroll/data';
import { chart, type ForecastOptions, forecast, forecastPlot, forecastReport } from '@unroll/tasks';
import { niceTicks, widenRange } from '@unroll/tasks/internal';

const rows = ['<b>&"one"', 'two'].flatMap((id, s) =>
  Array.from({ length: 60 }, (_, t) => [id, t, 10 * s + t + 5 * (t % 4)] as const),
);
const cells = [rows.map(([id]) => id), rows.map(([, t]) => t), rows.map(([, , y]) => y)];
const table = makeTable({ source: 'shops.csv', names: ['shop', 't', 'y<i>'], cells });
const options: ForecastOptions = {
  target: 'y<i>',
  series: 'shop',
  time: 't',
  season: 4,
  horizon: 4,
  epochs: 2,
  units: 4,
};
const info = { backend: 'native', seconds: 1, options };

test('the report is one HTML file without scripts or external resources', async () => {
  const html = forecastReport(await forecast(table, options), info);
  assert.match(html, /^<!doctype html>\n<html lang="en">/);
  assert.doesNotMatch(html, /<script|https?:|url\(|@import|<link|<img/);
  assert.match(html, /prefers-color-scheme:dark/);
  assert.match(html, /name="viewport"/);
  const open = html.match(/<(section|svg|table|details|dl|p|h[123])\b/g)!.length;
  const closed = html.match(/<\/(section|svg|table|details|dl|p|h[123])>/g)!.length;
  assert.equal(open, closed);
});

test('without intervals, no legend of the report has an interval', async () => {
  const backtest = (html: string): string => html.slice(html.indexOf('The backtest made'));
  const withLevels = forecastReport(await forecast(table, { ...options, epochs: 1 }), info);
  assert.match(backtest(withLevels), /95% interval<\/span>/);
  const without = forecastReport(await forecast(table, { ...options, epochs: 1, levels: [] }), info);
  assert.doesNotMatch(without, /% interval<\/span>/);
});

test('the report escapes names of columns and series', async () => {
  const html = forecastReport(await forecast(table, options), info);
  assert.doesNotMatch(html, /<b>&"one"|y<i>|forecast\.csv contains/);
  assert.match(html, /<h3>&lt;b&gt;&amp;&quot;one&quot;<\/h3>/);
});

test('the report draws both series, the errors by horizon step and the backtest, for wide and narrow screens', async () => {
  const html = forecastReport(await forecast(table, options), info);
  for (const kind of ['wide', 'narrow'])
    assert.equal(html.match(new RegExp(`<svg class="chart ${kind}"`, 'g'))!.length, 4);
  assert.doesNotMatch(html, /NaN|Infinity|undefined/);
});

test('the report draws many series in columns, with a search by name and no external resources', async () => {
  const ids = ['<b>&"one"', ...Array.from({ length: 13 }, (_, s) => `Shop ${s}`)];
  const many = ids.flatMap((id, s) =>
    Array.from({ length: 24 }, (_, t) => [id, t, s + t + (t % 4)] as const),
  );
  const cells = [many.map(([id]) => id), many.map(([, t]) => t), many.map(([, , y]) => y)];
  const panel = makeTable({ source: 'shops.csv', names: ['shop', 't', 'y<i>'], cells });
  const html = forecastReport(await forecast(panel, { ...options, epochs: 1, baselines: [] }), info);
  assert.equal(html.match(/<figure data-name=/g)!.length, 14);
  assert.match(html, /The first 12 of 14 series; forecast\.csv contains all\./);
  assert.match(html, /<figure data-name="&lt;b&gt;&amp;&quot;one&quot;">/);
  assert.match(html, /<figure data-name="shop 5"><figcaption>Shop 5<\/figcaption><svg class="chart small"/);
  assert.match(html, /<input type="search">/);
  assert.doesNotMatch(html, /<script src|https?:|url\(|@import|<link|<img|NaN/);
});

test('the report says when models were trained, and whether the scaling was requested or inferred', async () => {
  const requested = { ...options, scaler: 'log', refit: true, horizon: 2, windows: 2 } as const;
  const positive = makeTable({
    ...{ source: 'shops.csv', names: ['shop', 't', 'y<i>'] },
    cells: [...cells.slice(0, 2), rows.map(([, , y]) => y + 1)],
  });
  const result = await forecast(positive, requested);
  const html = forecastReport(result, { ...info, options: requested });
  assert.match(html, /Models were retrained before every origin\./);
  assert.match(html, /<dd>log-transformed<\/dd>/);
  const inferred = forecastReport(result, info);
  assert.match(inferred, /Models were trained on the rows before \d+\./);
  assert.match(inferred, /log-transformed, because the variation grows with the level/);
});

test('a chart draws lines and bands at the positions computed by hand', () => {
  const svg = chart({
    title: 'a',
    lines: [{ kind: 'actual', from: 0, values: [0, 10, Number.NaN, 5] }],
    bands: [{ kind: 'band1', from: 1, lower: [1, 2], upper: [3, 4] }],
    label: (row) => `row ${row}`,
    dividers: [],
  });
  // The wide chart has 760 × 300 pixels: rows 0 to 3 are at x = 52, 284, 516 and 748, and values 0 to 10 at y = 276 to 10.
  assert.match(svg, /d="M52\.0 276\.0L284\.0 10\.0M748\.0 143\.0"/);
  assert.match(svg, /points="284\.0,196\.2 516\.0,169\.6 516\.0,222\.8 284\.0,249\.4"/);
  assert.match(svg, />row 3<\/text>/);
});

test('ticks are round numbers around the range', () => {
  assert.deepEqual(niceTicks({ low: 104, high: 622 }, 6), [0, 200, 400, 600, 800]);
  assert.deepEqual(niceTicks({ low: -0.3, high: 0.4 }, 5), [-0.4, -0.2, 0, 0.2, 0.4]);
});

test('a chart draws constant series of any magnitude', () => {
  for (const value of [0, 5, 1e12 + 1, -1e17, 1e302]) {
    const data = { title: 'a', bands: [], label: String, dividers: [] };
    const svg = chart({ ...data, lines: [{ kind: 'actual', from: 0, values: [value, value, value] }] });
    assert.doesNotMatch(svg, /NaN|Infinity/);
    assert.match(svg, /d="M52\.0 \d+\.\dL/);
    const ticks = niceTicks(widenRange({ low: value, high: value }), 6);
    assert.equal(new Set(ticks).size, ticks.length);
    assert.ok(ticks.length > 2);
  }
});

test('the plot is one SVG document with a chart and a heading for each series', async () => {
  const svg = forecastPlot(await forecast(table, options));
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="1520" height="324"/);
  assert.equal(svg.match(/<svg /g)!.length, 3);
  assert.equal(svg.match(/<svg /g)!.length, svg.match(/<\/svg>/g)!.length);
  assert.match(svg, /y&lt;i&gt; of &lt;b&gt;&amp;&quot;one&quot;, forecast by/);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined|<b>/);
});
