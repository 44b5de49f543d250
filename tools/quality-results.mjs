// For tools/quality.mjs: runs the evaluations of all tasks except forecasting. Each result is stored with processor and date in
// a JSON file, from which the table of docs/quality.md is generated.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { SOUNDS } from './quality-audio.mjs';
import { CLASSIFICATIONS } from './quality-classify.mjs';
import { SPEECH } from './quality-speech.mjs';
import { TEXTS } from './quality-texts.mjs';
import { VIDEOS } from './quality-video.mjs';

/**
 * `set` is the name for --only, and the name of the data folder unless `folder` gives another name (null: no data are
 * needed). `must` is the required mean over `seeds`, and `want` the desired one; `lower` means that lower values are
 * better. `flags` are the options of the command that gives the same result.
 */
export const TASK_EVALUATIONS = [...CLASSIFICATIONS, ...SOUNDS, ...SPEECH, ...VIDEOS, ...TEXTS];

const BEGIN = '<!-- results of tasks: written by npm run quality -->\n';
const END = '<!-- end of results of tasks -->';

/** Formats a value: accuracy, F1 and error rates in percent, other metrics as numbers. */
const formatMetric = ({ format }, value) => {
  if (value === undefined) return '–';
  if (format === 'percent') return `${(100 * value).toFixed(1)} %`;
  return value.toFixed(value < 2 ? 3 : 2);
};

const readResults = (file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});

/** Stores the result of a seed. Replaces an earlier result of the seed. */
function storeResult(file, set, seed, result) {
  const results = readResults(file);
  results[set] = { ...results[set], [seed]: result };
  const known = TASK_EVALUATIONS.map((evaluation) => evaluation.set).filter((name) => results[name]);
  const sorted = Object.fromEntries(known.map((name) => [name, results[name]]));
  writeFileSync(file, `${JSON.stringify(sorted, null, 2)}\n`);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Returns the cells of the table row of an evaluation. @param results the stored results by seed */
function rowOf(evaluation, results) {
  const { set, title, measure, must, want, flags } = evaluation;
  const runs = Object.values(results ?? {});
  const goals = [must, want].map((goal) => formatMetric(evaluation, goal));
  const start = [set, title, measure, ...goals];
  if (runs.length === 0) return [...start, 'not measured', '', flags, '', ''];
  const values = runs.map(({ value }) => value);
  const unique = (key) => [...new Set(runs.map((run) => run[key]))].join('; ');
  const seconds = runs.map((run) => run.seconds).filter((value) => value !== undefined);
  return [
    ...[...start, `**${formatMetric(evaluation, mean(values))}**`],
    ...[values.map((value) => formatMetric(evaluation, value)).join(', '), flags],
    ...[seconds.length === 0 ? '–' : mean(seconds).toFixed(0), `${unique('processor')}, ${unique('date')}`],
  ];
}

const COLUMNS = 'name, data, metric on the test set, must, want, mean, by seed, flags, s per seed, measured';

/** Returns the table of all results in Markdown. */
export function resultsTable(results) {
  const titles = COLUMNS.split(', ');
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  const flagged = (cells) => cells.map((cell, i) => (i === 7 && cell !== '' ? `\`${cell}\`` : cell));
  const rows = TASK_EVALUATIONS.map((evaluation) => flagged(rowOf(evaluation, results[evaluation.set])));
  return (
    line(titles) + line(titles.map((_, i) => (i > 2 && i < 6 ? '---:' : '---'))) + rows.map(line).join('')
  );
}

/** Replaces the table between the lines BEGIN and END of a page. */
export function withTable(page, results) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < 0)
    throw new Error(`docs/quality.md must contain the lines "${BEGIN.trim()}" and "${END}".`);
  return `${page.slice(0, begin + BEGIN.length)}\n${resultsTable(results)}\n${page.slice(end)}`;
}

/** Returns a listener for the events of a training, which prints the progress to stderr. */
const progressOf = (set, seed) => (event) => {
  if (event.event !== 'epoch') return;
  const metrics = Object.entries({ loss: event.validationLoss, ...event.validationMetrics });
  const texts = metrics.map(([name, value]) => `${name} ${value?.toPrecision(4)}`);
  const training = `training ${event.training}/${event.trainings}, epoch ${event.epoch}`;
  console.error(`${set}, seed ${seed}, ${training}, validation ${texts.join(', ')}`);
};

/**
 * Runs an evaluation with each seed, prints a table, stores the results and updates the page.
 * @param options.data folder of the data @param options.seeds default: those of the evaluation
 * @param options.results the JSON file @param options.page the page with the table; undefined: no page is updated
 */
export async function runEvaluation(evaluation, { data, seeds = evaluation.seeds, results, page }) {
  const { set, title, folder = set, split, flags } = evaluation;
  console.log(`\n## ${set}: ${title}\n`);
  const path = folder === null ? null : join(data ?? '', folder);
  if (path !== null && (data === undefined || !existsSync(path))) {
    console.log(`Skipped: pass --data DIR with a subfolder ${folder} (see docs/quality.md).`);
    return;
  }
  if (evaluation.missing?.()) {
    console.log(`Skipped: ${evaluation.missing()}.`);
    return;
  }
  console.log(`Split: ${split}.${flags === '' ? '' : ` Options: ${flags}.`}\n`);
  console.log(
    `| seed | test: ${evaluation.measure} | validation | epochs | seconds |\n|---|---:|---:|---|---:|`,
  );
  const values = [];
  for (const seed of seeds) {
    const start = performance.now();
    const onEvent = progressOf(set, seed);
    const result = await evaluation.evaluate({ folder: path, seed, onEvent });
    const { value, validation, epochs } = result;
    const seconds = result.seconds ?? Math.round((performance.now() - start) / 1000);
    values.push(value);
    const cells = [
      seed,
      formatMetric(evaluation, value),
      formatMetric(evaluation, validation),
      epochs.join(', '),
      seconds,
    ];
    console.log(`| ${cells.join(' | ')} |`);
    const [processor, date] = [cpus()[0]?.model ?? 'unknown', new Date().toISOString().slice(0, 10)];
    storeResult(results, set, seed, { value, validation, seconds, processor, date });
    if (page !== undefined) writeFileSync(page, withTable(readFileSync(page, 'utf8'), readResults(results)));
  }
  if (values.length > 1) console.log(`| **mean** | **${formatMetric(evaluation, mean(values))}** | | | |`);
}
