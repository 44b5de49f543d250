/** Intervals from the quantiles of several networks: their means. */
import type { Intervals } from './calibration.js';

/** The quantiles that intervals of these levels need: the median, then both ends of each. */
export const askedLevels = (levels: readonly number[]): number[] => [
  0.5,
  ...levels.flatMap((level) => [(1 - level) / 2, (1 + level) / 2]),
];

/** The mean over the networks of [network][origin][asked level], for each of `count` origins. */
export function intervalsOf(
  each: readonly Float64Array[][][],
  count: number,
  levels: readonly number[],
): Intervals[] {
  return Array.from({ length: count }, (_, n) => {
    const [median, ...ends] = askedLevels(levels).map((__, q) =>
      meanOf(each.map((quantiles) => quantiles[n]![q]!)),
    );
    return {
      median: median!,
      lower: ends.filter((__, i) => i % 2 === 0),
      upper: ends.filter((__, i) => i % 2 === 1),
    };
  });
}

function meanOf(arrays: readonly Float64Array[]): Float64Array {
  return arrays[0]!.map((_, k) => arrays.reduce((sum, array) => sum + array[k]!, 0) / arrays.length);
}
