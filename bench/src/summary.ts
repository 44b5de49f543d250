/** Summarises the results of a full run: means over rows, and the worst row. */
import type { Mode } from './rows.js';
import { geometricMean, mean, pairedRatio } from './statistics.js';

/** A measured row as the JSON result has it. */
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
  /** Of each round, in the order of the turns. */
  rounds: readonly number[];
  ofPeak: number | null;
}

const placeOf = ({ cell, I, H, B, T, mode, threads }: SummaryRow): string =>
  [cell, I, H, B, T, mode, threads].join('-');
const nameOf = ({ cell, I, H, B, T, mode }: SummaryRow): string =>
  mode === 'stream' ? `${cell}-${I}-${H}` : `${cell}-${I}-${H}-${B}-${T}`;
const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** Rows of three tables: against each peer, over threads, and of the peak. */
export interface Summary {
  /** How many times as fast: the geometric mean over a cell's rows, and the row with the least. */
  against: { peer: string; cell: string; mode: Mode; threads: number; rows: number; ratio: number; least: number; at: string }[]; // biome-ignore format: one record
  /** Two threads over one, for rows of 1 ms or more on one thread with B >= 16. */
  scaling: { cell: string; mode: Mode; rows: number; factor: number; least: number; at: string }[];
  /** Executed products over the measured peak, for H >= 256 and B >= 32: mean, and the row with the least. */
  peak: {
    cell: string;
    mode: Mode;
    threads: number;
    rows: number;
    share: number;
    least: number;
    at: string;
  }[];
}

/** @param engine whose results: `unroll-native`, ... */
export function summarise(rows: readonly SummaryRow[], engine: string): Summary {
  const own = rows.filter((row) => row.engine === engine);
  const peers = distinct(rows.map((row) => row.engine)).filter((name) => !name.startsWith('unroll'));
  const roundsOf = new Map(rows.map((row) => [`${row.engine} ${placeOf(row)}`, row.rounds]));
  const groups = distinct(own.map(({ cell, mode, threads }) => JSON.stringify({ cell, mode, threads }))).map(
    (key) => JSON.parse(key) as { cell: string; mode: Mode; threads: number },
  );
  const inGroup = (group: { cell: string; mode: Mode; threads: number }): SummaryRow[] =>
    own.filter(
      ({ cell, mode, threads }) => cell === group.cell && mode === group.mode && threads === group.threads,
    );
  const least = (found: readonly { row: SummaryRow; value: number }[]) => {
    const { row, value } = found.reduce((a, b) => (b.value < a.value ? b : a));
    return { least: value, at: nameOf(row), rows: found.length };
  };

  const against = peers.flatMap((peer) =>
    groups.flatMap((group) => {
      const found = inGroup(group).flatMap((row) => {
        const other = roundsOf.get(`${peer} ${placeOf(row)}`);
        return other === undefined ? [] : [{ row, value: pairedRatio(other, row.rounds) }];
      });
      if (found.length === 0) return [];
      return [{ peer, ...group, ratio: geometricMean(found.map(({ value }) => value)), ...least(found) }];
    }),
  );
  const scaling = groups.flatMap(({ cell, mode, threads }) => {
    if (threads !== 2) return [];
    const found = inGroup({ cell, mode, threads: 1 }).flatMap((row) => {
      const two = roundsOf.get(`${engine} ${placeOf({ ...row, threads: 2 })}`);
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

/** The tables in Markdown. @param table writes one, given its header and rows */
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
      'How many times as fast, by geometric mean over the rows of a cell:',
      ['peer, cell, mode, threads', 'rows', `${engine}`, 'least row', 'there'],
      against.map(({ peer, cell, mode, threads, rows: count, ratio, least, at }) => [
        `${peer} ${cell} ${mode} ${threads}`,
        ...[of(count), times(ratio), times(least), at],
      ]),
    ),
    ...part(
      'Two threads over one, rows of 1 ms or more on one thread with B >= 16:',
      ['cell, mode', 'rows', 'factor', 'least row', 'there'],
      scaling.map(({ cell, mode, rows: count, factor, least, at }) => [
        `${cell} ${mode}`,
        ...[of(count), times(factor), times(least), at],
      ]),
    ),
    ...part(
      'Share of the measured peak, executed products, H >= 256 and B >= 32:',
      ['cell, mode, threads', 'rows', 'mean', 'least row', 'there'],
      peak.map(({ cell, mode, threads, rows: count, share, least, at }) => [
        `${cell} ${mode} ${threads}`,
        ...[of(count), percent(share), percent(least), at],
      ]),
    ),
  ];
}
