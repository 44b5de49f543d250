/** `unroll compare`: trains a task with several cells and seeds, each run in a separate process, and compares the results. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nearest } from '@unroll/core/internal';
import {
  ADVICE,
  CELL_NAMES,
  type ComparedRun,
  type Comparison,
  type ComparisonMetric,
  cellNamed,
  comparisonReport,
  comparisonTable,
  verdict,
  winnerOf,
} from '@unroll/tasks';
import { integerOption, type ParsedArgs, textOption, UsageError } from '../shared/args.js';
import type { Command } from '../shared/command.js';
import { checkWritable, writeAtomically } from '../shared/files.js';
import { Reporter } from '../shared/reporter.js';
import { latencyOf } from './latency.js';
import { splitOptions } from './split-options.js';
import { trainingRun } from './training-run.js';

/** The cells that are compared by default. */
const CELLS = ['rnn', 'lstm', 'gru'] as const;
const REPORT = 'report.html';
const RESULTS = 'comparison.json';

/** How a share such as the accuracy is printed: in percent. */
const inPercent = { format: 'share', decimals: 1, higherIsBetter: true } as const;
/** The metrics of each task. Runs are compared by the first metric of the list that their result contains. */
const METRICS: Readonly<Record<string, readonly ComparisonMetric[]>> = {
  classify: [
    { name: 'accuracy', title: 'accuracy', ...inPercent },
    { name: 'micro_f1', title: 'micro F1', ...inPercent },
  ],
  tag: [{ name: 'f1', title: 'F1', ...inPercent }],
  translate: [{ name: 'bleu', title: 'BLEU', format: 'number', decimals: 1, higherIsBetter: true }],
  transcribe: [
    { name: 'wer', title: 'word error rate', format: 'share', decimals: 1, higherIsBetter: false },
  ],
  describe: [{ name: 'exact_match', title: 'exact match', ...inPercent }],
  speak: [{ name: 'mcd', title: 'distortion (dB)', format: 'number', decimals: 2, higherIsBetter: false }],
  generate: [
    { name: 'nats_per_char', title: 'nats/character', format: 'number', decimals: 3, higherIsBetter: false },
  ],
  forecast: [{ name: 'mase', title: 'MASE', format: 'number', decimals: 3, higherIsBetter: false }],
};
const TASK_NAMES = Object.keys(METRICS);

const HELP = `Usage: unroll compare <task> <arguments of the task> [options]

Trains models for one task with several recurrent cells and seeds, and prints for each cell the
number of parameters, the seconds per epoch, the seconds to the best epoch, the quality on the
validation data with its spread over the seeds, the peak memory, and the time to predict from one
example. A winner is named only if its difference from every other cell is significant (Welch's
t-test over the seeds, 5 % level). Every run is a separate process. Text classifiers are trained
with --no-ngrams, because the n-gram model is the same for all cells.

Tasks: ${TASK_NAMES.join(', ')}

  unroll compare classify --data train.tsv --text review --label stars --cells lstm,gru --seeds 3

Options
  --cells <names>       cells to compare, any of ${CELL_NAMES.slice(0, 4).join(', ')},
                        ${CELL_NAMES.slice(4).join(', ')}
                        (default: ${CELLS.join(',')})
  --seeds <n>           number of seeds: 3 means the seeds 0, 1 and 2 (default: 3)
  --budget <time>       end the training of each run after this time, such as 90s or 5m, at the end
                        of an epoch
  --out <folder>        write ${REPORT} with the curves and ${RESULTS} to this folder
  --json                print the result to stdout as JSON, and text to stderr
  --quiet               print no text

Run unroll train <task> --help, or unroll forecast --help, for the arguments of a task.
`;

interface CompareArguments {
  task: string;
  /** The arguments of the task. */
  taskArguments: readonly string[];
  cells: readonly string[];
  seeds: number;
  out: string | undefined;
  json: boolean;
  quiet: boolean;
}

export const compare: Command = {
  about: 'compare recurrent cells on a task',
  help: () => HELP,
  async run(args, { signal }) {
    const options = compareArguments(args);
    const { task, taskArguments, cells, seeds, out } = options;
    const reporter = new Reporter(options);
    if (out !== undefined) checkWritable(out, [REPORT, RESULTS]);
    const folder = mkdtempSync(join(tmpdir(), 'unroll-compare-'));
    try {
      const runs: ComparedRun[] = [];
      const total = cells.length * seeds;
      let metric: ComparisonMetric | undefined;
      for (let seed = 0; seed < seeds; seed++) {
        // All cells of a seed follow each other, so that a change of the machine's load affects all cells.
        for (const cell of cells) {
          const model = join(folder, `${cell}-${seed}`);
          const { metrics, ...run } = await trainingRun({
            task,
            taskArguments,
            cell,
            seed,
            out: model,
            signal,
          });
          metric ??= METRICS[task].find(({ name }) => name in metrics) ?? METRICS[task][0];
          const quality = metrics[metric.name];
          const latency = await latencyOf(task, taskArguments, model);
          runs.push({ ...{ cell, seed, quality, latency }, ...run });
          const text = `[${runs.length}/${total}] ${cell}, seed ${seed}: ${metric.title} ${qualityText(quality, metric)}, ${run.epochs} epochs`;
          reporter.report({ event: 'note', text });
        }
      }
      if (metric === undefined) return;
      reportComparison({ task, metric, runs }, options, reporter);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function reportComparison(
  comparison: Comparison,
  { task, taskArguments, cells, seeds, out }: CompareArguments,
  reporter: Reporter,
): void {
  reporter.report({ event: 'scores', ...comparisonTable(comparison) });
  reporter.print(verdict(comparison));
  for (const text of ADVICE)
    if (cells.some((cell) => text.startsWith(`${cell}:`))) reporter.print(`  ${text}`);
  const result = {
    ...{ task: 'compare', compared: task, metric: comparison.metric.name, winner: winnerOf(comparison) },
    runs: comparison.runs.map((run) => ({ ...run, losses: [...run.losses] })),
  };
  if (out !== undefined) {
    const settings = [
      ['command', `unroll compare ${task} ${taskArguments.join(' ')}`],
      ['cells', cells.join(', ')],
      ['seeds', String(seeds)],
    ] as const;
    const files = new Map([
      [REPORT, comparisonReport(comparison, settings)],
      [RESULTS, `${JSON.stringify(result, null, 2)}\n`],
    ]);
    writeAtomically(out, files);
    reporter.print(`written  ${out}: ${REPORT}, ${RESULTS}`);
  }
  reporter.report({ event: 'result', ...result });
}

const qualityText = (value: number, { format, decimals }: ComparisonMetric): string =>
  format === 'share' ? `${(100 * value).toFixed(decimals)} %` : value.toFixed(decimals);

function compareArguments([task, ...args]: readonly string[]): CompareArguments {
  if (task === undefined || task.startsWith('-'))
    throw new UsageError(
      `A task is required: unroll compare ${TASK_NAMES.join('|')} <arguments of the task>`,
    );
  if (!Object.hasOwn(METRICS, task)) {
    const suggestion = nearest(task, TASK_NAMES);
    throw new UsageError(
      `Unknown task "${task}". ${suggestion === undefined ? `The tasks are ${TASK_NAMES.join(', ')}.` : `Did you mean "${suggestion}"?`}`,
    );
  }
  const { options, taskArguments } = splitOptions(args);
  return {
    ...{ task, taskArguments },
    cells: cellsOf(options),
    seeds: integerOption(options, 'seeds') ?? 3,
    out: textOption(options, 'out'),
    json: options.values.json === true,
    quiet: options.values.quiet === true,
  };
}

function cellsOf(options: ParsedArgs): string[] {
  const names = (textOption(options, 'cells') ?? CELLS.join(',')).split(',').map((name) => name.trim());
  const cells = names.map((name) => {
    const cell = cellNamed(name);
    if (cell !== undefined) return cell;
    throw new UsageError(
      `--cells must be any of ${CELL_NAMES.join(', ')}, separated by commas, got "${name}".`,
    );
  });
  return [...new Set(cells)];
}
