/**
 * Formats the results of the benchmark: lines for the terminal, and the report in Markdown and in JSON.
 */
import type { CaseResult, Measurement, MissingMeasurement } from './case.js';
import type { WeightType } from './data.js';
import type { EngineSpec } from './engines.js';
import { peakFor } from './engines.js';
import type { BrowserHost, Peaks } from './protocol.js';
import { rowFor } from './rows.js';
import { pairedRatio } from './statistics.js';
import { type SummaryRow, summaryLines } from './summary.js';

export interface Machine {
  cpu: string;
  cores: number;
  os: string;
  node: string;
  /** The browser, if an engine ran in a page. */
  browser?: BrowserHost;
  /** GFLOP/s of multiply-adds on one thread. */
  peakGflops: Peaks;
  /** GFLOP/s of multiply-adds by number of threads that run at the same time. */
  peakGflopsOnThreads: Record<string, Peaks>;
}

export interface Result {
  machine: Machine;
  quick: boolean;
  weights: WeightType;
  versions: Record<string, string>;
  /** Engines that are not installed or do not start. */
  missing: string[];
  cases: CaseResult[];
  /** JavaScript's share of a training step, by engine. */
  javascriptShare: Record<string, number>;
}

/** Returns the name of a row in a mode. For a stream, the name contains only the sizes that matter: cell-I-H. */
export const nameOf = ({ row, mode }: Pick<Measurement, 'row' | 'mode'>): string => {
  const { cell, I, H, name } = rowFor(row, mode);
  return mode === 'stream' ? `${cell}-${I}-${H}` : name;
};

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

const formatNumber = (value: number): string =>
  value >= 100
    ? value.toFixed(0)
    : value >= 10
      ? value.toFixed(1)
      : value >= 1
        ? value.toFixed(2)
        : value.toFixed(3);
export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const formatRatio = (ratio: number): string => (ratio >= 100 ? ratio.toFixed(0) : ratio.toFixed(2));
/** Formats half the range of the rounds, relative to the median. */
const spread = ({ ms, msMin, msMax }: Measurement): string =>
  `±${((50 * (msMax - msMin)) / ms).toFixed(0)} %`;

/** Returns the executed operations as a fraction of the measured peak; null if the engine has no peak. */
export function fractionOfPeak(
  measured: Measurement,
  engines: readonly EngineSpec[],
  machine: Machine,
): number | null {
  const spec = engines.find(({ name }) => name === measured.engine)!;
  const peaks = machine.peakGflopsOnThreads[measured.threads];
  const peak = peaks && peakFor(spec, peaks);
  return peak ? measured.executedGflops / peak : null;
}

/** Formats the results of a case for the terminal, one line for each engine. */
export function caseLines(caseResult: CaseResult, engines: EngineSpec[], machine: Machine): string[] {
  const { agreed, measured, absent } = caseResult;
  const base = measured.find(({ engine }) => engine.startsWith('unroll'));
  const width = Math.max(16, ...engines.map(({ name }) => name.length));
  const lines = measured.map((times) => {
    const fraction = fractionOfPeak(times, engines, machine);
    const share = fraction === null ? '' : `${percent(fraction)} of peak`;
    const ratio =
      base && times !== base
        ? `${base.engine} ${formatRatio(pairedRatio(times.rounds, base.rounds))}x as fast`
        : '';
    const time = `${formatNumber(times.ms).padStart(7)} ms ${spread(times).padStart(6)}`;
    const rate = `${formatNumber(times.gflops).padStart(7)} GFLOP/s`;
    const note = times.note ? ` (${times.note})` : '';
    return `  ${times.engine.padEnd(width)} ${time} ${rate}  ${share.padEnd(14)} ${ratio}${note}`.trimEnd();
  });
  if (measured.length === 0) lines.push(`  engines that agree: ${agreed.join(', ') || 'none'}`);
  return [...lines, ...absent.map(({ engine, reason }) => `  ${engine.padEnd(width)} excluded: ${reason}`)];
}

/** Formats a Markdown table: the first column aligned to the left, the others to the right. */
export function markdownTable(header: string[], body: string[][]): string[] {
  const rows = [header, ...body];
  const widths = header.map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const fill = (text: string, i: number): string =>
    i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  const line = (row: string[]): string => `| ${row.map(fill).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(header), `| ${rule.join(' | ')} |`, ...body.map(line)];
}

/** The footnotes of a report, without duplicates. */
class Footnotes {
  readonly texts: string[] = [];
  /** Adds a footnote. @returns its mark, such as `[1]` */
  add(text: string): string {
    let index = this.texts.indexOf(text);
    if (index < 0) index = this.texts.push(text) - 1;
    return `[${index + 1}]`;
  }
}

/** Footnotes of engines that compute a variant of the equations. */
const VARIANTS: Record<string, string> = {
  'reset-before':
    'its GRU applies the reset gate before the matrix product; the results agree with the oracle of this variant',
  relu: 'its simple RNN uses ReLU instead of tanh; the results agree with the oracle of this variant',
  'no-cell': 'its LSTM uses h instead of a cell state c; the results agree with the oracle of this variant',
};

/** The tables of the report, which share their footnotes. */
class ReportTables {
  readonly result: Result;
  readonly engines: EngineSpec[];
  readonly footnotes = new Footnotes();

  constructor(result: Result, engines: EngineSpec[]) {
    this.result = result;
    this.engines = engines;
  }

  /** Returns `format(measured)` for an engine in a case, or a footnote with the reason why the engine has no times. */
  text(caseResult: CaseResult, engine: string, format: (measured: Measurement) => string): string {
    const measured = caseResult.measured.find((times) => times.engine === engine);
    if (measured) {
      const variant = VARIANTS[measured.variant];
      return format(measured) + (variant ? ` ${this.footnotes.add(`${engine}: ${variant}`)}` : '');
    }
    const absent = caseResult.absent.find((entry) => entry.engine === engine);
    return absent ? this.footnotes.add(`${engine}: ${absent.reason}`) : '';
  }

  /** Formats the table of the speed of the engine `unroll` relative to the other engines. */
  ratios(unroll: string): string[] {
    const { cases } = this.result;
    const others = this.engines.map(({ name }) => name).filter((name) => name !== unroll);
    const comparesTorchThreads =
      others.includes('pytorch') && new Set(cases.map((caseResult) => first(caseResult).threads)).size > 1;
    const columns = comparesTorchThreads
      ? others.flatMap((name) => (name === 'pytorch' ? [name, 'pytorch, best'] : [name]))
      : others;
    const body = cases.map((caseResult): string[] => {
      const base = caseResult.measured.find(({ engine }) => engine === unroll);
      const fraction = base && fractionOfPeak(base, this.engines, this.result.machine);
      const unrollColumns = [
        this.text(caseResult, unroll, ({ ms }) => formatNumber(ms)),
        fraction === null || fraction === undefined ? '' : percent(fraction),
      ];
      return [
        label(caseResult),
        ...unrollColumns,
        ...columns.map((name) => {
          if (!base) return '';
          if (name === 'pytorch, best') return this.ratioToBestTorch(caseResult, base);
          return this.text(caseResult, name, ({ rounds }) => formatRatio(pairedRatio(rounds, base.rounds)));
        }),
      ];
    });
    return markdownTable(
      ['row, mode, threads', 'ms', 'of peak', ...columns.map((name) => `vs ${name}`)],
      body,
    );
  }

  /** Formats the ratio to PyTorch with its fastest number of threads. */
  ratioToBestTorch(caseResult: CaseResult, base: Measurement): string {
    const times = this.result.cases
      .filter((other) => nameOf(first(other)) === nameOf(base) && first(other).mode === base.mode)
      .flatMap(({ measured }) => measured.filter(({ engine }) => engine === 'pytorch'));
    if (times.length === 0) return this.text(caseResult, 'pytorch', () => '');
    const fastest = times.reduce((a, b) => (b.ms < a.ms ? b : a));
    return `${formatRatio(pairedRatio(fastest.rounds, base.rounds))} (on ${fastest.threads})`;
  }

  /** Formats the table of the time, spread and share of the peak of every engine. */
  times(): string[] {
    const { cases, machine } = this.result;
    const format = (times: Measurement): string => {
      const fraction = fractionOfPeak(times, this.engines, machine);
      return `${formatNumber(times.ms)} ${spread(times)}${fraction === null ? '' : `, ${percent(fraction)}`}`;
    };
    const names = this.engines.map(({ name }) => name);
    const body = cases.map((caseResult) => [
      label(caseResult),
      ...names.map((name) => this.text(caseResult, name, format)),
    ]);
    return markdownTable(['row, mode, threads', ...names], body);
  }
}

const first = ({ measured, absent }: CaseResult): Measurement | MissingMeasurement =>
  measured[0] ?? absent[0];

function label(caseResult: CaseResult): string {
  const { row, mode, threads } = first(caseResult);
  return `${nameOf({ row, mode })} ${mode} ${threads}`;
}

/** Formats the measured peaks, one line for each number of threads. */
export function peakLines(machine: Machine): string[] {
  return Object.entries(machine.peakGflopsOnThreads).map(([threads, peaks]) => {
    const widths = Object.entries(peaks as Record<string, number>).map(
      ([width, peak]) => `${width} ${peak.toFixed(0)}`,
    );
    const threadCount = plural(Number(threads), 'thread');
    return `Measured peak of multiply-adds on ${threadCount}, GFLOP/s: ${widths.join(', ')}`;
  });
}

/** Formats the report in Markdown. */
export function report(result: Result, engines: EngineSpec[]): string {
  const { machine, versions, missing, quick, weights } = result;
  const cases = result.cases.filter(({ measured, absent }) => measured.length + absent.length > 0);
  const tables = new ReportTables({ ...result, cases }, engines);
  const unrollNames = engines.filter(({ peer }) => peer === null).map(({ name }) => name);
  const lines = [
    '# Benchmark',
    '',
    `${machine.cpu}, ${plural(machine.cores, 'core')}, ${machine.os}, Node ${machine.node}.`,
    '',
    ...(machine.browser
      ? [`Engines in Chromium: ${machine.browser.version}, a cross-origin isolated page.`, '']
      : []),
    ...peakLines(machine).map((line) => `- ${line}`),
    ...Object.entries(versions).map(([engine, version]) => `- ${engine}: ${version}`),
    ...(missing.length > 0 ? [`- Not available: ${missing.join(', ')}`] : []),
    '',
    ...(quick ? ['**A quick run with few, short rounds. Do not cite these numbers.**', ''] : []),
    ...(weights === 'float16'
      ? ['**All weights are rounded to float16, identically for every engine.**', '']
      : []),
    'Rows are named cell-I-H-B-T: input features, hidden units, batch size, time steps. For each number of threads, the engines',
    'alternate in rounds; milliseconds are medians over these rounds. Ratios are medians over pairs of adjacent rounds. The share',
    'of the peak counts executed matrix products.',
    'The results of all engines with times agree within 1e-4. Numbers in brackets refer to the notes below.',
    '',
  ];
  const rows = (jsonResult(result, engines) as { rows: SummaryRow[] }).rows;
  for (const name of unrollNames) {
    const summary = summaryLines(rows, name, markdownTable);
    if (summary.length > 0) lines.push(`## Summary of ${name}`, '', ...summary);
  }
  for (const name of unrollNames) {
    lines.push(`## Speed of ${name} relative to the other engines`, '', ...tables.ratios(name), '');
  }
  lines.push(
    '## Time in milliseconds, half the range of the rounds, share of the peak',
    '',
    ...tables.times(),
    '',
  );
  lines.push(...tables.footnotes.texts.map((text, i) => `[${i + 1}] ${text}  `));
  const shares = Object.entries(result.javascriptShare).map(([name, share]) => `${name} ${percent(share)}`);
  if (shares.length > 0) {
    lines.push(
      '',
      `JavaScript's share of a training step (lstm-32-64-32-50, one thread): ${shares.join(', ')}.`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Returns the object that `--json` writes. */
export function jsonResult(result: Result, engines: EngineSpec[]): object {
  const { machine, quick, weights, versions, missing, cases, javascriptShare } = result;
  const keyColumns = ({ row, mode, threads, engine }: Measurement | MissingMeasurement): object => {
    const { cell, I, H, B, T } = rowFor(row, mode);
    return { cell, I, H, B, T, mode, threads, engine };
  };
  return {
    machine,
    quick,
    weights,
    versions,
    missing,
    javascriptShare,
    rows: cases.flatMap(({ measured }) =>
      measured.map((times) => {
        const { ms, msMin, msMax, rounds, gflops, executedGflops, variant, note } = times;
        const ofPeak = fractionOfPeak(times, engines, machine);
        return {
          ...keyColumns(times),
          ms,
          msMin,
          msMax,
          rounds,
          gflops,
          executedGflops,
          ofPeak,
          variant,
          note,
        };
      }),
    ),
    absent: cases.flatMap(({ absent }) =>
      absent.map((entry) => ({ ...keyColumns(entry), reason: entry.reason, wrong: entry.wrong })),
    ),
  };
}
