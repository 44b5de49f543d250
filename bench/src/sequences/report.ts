/** The tables and the JSON result of `npm run bench:sequences`. */
import { median, pairedRatio } from '../statistics.js';
import type { SequenceMode, SequenceRow } from './rows.js';

/** The result of one row in one mode. */
export interface SequenceResult {
  row: SequenceRow;
  mode: SequenceMode;
  /** Milliseconds per call of Unroll in each round. Empty if the row was not timed. */
  unroll: number[];
  /** Milliseconds per call of PyTorch in each round. Empty if the row was not timed. */
  pytorch: number[];
  /** The largest relative difference of the results; null if the results of one engine are missing. */
  difference: number | null;
  /** Name of the implementation in PyTorch that was timed. */
  variant?: string;
  /** The implementations in PyTorch that were not timed, by name, with the reason. */
  excluded?: Readonly<Record<string, string>>;
  /** The reason why the row was not timed. */
  problem?: string;
}

export interface SequenceRun {
  cpu: string;
  node: string;
  versions: Readonly<Record<string, string>>;
  rounds: number;
  seconds: number;
  /** Load averages over one minute, before and after the run. */
  load: readonly [number, number];
  results: readonly SequenceResult[];
}

/** Statistics of a timed row. A ratio is PyTorch's time divided by Unroll's: above 1, Unroll is faster. */
export interface SequenceSummary {
  unrollMs: number | null;
  pytorchMs: number | null;
  /** The median over the pairs of rounds. */
  ratio: number | null;
  ratioMin: number | null;
  ratioMax: number | null;
  /** Tokens per second of a search; null in other modes. */
  tokensPerSecond: { unroll: number | null; pytorch: number | null } | null;
}

export function summarizeSequence({ row, mode, unroll, pytorch }: SequenceResult): SequenceSummary {
  const ms = (times: readonly number[]): number | null => (times.length > 0 ? median(times) : null);
  const pairs = Math.min(unroll.length, pytorch.length);
  const ratios = Array.from({ length: pairs }, (_, i) => pytorch[i] / unroll[i]);
  const [unrollMs, pytorchMs] = [ms(unroll), ms(pytorch)];
  const tokens = row.sizes.B * row.sizes.length;
  const speed = (time: number | null): number | null => (time === null ? null : (tokens / time) * 1000);
  return {
    unrollMs,
    pytorchMs,
    ratio: pairs > 0 ? pairedRatio(pytorch, unroll) : null,
    ratioMin: pairs > 0 ? Math.min(...ratios) : null,
    ratioMax: pairs > 0 ? Math.max(...ratios) : null,
    tokensPerSecond: mode === 'search' ? { unroll: speed(unrollMs), pytorch: speed(pytorchMs) } : null,
  };
}

const number = (value: number | null, digits: number): string =>
  value === null ? '–' : value.toFixed(digits);

/** Formats milliseconds: two decimals below 10 ms, one below 100 ms, none from 100 ms on. */
const milliseconds = (value: number | null): string =>
  number(value, value === null || value >= 100 ? 0 : value >= 10 ? 1 : 2);

function noteOf(result: SequenceResult, { tokensPerSecond }: SequenceSummary): string {
  const { variant, excluded = {}, problem } = result;
  const notes = [
    ...(problem ? [problem] : []),
    ...(variant ? [`PyTorch: ${variant}`] : []),
    ...(tokensPerSecond
      ? [`tokens/s: ${number(tokensPerSecond.unroll, 0)}, PyTorch ${number(tokensPerSecond.pytorch, 0)}`]
      : []),
    ...Object.entries(excluded).map(([name, reason]) => `${name} not timed: ${reason}`),
  ];
  return notes.join('; ').replaceAll('|', '\\|').replaceAll('\n', ' ');
}

/** Returns the Markdown table of a run. */
export function sequenceTable(results: readonly SequenceResult[]): string {
  const lines = [
    '| row | mode | Unroll ms | PyTorch ms | PyTorch / Unroll | range | note |',
    '| --- | --- | ---: | ---: | ---: | ---: | --- |',
  ];
  for (const result of results) {
    const summary = summarizeSequence(result);
    const { unrollMs, pytorchMs, ratio, ratioMin, ratioMax } = summary;
    const range = ratio === null ? '–' : `${number(ratioMin, 2)}–${number(ratioMax, 2)}`;
    const cells = [result.row.name, result.mode, milliseconds(unrollMs), milliseconds(pytorchMs)];
    lines.push(`| ${[...cells, number(ratio, 2), range, noteOf(result, summary)].join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** Returns the Markdown report of a run. */
export function sequenceReport(run: SequenceRun): string {
  const { cpu, node, versions, rounds, seconds, load, results } = run;
  const engines = Object.entries(versions).map(([name, version]) => `${name}: ${version}`);
  return [
    '# Sequence models: Unroll and PyTorch',
    '',
    `${cpu}, Node ${node}, one thread. ${engines.join('; ')}. ${rounds} alternating rounds of ${seconds} s per engine; load`,
    `average ${load[0].toFixed(2)} before and ${load[1].toFixed(2)} after the run. The ratio is the median over pairs of rounds:`,
    'above 1, Unroll is faster. The range is the smallest and the largest ratio of a pair.',
    '',
    sequenceTable(results),
  ].join('\n');
}

/** Returns the object that `--json` writes. */
export function sequenceJson({ results, ...run }: SequenceRun): object {
  return {
    ...run,
    rows: results.map((result) => {
      const { row, mode, unroll, pytorch, difference, variant, excluded, problem } = result;
      const summary = summarizeSequence(result);
      const { name, sizes } = row;
      return { name, mode, sizes, ...summary, difference, variant, excluded, problem, unroll, pytorch };
    }),
  };
}
