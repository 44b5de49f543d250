/** Returns the positions of a list of grid indices in ascending order of the indices (counting sort). */
export function sortedByIndex(index: ArrayLike<number>): Int32Array {
  const count = index.length;
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let n = 0; n < count; n++) {
    first = Math.min(first, index[n]);
    last = Math.max(last, index[n]);
  }
  const starts = new Int32Array(count === 0 ? 0 : last - first + 2);
  for (let n = 0; n < count; n++) starts[index[n] - first + 1]++;
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1];
  const result = new Int32Array(count);
  for (let n = 0; n < count; n++) result[starts[index[n] - first]++] = n;
  return result;
}
