// Measures the accuracy of all tasks on real data with fixed splits. For forecasting, runs the code of `unroll forecast`, and
// prints the tables of docs/quality.md; training and the choice of season, window and number of epochs use only the rows before
// the test set. For the other tasks, see quality-results.mjs, which stores the results.
//
//   node tools/quality.mjs [--data DIR] [--only airline,etth1,...] [--seeds 0,1,2] [--weights float16] [--results FILE]
//
//   --data DIR         folder with one subfolder per data set; the airline series is in the repository
//   --weights float16  repeats each forecast with weights rounded to float16 (docs/float16.md)
//   --results FILE     where the results of tasks are stored; default docs/quality.json, with the table in docs/quality.md
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
import { runEvaluation, TASK_EVALUATIONS } from './quality-results.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const CELLS = ['rnn', 'lstm', 'gru'];

const text = (path) => {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
};
const csv = (path) => parseCsv(text(path), { source: path });
const cellsOf = (table, name) => table.columns.find((column) => column.name === name).cells;

/**
 * The usual split of ETTh1 in the literature, in hours: 12, 4 and 4 months of 30 days. `validation` and `test` are the indices of
 * the first rows of these sets, and `end` is the number of rows.
 */
const ETT_SPLIT = { validation: 8640, test: 11_520, end: 14_400, horizon: 24 };
/** Returns ETTh1 with one row per series and hour. */
function etth1(folder) {
  const wide = csv(join(folder, 'ETTh1.csv.gz'));
  const [time, ...series] = wide.columns;
  const cells = [[], [], []];
  for (const { name, cells: values } of series) {
    for (let row = 0; row < ETT_SPLIT.end; row++) {
      cells[0].push(time.cells[row]);
      cells[1].push(name);
      cells[2].push(values[row]);
    }
  }
  return makeTable({ source: 'ETTh1', names: ['date', 'series', 'value'], cells });
}

/** Returns the Beijing data, prepared as in a widely used tutorial: without the first day, and with 0 for missing values. */
function pm25(folder) {
  const all = csv(join(folder, 'pollution.csv.gz'));
  const [years, ...parts] = ['year', 'month', 'day', 'hour'].map((name) => cellsOf(all, name));
  const twoDigits = (cell) => String(cell).padStart(2, '0');
  const times = years.map((year, row) => {
    const [month, day, hour] = parts.map((cells) => twoDigits(cells[row]));
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

// The number of backtest forecasts is chosen so that the first one starts at the first row of the test set:
// windows = (test rows - horizon) / step + 1.
const AIRLINE = { set: 'airline', table: airline, target: 'passengers', cells: ['lstm'], scores };
const TEMPERATURES = { set: 'min-temperatures', table: temperatures, target: 'Temp', cells: CELLS, scores };
const PM25 = { set: 'beijing-pm25', table: pm25, target: 'pm2.5', past: PAST, cells: CELLS, scores };
const ETTH1 = {
  set: 'etth1',
  table: etth1,
  ...{ target: 'value', series: 'series', cells: ['lstm'], horizon: ETT_SPLIT.horizon },
  // The first forecast starts after the training set; `standardisedErrors` scores the validation and the test set separately.
  ...{ windows: ETT_SPLIT.end - ETT_SPLIT.validation - ETT_SPLIT.horizon + 1, step: 1 },
  scores: standardisedErrors,
};
const EVALUATIONS = [
  { ...AIRLINE, title: '12 months ahead, 4 forecasts', horizon: 12, levels: [0.8, 0.95] },
  { ...AIRLINE, title: '1 month ahead, 48 forecasts', horizon: 1, windows: 48, step: 1 },
  { ...ETTH1, title: '24 hours ahead, 7 series, from every hour of the test set (19,999 forecasts)' },
  { ...ETTH1, title: 'the same with --head quantile, whose median minimises the MAE', head: 'quantile' },
  { ...TEMPERATURES, title: '1 day ahead, 365 forecasts', horizon: 1, windows: 365, step: 1 },
  { ...TEMPERATURES, title: '7 days ahead, 359 forecasts', horizon: 7, windows: 359, step: 1 },
  { ...TEMPERATURES, title: '30 days ahead, 336 forecasts', horizon: 30, windows: 336, step: 1 },
  { ...PM25, title: '1 hour ahead, 35,040 forecasts', horizon: 1, windows: 35_040, step: 1 },
  { ...PM25, title: '24 hours ahead, 1,460 forecasts', horizon: 24, windows: 1460, step: 24 },
];

/** Returns the metrics of the leaderboard: for each model, a number for each table column. */
function scores({ leaderboard }) {
  const row = ({ model, rmse, mae, smape, mase, coverage }) => {
    const coverages = Object.entries(coverage).map(([level, fraction]) => [
      `coverage ${level}%`,
      100 * fraction,
    ]);
    return [model, { RMSE: rmse, MAE: mae, sMAPE: smape, MASE: mase, ...Object.fromEntries(coverages) }];
  };
  return new Map(leaderboard.map(row));
}

/** Returns MSE and MAE for each model, of values standardised with the training rows, as in the literature on ETTh1. */
function standardisedErrors({ panel, origins, backtest }) {
  const training = panel.series.map(({ values }) => values.subarray(0, ETT_SPLIT.validation));
  const deviations = training.map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  });
  const actuals = origins.map((origin) => actualAt(panel, origin, ETT_SPLIT.horizon));
  /** Returns MSE and MAE of the forecasts whose steps are all in the rows [from, to). */
  const errorsIn = (forecasts, from, to) => {
    const sums = { squared: 0, absolute: 0, count: 0 };
    for (const [n, { series, origin }] of origins.entries()) {
      if (origin < from || origin + ETT_SPLIT.horizon > to) continue;
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
      const [MSE, MAE] = errorsIn(forecasts, ETT_SPLIT.test, ETT_SPLIT.end);
      const [validationMse, validationMae] = errorsIn(forecasts, ETT_SPLIT.validation, ETT_SPLIT.test);
      return [model, { MSE, MAE, 'validation MSE': validationMse, 'validation MAE': validationMae }];
    }),
  );
}

/** Trains and backtests, without the final forecast. Returns the result with the scores and the duration. */
async function run({ set: _, title: __, table, scores: scoresOf, ...options }, folder, seed, store) {
  const start = performance.now();
  const events = backtestEvents(table(folder), { levels: [], ...options, seed, store });
  for (;;) {
    const { done, value } = await events.next();
    if (done) return { ...value, scores: scoresOf(value), seconds: (performance.now() - start) / 1000 };
    if (value.event === 'epoch') print(value, seed);
  }
}

/** Rounds the weights in the checkpoint of a finished training to float16. The optimizer state does not change. */
function withRoundedWeights(name, bytes) {
  const checkpoint = decodeCheckpoint(bytes);
  for (const [tensor, saved] of Object.entries(checkpoint.run.tensors)) {
    if (!tensor.startsWith('weights/') && tensor !== 'average') continue;
    saved.values = Float32Array.from(toFloat16Bits(saved.values, `${name} ${tensor}`), fromFloat16Bits);
  }
  return encodeCheckpoint(checkpoint);
}

/** Runs twice, the second time with rounded weights: the second run resumes from the checkpoints in the store. */
async function runBoth(evaluation, folder, seed) {
  const files = new Map();
  const store = {
    read: async (name) => files.get(name) ?? null,
    write: async (name, bytes) => void files.set(name, bytes),
  };
  const result = await run(evaluation, folder, seed, store);
  for (const [name, bytes] of files) files.set(name, withRoundedWeights(name, bytes));
  const roundedResult = await run(evaluation, folder, seed, store);
  for (const cell of evaluation.cells) result.scores.set(`${cell}, float16`, roundedResult.scores.get(cell));
  return { ...result, changes: evaluation.cells.map((cell) => changeOf(cell, result, roundedResult)) };
}

/** Returns the root mean square difference between the forecasts of a cell in two runs, divided by the RMSE of the first run. */
function changeOf(cell, { panel, plan, origins, backtest }, roundedResult) {
  const [original, rounded] = [backtest, roundedResult.backtest].map(
    (models) => models.find(({ model }) => model === cell).forecasts,
  );
  const sums = { change: 0, error: 0 };
  for (const [n, origin] of origins.entries()) {
    for (const [k, actual] of actualAt(panel, origin, plan.horizon).entries()) {
      if (!Number.isFinite(actual)) continue;
      sums.change += (rounded[n].median[k] - original[n].median[k]) ** 2;
      sums.error += (original[n].median[k] - actual) ** 2;
    }
  }
  return Math.sqrt(sums.change / sums.error);
}

/** Prints progress to stderr. */
function print({ training: index, trainings, model, stage, epoch, validationLoss }, seed) {
  const loss = validationLoss == null ? '' : `, validation loss ${validationLoss.toPrecision(4)}`;
  const training = `training ${index}/${trainings} (${model}, ${stage})`;
  console.error(`seed ${seed}, ${training}, epoch ${epoch}${loss}`);
}

const format = (value) => value.toFixed(value >= 10 ? 2 : value >= 1 ? 3 : 4);

/**
 * Prints a table like those of docs/quality.md: a row for each seed of a network, their mean, and the baselines, sorted by the
 * first metric.
 */
function printTable(runs, seeds, cells) {
  const columns = Object.keys(runs[0].scores.values().next().value);
  const line = (name, seed, row) =>
    `| ${[name, seed, ...columns.map((column) => format(row[column]))].join(' | ')} |`;
  console.log(`| model | seed | ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length + 2)}`);
  const groups = [...runs[0].scores.keys()].map((model) => {
    const rows = runs.map(({ scores }) => scores.get(model));
    const mean = Object.fromEntries(
      columns.map((column) => [column, rows.reduce((sum, row) => sum + row[column], 0) / rows.length]),
    );
    if (!cells.includes(model)) return { mean, lines: [line(model, '–', mean)] };
    const lines = rows.map((row, i) => line(model, seeds[i], row));
    return { mean, lines: rows.length === 1 ? lines : [...lines, line(`${model}, mean`, '', mean)] };
  });
  groups.sort((a, b) => a.mean[columns[0]] - b.mean[columns[0]]);
  for (const { lines } of groups) console.log(lines.join('\n'));
}

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    only: { type: 'string' },
    seeds: { type: 'string' },
    weights: { type: 'string', default: 'float32' },
    results: { type: 'string' },
  },
});
const sets = [...new Set([...EVALUATIONS, ...TASK_EVALUATIONS].map(({ set }) => set))];
const selected = values.only?.split(',') ?? sets;
const unknown = selected.find((set) => !sets.includes(set));
if (unknown !== undefined) {
  console.error(`There is no evaluation "${unknown}". Choose among ${sets.join(', ')}.`);
  process.exit(2);
}
if (!['float32', 'float16'].includes(values.weights)) {
  console.error(`--weights must be float32 or float16, got "${values.weights}".`);
  process.exit(2);
}
const seeds = (values.seeds ?? '0,1,2').split(',').map(Number);
await ready();
console.log(`${currentBackend().description}, Node ${process.version}`);
for (const evaluation of EVALUATIONS.filter(({ set }) => selected.includes(set))) {
  const { set, title, cells } = evaluation;
  console.log(`\n## ${set}: ${title}\n`);
  const folder = set === 'airline' ? root : join(values.data ?? '', set);
  if (set !== 'airline' && (values.data === undefined || !existsSync(folder))) {
    console.log(`Skipped: pass --data DIR with a subfolder ${set} (see docs/quality.md).`);
    continue;
  }
  const both = values.weights === 'float16';
  const runs = [];
  for (const seed of seeds) runs.push(await (both ? runBoth : run)(evaluation, folder, seed));
  printTable(runs, seeds, both ? cells.flatMap((cell) => [cell, `${cell}, float16`]) : cells);
  const { window, lag, season, log } = runs[0].plan;
  const seconds = Math.round(runs.reduce((sum, result) => sum + result.seconds, 0) / runs.length);
  const plan = `season ${season}, window ${window}${lag > 1 ? `, seasonal differences (lag ${lag})` : ''}${log ? ', logarithms' : ''}`;
  if (both) {
    const changes = runs
      .flatMap((result) => result.changes)
      .map((fraction) => `${(100 * fraction).toPrecision(2)} %`);
    console.log(`\nChange of the forecasts due to float16, relative to their RMSE: ${changes.join(', ')}.`);
  }
  console.log(`\nChosen: ${plan}. ${seconds} s per seed.`);
}
const storage =
  values.results === undefined
    ? { results: join(root, 'docs/quality.json'), page: join(root, 'docs/quality.md') }
    : { results: values.results };
for (const evaluation of TASK_EVALUATIONS.filter(({ set }) => selected.includes(set)))
  await runEvaluation(evaluation, { data: values.data, ...(values.seeds && { seeds }), ...storage });
