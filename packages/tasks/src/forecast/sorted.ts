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

/**
 * Returns the value that would be at index k after sorting, with NaN after all other values. Reorders `values`, but does not sort
 * them, which would take longer (quickselect, Hoare 1961).
 */
export function valueAtRank(values: Float64Array | Int32Array, k: number): number {
  let [first, last] = [0, moveNaNsToEnd(values) - 1];
  while (first < last && k <= last) {
    const pivot = medianOfThree(values[first], values[(first + last) >> 1], values[last]);
    let [i, j] = [first, last];
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i > j) break;
      [values[i], values[j]] = [values[j], values[i]];
      i++;
      j--;
    }
    // Now values[first..j] <= pivot <= values[i..last], and any values between j and i equal the pivot.
    if (k <= j) last = j;
    else if (k >= i) first = i;
    else break;
  }
  return values[k];
}

/** Returns the number of values that are not NaN. */
function moveNaNsToEnd(values: Float64Array | Int32Array): number {
  let count = 0;
  for (let i = 0; i < values.length; i++)
    if (!Number.isNaN(values[i])) {
      if (i > count) [values[count], values[i]] = [values[i], values[count]];
      count++;
    }
  return count;
}

const medianOfThree = (a: number, b: number, c: number): number =>
  Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
