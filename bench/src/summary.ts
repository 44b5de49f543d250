/** Summarises the results of a full run: means over rows, and the row with the lowest value. */
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

/** The rows of three tables: speed relative to each peer, scaling with threads, and share of the peak. */
export interface Summary {
  /** Relative speed: the geometric mean over the rows of a cell, and the row with the lowest ratio. */
  against: { peer: string; cell: string; mode: Mode; threads: number; rows: number; ratio: number; least: number; leastRow: string }[]; // biome-ignore format: one record
  /** Speed on two threads relative to one, for rows with B >= 16 that take 1 ms or more on one thread. */
  scaling: { cell: string; mode: Mode; rows: number; factor: number; least: number; leastRow: string }[];
  /** Executed products relative to the measured peak, for H >= 256 and B >= 32: the mean, and the lowest row. */
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

/** @param engine the engine to summarise, such as `unroll-native` */
export function summarise(rows: readonly SummaryRow[], engine: string): Summary {
  const own = rows.filter((row) => row.engine === engine);
  const peers = distinct(rows.map((row) => row.engine)).filter((name) => !name.startsWith('unroll'));
  const roundsOf = new Map(rows.map((row) => [`${row.engine} ${cellKey(row)}`, row.rounds]));
  const groups = distinct(own.map(({ cell, mode, threads }) => JSON.stringify({ cell, mode, threads }))).map(
    (key) => JSON.parse(key) as { cell: string; mode: Mode; threads: number },
  );
  const inGroup = (group: { cell: string; mode: Mode; threads: number }): SummaryRow[] =>
    own.filter(
      ({ cell, mode, threads }) => cell === group.cell && mode === group.mode && threads === group.threads,
    );
  const least = (found: readonly { row: SummaryRow; value: number }[]) => {
    const { row, value } = found.reduce((a, b) => (b.value < a.value ? b : a));
    return { least: value, leastRow: nameOf(row), rows: found.length };
  };

  const against = peers.flatMap((peer) =>
    groups.flatMap((group) => {
      const found = inGroup(group).flatMap((row) => {
        const other = roundsOf.get(`${peer} ${cellKey(row)}`);
        return other === undefined ? [] : [{ row, value: pairedRatio(other, row.rounds) }];
      });
      if (found.length === 0) return [];
      return [{ peer, ...group, ratio: geometricMean(found.map(({ value }) => value)), ...least(found) }];
    }),
  );
  const scaling = groups.flatMap(({ cell, mode, threads }) => {
    if (threads !== 2) return [];
    const found = inGroup({ cell, mode, threads: 1 }).flatMap((row) => {
      const two = roundsOf.get(`${engine} ${cellKey({ ...row, threads: 2 })}`);
      return two !== undefined && row.ms >= 1 && row.B >= 16
        ? [{ row, value: pairedRatio(row.rounds, two) }]
        : [];
    });
    if (found.length === 0) return [];
    return [{ cell, mode, factor: geometricMean(found.map(({ value }) => value)), ...least(found) }];
  });
  const peak = groups.flatMap((group) => {
    const found = inGroup(group).flatMap((row) =>
      row.H >= 256 && row.B >= 32 && row.ofPeak !== null ? [{ row, value: row.ofPeak }] : [],
    );
    if (found.length === 0) return [];
    return [{ ...group, share: mean(found.map(({ value }) => value)), ...least(found) }];
  });
  return { against, scaling, peak };
}

/** The tables in Markdown. @param table formats one table, given its header and rows */
export function summaryLines(
  rows: readonly SummaryRow[],
  engine: string,
  table: (header: string[], body: string[][]) => string[],
): string[] {
  const { against, scaling, peak } = summarise(rows, engine);
  const of = (count: number): string => `${count}`;
  const times = (value: number): string => value.toFixed(2);
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  const part = (title: string, header: string[], body: string[][]): string[] =>
    body.length === 0 ? [] : [title, '', ...table(header, body), ''];
  return [
    ...part(
      'Speed relative to each peer, geometric mean over the rows of a cell:',
      ['peer, cell, mode, threads', 'rows', `${engine}`, 'lowest', 'lowest row'],
      against.map(({ peer, cell, mode, threads, rows: count, ratio, least, leastRow }) => [
        `${peer} ${cell} ${mode} ${threads}`,
        ...[of(count), times(ratio), times(least), leastRow],
      ]),
    ),
    ...part(
      'Speed on two threads relative to one, rows with B >= 16 that take 1 ms or more on one thread:',
      ['cell, mode', 'rows', 'factor', 'lowest', 'lowest row'],
      scaling.map(({ cell, mode, rows: count, factor, least, leastRow }) => [
        `${cell} ${mode}`,
        ...[of(count), times(factor), times(least), leastRow],
      ]),
    ),
    ...part(
      'Executed products as a share of the measured peak, H >= 256 and B >= 32:',
      ['cell, mode, threads', 'rows', 'mean', 'lowest', 'lowest row'],
      peak.map(({ cell, mode, threads, rows: count, share, least, leastRow }) => [
        `${cell} ${mode} ${threads}`,
        ...[of(count), percent(share), percent(least), leastRow],
      ]),
    ),
  ];
}
