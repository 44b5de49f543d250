// Forecast accuracy: node tools/quality.mjs [--data DIR] [--only airline,etth1,...] [--seeds 0,1,2]
//   [--weights float16]
//
// Runs the code of `unroll forecast` on real series with fixed splits, and prints the tables of docs/quality.md.
// Networks are trained on the rows before the test part; season, window and number of epochs are chosen there too.
// DIR contains a folder for each data set; the airline series is in the repository. With --weights float16, the
// trained networks forecast a second time with rounded weights (docs/float16.md).
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { currentBackend, ready } from '@unroll/core';
import { fromFloat16Bits, toFloat16Bits } from '@unroll/core/internal';
import { makeTable, parseCsv } from '@unroll/data';
import { actualAt, backtestEvents } from '@unroll/tasks';
import { decodeCheckpoint, encodeCheckpoint } from '@unroll/train';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const CELLS = ['rnn', 'lstm', 'gru'];

const text = (path) => {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
};
const csv = (path) => parseCsv(text(path), { source: path });
const cellsOf = (table, name) => table.columns.find((column) => column.name === name).cells;

/** The part of ETTh1 that is used in the literature (12, 4 and 4 months of 30 days), one row per series and hour. */
const ETT = { validation: 8640, test: 11_520, end: 14_400, horizon: 24 };
function etth1(folder) {
  const wide = csv(join(folder, 'ETTh1.csv.gz'));
  const [time, ...series] = wide.columns;
  const cells = [[], [], []];
  for (const { name, cells: values } of series) {
    for (let row = 0; row < ETT.end; row++) {
      cells[0].push(time.cells[row]);
      cells[1].push(name);
      cells[2].push(values[row]);
    }
  }
  return makeTable({ source: 'ETTh1', names: ['date', 'series', 'value'], cells });
}

/** As in the well-known tutorial: without the first day, missing values as 0. */
function pm25(folder) {
  const all = csv(join(folder, 'pollution.csv.gz'));
  const [years, ...parts] = ['year', 'month', 'day', 'hour'].map((name) => cellsOf(all, name));
  const two = (cell) => String(cell).padStart(2, '0');
  const times = years.map((year, row) => {
    const [month, day, hour] = parts.map((cells) => two(cells[row]));
    return `${year}-${month}-${day} ${hour}:00`;
  });
  const values = cellsOf(all, 'pm2.5').map((cell) => (cell === 'NA' || cell === '' ? '0' : cell));
  const columns = [['time', times], ['pm2.5', values], ...PAST.map((name) => [name, cellsOf(all, name)])];
  const names = columns.map(([name]) => name);
  return makeTable({ source: 'Beijing PM2.5', names, cells: columns.map(([, cells]) => cells.slice(24)) });
}
const PAST = ['DEWP', 'TEMP', 'PRES', 'cbwd', 'Iws', 'Is', 'Ir'];

const airline = () => csv(join(root, 'packages/cli/data/air-passengers.csv'));
const temperatures = (folder) => csv(join(folder, 'daily-min-temperatures.csv'));

/**
 * Backtests laid out so that networks are trained on the rows before the test part: windows = (rows - horizon) / step +
 * 1.
 */
const ofAirline = { set: 'airline', table: airline, target: 'passengers', cells: ['lstm'], scores };
const ofTemperatures = { set: 'min-temperatures', table: temperatures, target: 'Temp', cells: CELLS, scores };
const ofPm25 = { set: 'beijing-pm25', table: pm25, target: 'pm2.5', past: PAST, cells: CELLS, scores };
const ofEtth1 = {
  set: 'etth1',
  table: etth1,
  ...{ target: 'value', series: 'series', cells: ['lstm'], horizon: ETT.horizon },
  // From the end of the training part; scoring separates forecasts of the validation and the test part.
  ...{ windows: ETT.end - ETT.validation - ETT.horizon + 1, step: 1 },
  scores: standardised,
};
const EVALUATIONS = [
  { ...ofAirline, title: '12 months ahead, 4 forecasts', horizon: 12, levels: [0.8, 0.95] },
  { ...ofAirline, title: '1 month ahead, 48 forecasts', horizon: 1, windows: 48, step: 1 },
  { ...ofEtth1, title: '24 hours ahead, 7 series, from every hour of the test part (19,999 forecasts)' },
  { ...ofEtth1, title: 'the same with --head quantile, whose median is made for the MAE', head: 'quantile' },
  { ...ofTemperatures, title: '1 day ahead, 365 forecasts', horizon: 1, windows: 365, step: 1 },
  { ...ofTemperatures, title: '7 days ahead, 359 forecasts', horizon: 7, windows: 359, step: 1 },
  { ...ofTemperatures, title: '30 days ahead, 336 forecasts', horizon: 30, windows: 336, step: 1 },
  { ...ofPm25, title: '1 hour ahead, 35,040 forecasts', horizon: 1, windows: 35_040, step: 1 },
  { ...ofPm25, title: '24 hours ahead, 1,460 forecasts', horizon: 24, windows: 1460, step: 24 },
];

/** The metrics of the leaderboard as table columns, by model. */
function scores({ leaderboard }) {
  const row = ({ model, rmse, mae, smape, mase, coverage }) => {
    const shares = Object.entries(coverage).map(([level, share]) => [`coverage ${level}%`, 100 * share]);
    return [model, { RMSE: rmse, MAE: mae, sMAPE: smape, MASE: mase, ...Object.fromEntries(shares) }];
  };
  return new Map(leaderboard.map(row));
}

/** MSE and MAE of values standardised by their training rows, as in the literature on ETTh1. */
function standardised({ panel, origins, backtest }) {
  const training = panel.series.map(({ values }) => values.subarray(0, ETT.validation));
  const deviations = training.map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  });
  const actuals = origins.map((origin) => actualAt(panel, origin, ETT.horizon));
  const within = (forecasts, from, to) => {
    const sums = { squared: 0, absolute: 0, count: 0 };
    for (const [n, { series, origin }] of origins.entries()) {
      if (origin < from || origin + ETT.horizon > to) continue;
      for (const [k, actual] of actuals[n].entries()) {
        const error = (forecasts[n].median[k] - actual) / deviations[series];
        sums.squared += error * error;
        sums.absolute += Math.abs(error);
        sums.count++;
      }
    }
    return [sums.squared / sums.count, sums.absolute / sums.count];
  };
  return new Map(
    backtest.map(({ model, forecasts }) => {
      const [MSE, MAE] = within(forecasts, ETT.test, ETT.end);
      const [validationMse, validationMae] = within(forecasts, ETT.validation, ETT.test);
      return [model, { MSE, MAE, 'validation MSE': validationMse, 'validation MAE': validationMae }];
    }),
  );
}

/** One run up to its leaderboard, without the final forecast. */
async function run({ set: _, title: __, table, scores: scored, ...options }, folder, seed, store) {
  const began = performance.now();
  const events = backtestEvents(table(folder), { levels: [], ...options, seed, store });
  for (;;) {
    const { done, value } = await events.next();
    if (done) return { ...value, scores: scored(value), seconds: (performance.now() - began) / 1000 };
    if (value.event === 'epoch') print(value, seed);
  }
}

/** A finished training with its weights rounded to float16; the optimizer state is not needed any more. */
function rounded(name, bytes) {
  const checkpoint = decodeCheckpoint(bytes);
  for (const [tensor, saved] of Object.entries(checkpoint.run.tensors)) {
    if (!tensor.startsWith('weights/') && tensor !== 'average') continue;
    saved.values = Float32Array.from(toFloat16Bits(saved.values, `${name} ${tensor}`), fromFloat16Bits);
  }
  return encodeCheckpoint(checkpoint);
}

/** One run, then the same trained networks with rounded weights: the resumed run reads them from the store. */
async function runBoth(evaluation, folder, seed) {
  const files = new Map();
  const store = {
    read: async (name) => files.get(name) ?? null,
    write: async (name, bytes) => void files.set(name, bytes),
  };
  const result = await run(evaluation, folder, seed, store);
  for (const [name, bytes] of files) files.set(name, rounded(name, bytes));
  const again = await run(evaluation, folder, seed, store);
  for (const cell of evaluation.cells) result.scores.set(`${cell}, float16`, again.scores.get(cell));
  return { ...result, changes: evaluation.cells.map((cell) => changeOf(cell, result, again)) };
}

/** The difference between a cell's forecasts in two runs relative to the first one's error (root mean squares). */
function changeOf(cell, { panel, plan, origins, backtest }, again) {
  const [own, other] = [backtest, again.backtest].map(
    (all) => all.find(({ model }) => model === cell).forecasts,
  );
  const sums = { change: 0, error: 0 };
  for (const [n, origin] of origins.entries()) {
    for (const [k, actual] of actualAt(panel, origin, plan.horizon).entries()) {
      if (!Number.isFinite(actual)) continue;
      sums.change += (other[n].median[k] - own[n].median[k]) ** 2;
      sums.error += (own[n].median[k] - actual) ** 2;
    }
  }
  return Math.sqrt(sums.change / sums.error);
}

/** Progress on stderr; the tables go to stdout. */
function print({ training: index, trainings, model, stage, epoch, validationLoss }, seed) {
  const loss = validationLoss == null ? '' : `, validation loss ${validationLoss.toPrecision(4)}`;
  const training = `training ${index}/${trainings} (${model}, ${stage})`;
  console.error(`seed ${seed}, ${training}, epoch ${epoch}${loss}`);
}

const cell = (value) => value.toFixed(value >= 10 ? 2 : value >= 1 ? 3 : 4);

/** A table as docs/quality.md has it: networks by seed and their mean, baselines once; the least first column first. */
function show(runs, seeds, cells) {
  const columns = Object.keys(runs[0].scores.values().next().value);
  const line = (name, seed, row) =>
    `| ${[name, seed, ...columns.map((column) => cell(row[column]))].join(' | ')} |`;
  console.log(`| model | seed | ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length + 2)}`);
  const groups = [...runs[0].scores.keys()].map((model) => {
    const rows = runs.map((each) => each.scores.get(model));
    const mean = Object.fromEntries(
      columns.map((column) => [column, rows.reduce((sum, row) => sum + row[column], 0) / rows.length]),
    );
    if (!cells.includes(model)) return { mean, lines: [line(model, '–', mean)] };
    const each = rows.map((row, i) => line(model, seeds[i], row));
    return { mean, lines: rows.length === 1 ? each : [...each, line(`${model}, mean`, '', mean)] };
  });
  groups.sort((a, b) => a.mean[columns[0]] - b.mean[columns[0]]);
  for (const { lines } of groups) console.log(lines.join('\n'));
}

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string' },
    seeds: { type: 'string', default: '0,1,2' },
    weights: { type: 'string', default: 'float32' },
  },
});
const sets = [...new Set(EVALUATIONS.map(({ set }) => set))];
const wanted = values.only?.split(',') ?? sets;
const unknown = wanted.find((set) => !sets.includes(set));
if (unknown !== undefined) {
  console.error(`There is no evaluation "${unknown}". Choose among ${sets.join(', ')}.`);
  process.exit(2);
}
if (!['float32', 'float16'].includes(values.weights)) {
  console.error(`--weights must be float32 or float16, got "${values.weights}".`);
  process.exit(2);
}
const seeds = values.seeds.split(',').map(Number);
await ready();
console.log(`${currentBackend().description}, Node ${process.version}`);
for (const evaluation of EVALUATIONS.filter(({ set }) => wanted.includes(set))) {
  const { set, title, cells } = evaluation;
  console.log(`\n## ${set}: ${title}\n`);
  const folder = set === 'airline' ? root : join(values.data ?? '', set);
  if (set !== 'airline' && (values.data === undefined || !existsSync(folder))) {
    console.log(`Not run: it needs --data DIR with a folder ${set} (see docs/quality.md).`);
    continue;
  }
  const both = values.weights === 'float16';
  const runs = [];
  for (const seed of seeds) runs.push(await (both ? runBoth : run)(evaluation, folder, seed));
  show(runs, seeds, both ? cells.flatMap((each) => [each, `${each}, float16`]) : cells);
  const { window, lag, season, log } = runs[0].plan;
  const seconds = Math.round(runs.reduce((sum, each) => sum + each.seconds, 0) / runs.length);
  const plan = `season ${season}, window ${window}${lag > 1 ? `, changes over ${lag} rows` : ''}${log ? ', logarithms' : ''}`;
  if (both) {
    const changes = runs.flatMap((each) => each.changes).map((share) => `${(100 * share).toPrecision(2)} %`);
    console.log(`\nFloat16 changes the forecasts by so much of their error: ${changes.join(', ')}.`);
  }
  console.log(`\nChosen: ${plan}. ${seconds} s a seed.`);
}
