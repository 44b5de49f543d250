/** Compares recurrent cells that were trained on the same data with several seeds. */
import type { ScoreColumn, ScoreTable } from '../shared/scores.js';

/** The metric by which cells are compared. */
export interface ComparisonMetric {
  /** Name in the result of a run: `accuracy`. */
  name: string;
  title: string;
  format: ScoreColumn['format'];
  decimals: number;
  higherIsBetter: boolean;
}

/** One training run. */
export interface ComparedRun {
  cell: string;
  seed: number;
  /** Number of parameters; null if the task does not report it. */
  parameters: number | null;
  epochs: number;
  secondsPerEpoch: number;
  /** Seconds from the start of the training to the end of the best epoch. */
  secondsToBest: number;
  /** The metric on the validation data. */
  quality: number;
  /** Peak memory of the process, in bytes. */
  memory: number;
  /** Median time to predict from one example, in milliseconds; null if it was not measured. */
  latency: number | null;
  /** Validation loss by epoch, of the first network or stage if there are several. */
  losses: number[];
}

export interface Comparison {
  task: string;
  metric: ComparisonMetric;
  runs: readonly ComparedRun[];
}

/** The runs of one cell. */
export interface CellSummary {
  cell: string;
  runs: readonly ComparedRun[];
  mean: number;
  /** Sample standard deviation over the seeds; null for one seed. */
  deviation: number | null;
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function deviationOf(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/** Returns the cells, best first. */
export function summarizeCells({ metric, runs }: Comparison): CellSummary[] {
  const cells = [...new Set(runs.map(({ cell }) => cell))].map((cell): CellSummary => {
    const cellRuns = runs.filter((run) => run.cell === cell);
    const values = cellRuns.map(({ quality }) => quality);
    return { cell, runs: cellRuns, mean: meanOf(values), deviation: deviationOf(values) };
  });
  return cells.sort((a, b) => (metric.higherIsBetter ? b.mean - a.mean : a.mean - b.mean));
}

/** Two-sided 95 % quantiles of Student's t distribution for 1 to 10, 12, 15, 20 and 30 degrees of freedom. */
const T_QUANTILES: readonly (readonly [degrees: number, quantile: number])[] = [
  [1, 12.706], [2, 4.303], [3, 3.182], [4, 2.776], [5, 2.571], [6, 2.447], [7, 2.365], [8, 2.306], [9, 2.262],
  [10, 2.228], [12, 2.179], [15, 2.131], [20, 2.086], [30, 2.042],
]; // biome-ignore format: a table

/**
 * Returns the quantile of the last table entry with at most `degrees` degrees of freedom. Between two entries, it is slightly
 * too large, which makes the test conservative.
 */
function tQuantile(degrees: number): number {
  let quantile = T_QUANTILES[0][1];
  for (const [minDegrees, value] of T_QUANTILES) if (degrees >= minDegrees) quantile = value;
  return quantile;
}

/** Returns whether the means differ significantly (Welch's t-test at the 5 % level). */
function differs(a: CellSummary, b: CellSummary): boolean {
  if (a.deviation === null || b.deviation === null) return false;
  const [va, vb] = [a.deviation ** 2 / a.runs.length, b.deviation ** 2 / b.runs.length];
  const difference = Math.abs(a.mean - b.mean);
  if (va + vb === 0) return difference > 0;
  const degrees = (va + vb) ** 2 / (va ** 2 / (a.runs.length - 1) + vb ** 2 / (b.runs.length - 1));
  return difference / Math.sqrt(va + vb) > tQuantile(degrees);
}

/**
 * Returns the best cell if its mean differs significantly from the mean of every other cell (Welch's t-test at the 5 % level);
 * otherwise null.
 */
export function winnerOf(comparison: Comparison): string | null {
  const [best, ...others] = summarizeCells(comparison);
  return others.length > 0 && others.every((other) => differs(best, other)) ? best.cell : null;
}

/** Returns a text for the user: which cell is the best, or why there is no winner. */
export function verdict(comparison: Comparison): string {
  const winner = winnerOf(comparison);
  const { metric } = comparison;
  if (winner !== null)
    return `Best cell: ${winner}. Its ${metric.title} differs from that of every other cell by more than the spread of the seeds.`;
  const [best, ...others] = summarizeCells(comparison);
  if (others.length === 0) return 'Only one cell was trained, so there is no comparison.';
  if (best.deviation === null) {
    return `No winner: with one seed, a difference may be chance. ${best.cell} has the best ${metric.title}; set --seeds 3 or more.`;
  }
  return `No winner: ${best.cell} has the best mean, but at least one other cell is within the spread of the seeds; prefer the fastest cell, or increase --seeds.`;
}

/** What to expect from each cell, according to the literature. */
export const ADVICE: readonly string[] = [
  'lstm: keeps information over hundreds of steps; the usual first choice (Hochreiter & Schmidhuber 1997; Greff et al. 2017).',
  'gru: three blocks of weights (two gates and the candidate) instead of four, so a quarter fewer parameters and usually less time; often as good as the LSTM (Cho et al. 2014; Chung et al. 2014).',
  'rnn: the fastest, but its gradients vanish, so it rarely learns dependencies of more than about ten steps (Bengio et al. 1994).',
  'minGRU: its gates depend on the inputs only, so that a scan computes all steps; far fewer parameters than an LSTM, but it often needs two layers (Feng et al. 2024).',
  'minLSTM: like the minGRU, with input and forget gates that are normalised to the sum 1 (Feng et al. 2024).',
  'layerNormLSTM: trains more stably on long sequences and with small batches, but takes more time per step (Ba et al. 2016).',
  'coupledLSTM: an LSTM with one gate for input and forgetting, so a quarter fewer parameters; about as good as the LSTM (Greff et al. 2017).',
  'peepholeLSTM: its gates read the cell state, which helps to measure the time between events exactly; otherwise about as good as the LSTM (Gers & Schmidhuber 2000; Greff et al. 2017).',
];

const number = (name: string, title: string, decimals: number): ScoreColumn => ({
  ...{ name, title, decimals },
  format: 'number',
});

/** Returns the comparison as a table, best cell first. */
export function comparisonTable(comparison: Comparison): ScoreTable {
  const { metric } = comparison;
  const { name, title, format, decimals } = metric;
  return {
    columns: [
      { name: 'cell', title: 'cell', format: 'text' },
      number('parameters', 'parameters', 0),
      { name: 'seconds_per_epoch', title: 's/epoch', format: 'quantity' },
      number('seconds_to_best', 's to best', 1),
      { name, title, format, decimals },
      { name: 'spread', title: '±', format, decimals: decimals + 1 },
      number('memory', 'MB', 0),
      number('latency', 'ms/example', 2),
    ],
    rows: summarizeCells(comparison).map(({ cell, runs, mean, deviation }) => {
      const average = (value: (run: ComparedRun) => number | null): number | null => {
        const known = runs.map(value).filter((result) => result !== null);
        return known.length === 0 ? null : meanOf(known);
      };
      return [
        cell,
        average(({ parameters }) => parameters),
        average(({ secondsPerEpoch }) => secondsPerEpoch),
        average(({ secondsToBest }) => secondsToBest),
        ...[mean, deviation],
        average(({ memory }) => memory / 1e6),
        average(({ latency }) => latency),
      ];
    }),
  };
}
