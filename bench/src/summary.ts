/** Summarises the results of a run: for each group of rows, the mean and the row with the lowest value. */
import type { Mode } from './rows.js';
import { geometricMean, mean, pairedRatio } from './statistics.js';

/** A measured row of the JSON result. */
export interface SummaryRow {
  cell: string;
  I: number;
  H: number;
  B: number;
  T: number;
  mode: Mode;
  threads: number;
  engine: string;
  ms: number;
  /** Milliseconds of each round, in order. */
  rounds: readonly number[];
  ofPeak: number | null;
}

const cellKey = ({ cell, I, H, B, T, mode, threads }: SummaryRow): string =>
  [cell, I, H, B, T, mode, threads].join('-');
const nameOf = ({ cell, I, H, B, T, mode }: SummaryRow): string =>
  mode === 'stream' ? `${cell}-${I}-${H}` : `${cell}-${I}-${H}-${B}-${T}`;
const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/**
 * Three tables: speed relative to each peer (a library that Unroll is compared with), scaling with threads, and share of the
 * peak. `least` is the lowest value of a group, and `leastRow` the name of its row.
 */
export interface Summary {
  /** Speed relative to a peer; `ratio` is the geometric mean over the rows of a cell. */
  relativeToPeers: { peer: string; cell: string; mode: Mode; threads: number; rows: number; ratio: number; least: number; leastRow: string }[]; // biome-ignore format: one record
  /** Speed on two threads relative to one, for rows with B >= 16 that take 1 ms or more on one thread. */
  scaling: { cell: string; mode: Mode; rows: number; factor: number; least: number; leastRow: string }[];
  /** Executed matrix products as a share of the measured peak, for rows with H >= 256 and B >= 32; `share` is the mean. */
  peak: {
    cell: string;
    mode: Mode;
    threads: number;
    rows: number;
    share: number;
    least: number;
    leastRow: string;
  }[];
}

/** Computes the summary of one engine. @param engine its name, such as `unroll-native` */
export function summarise(rows: readonly SummaryRow[], engine: string): Summary {
  const engineRows = rows.filter((row) => row.engine === engine);
  const peers = distinct(rows.map((row) => row.engine)).filter((name) => !name.startsWith('unroll'));
  const roundsOf = new Map(rows.map((row) => [`${row.engine} ${cellKey(row)}`, row.rounds]));
  const groups = distinct(
    engineRows.map(({ cell, mode, threads }) => JSON.stringify({ cell, mode, threads })),
  ).map((key) => JSON.parse(key) as { cell: string; mode: Mode; threads: number });
  const inGroup = (group: { cell: string; mode: Mode; threads: number }): SummaryRow[] =>
    engineRows.filter(
      ({ cell, mode, threads }) => cell === group.cell && mode === group.mode && threads === group.threads,
    );
  const lowest = (values: readonly { row: SummaryRow; value: number }[]) => {
    const { row, value } = values.reduce((a, b) => (b.value < a.value ? b : a));
    return { least: value, leastRow: nameOf(row), rows: values.length };
  };

  const relativeToPeers = peers.flatMap((peer) =>
    groups.flatMap((group) => {
      const values = inGroup(group).flatMap((row) => {
        const peerRounds = roundsOf.get(`${peer} ${cellKey(row)}`);
        return peerRounds === undefined ? [] : [{ row, value: pairedRatio(peerRounds, row.rounds) }];
      });
      if (values.length === 0) return [];
      return [{ peer, ...group, ratio: geometricMean(values.map(({ value }) => value)), ...lowest(values) }];
    }),
  );
  const scaling = groups.flatMap(({ cell, mode, threads }) => {
    if (threads !== 2) return [];
    const values = inGroup({ cell, mode, threads: 1 }).flatMap((row) => {
      const twoThreads = roundsOf.get(`${engine} ${cellKey({ ...row, threads: 2 })}`);
      return twoThreads !== undefined && row.ms >= 1 && row.B >= 16
        ? [{ row, value: pairedRatio(row.rounds, twoThreads) }]
        : [];
    });
    if (values.length === 0) return [];
    return [{ cell, mode, factor: geometricMean(values.map(({ value }) => value)), ...lowest(values) }];
  });
  const peak = groups.flatMap((group) => {
    const values = inGroup(group).flatMap((row) =>
      row.H >= 256 && row.B >= 32 && row.ofPeak !== null ? [{ row, value: row.ofPeak }] : [],
    );
    if (values.length === 0) return [];
    return [{ ...group, share: mean(values.map(({ value }) => value)), ...lowest(values) }];
  });
  return { relativeToPeers, scaling, peak };
}

/** Formats the summary of one engine in Markdown. @param table formats one table from its header and rows */
export function summaryLines(
  rows: readonly SummaryRow[],
  engine: string,
  table: (header: string[], body: string[][]) => string[],
): string[] {
  const { relativeToPeers, scaling, peak } = summarise(rows, engine);
  const factorText = (value: number): string => value.toFixed(2);
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const section = (title: string, header: string[], body: string[][]): string[] =>
    body.length === 0 ? [] : [title, '', ...table(header, body), ''];
  return [
    ...section(
      'Speed relative to each peer, geometric mean over the rows of a cell:',
      ['peer, cell, mode, threads', 'rows', engine, 'lowest', 'lowest row'],
      relativeToPeers.map(({ peer, cell, mode, threads, rows: count, ratio, least, leastRow }) => [
        `${peer} ${cell} ${mode} ${threads}`,
        ...[String(count), factorText(ratio), factorText(least), leastRow],
      ]),
    ),
    ...section(
      'Speed on two threads relative to one, rows with B >= 16 that take 1 ms or more on one thread:',
      ['cell, mode', 'rows', 'factor', 'lowest', 'lowest row'],
      scaling.map(({ cell, mode, rows: count, factor, least, leastRow }) => [
        `${cell} ${mode}`,
        ...[String(count), factorText(factor), factorText(least), leastRow],
      ]),
    ),
    ...section(
      'Executed matrix products as a share of the measured peak, H >= 256 and B >= 32:',
      ['cell, mode, threads', 'rows', 'mean', 'lowest', 'lowest row'],
      peak.map(({ cell, mode, threads, rows: count, share, least, leastRow }) => [
        `${cell} ${mode} ${threads}`,
        ...[String(count), percent(share), percent(least), leastRow],
      ]),
    ),
  ];
}
