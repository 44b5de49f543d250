/** Intervals from the quantiles of several networks: their means. */
import type { Intervals } from './calibration.js';
import type { Head } from './heads.js';

/** A quantile, or the mean. */
export type Asked = number | 'mean';

/** What intervals of these levels need: the median, then both ends of each; the mean, from a head that has one. */
export const askedOf = (levels: readonly number[], { mean }: Pick<Head, 'mean'>): Asked[] => [
  0.5,
  ...levels.flatMap((level) => [(1 - level) / 2, (1 + level) / 2]),
  ...(mean === undefined ? [] : ['mean' as const]),
];

/** The mean over the networks of [network][origin][asked], for each of `count` origins. */
export function intervalsOf(
  each: readonly Float64Array[][][],
  count: number,
  levels: readonly number[],
): Intervals[] {
  return Array.from({ length: count }, (_, n) => {
    const [median, ...rest] = each[0][n].map((__, q) => meanOf(each.map((asked) => asked[n][q])));
    const ends = rest.slice(0, 2 * levels.length);
    const mean = rest[2 * levels.length];
    return {
      median: median,
      lower: ends.filter((__, i) => i % 2 === 0),
      upper: ends.filter((__, i) => i % 2 === 1),
      ...(mean && { mean }),
    };
  });
}

function meanOf(arrays: readonly Float64Array[]): Float64Array {
  return arrays[0].map((_, k) => arrays.reduce((sum, array) => sum + array[k], 0) / arrays.length);
}
