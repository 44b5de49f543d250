// The largest elements of each row. A sorted list of the best elements so far is kept; whole blocks of vectors are compared
// with its last element at once, so that the time is nearly that of reading the row.
#include "kernels_impl.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

// The order of results: NaN before numbers, then larger before smaller.
FORCE_INLINE bool ranks_before(float a, float b) { return a != a ? b == b : a > b; }

// Inserts x after all elements that rank before x or are equal to it. `index` must be larger than all indices in the
// list. If the list is full (count == k), its last element is dropped. Returns the new number of elements.
NOINLINE int insert(float* values, float* indices, int count, int k, float x, int index) {
  int at = count;
  if (count == k) {
    if (!ranks_before(x, values[k - 1])) return count;
    at = k - 1;
  } else {
    count++;
  }
  for (; at > 0 && ranks_before(x, values[at - 1]); at--) values[at] = values[at - 1], indices[at] = indices[at - 1];
  values[at] = x, indices[at] = (float)index;
  return count;
}

// Returns whether any element of the `vectors` vectors at x is greater than the limit, or NaN.
template <int vectors>
FORCE_INLINE bool any_above(const float* x, v limit) {
  vi above = {};
  UNROLL_LOOP for (int i = 0; i < vectors; i++) above |= ~(load(x + i * VL) <= limit);
  return sum_lanes(select(above, splat(1), splat(0))) > 0;
}

void row(const float* x, int n, int k, float* values, float* indices) {
  constexpr int vectors = 4, block = vectors * VL;
  int i = 0, count = 0;
  for (; count < k; i++) count = insert(values, indices, count, k, x[i], i);
  for (; i + block <= n; i += block) {
    if (!any_above<vectors>(x + i, splat(values[k - 1]))) continue;
    for (int j = i; j < i + block; j++) insert(values, indices, k, k, x[j], j);
  }
  for (; i < n; i++) insert(values, indices, k, k, x[i], i);
}

}  // namespace

void top_k(const TopK& c) {
  over_ranges(c.rows, 2.0 * c.rows * c.n, [&](int first, int last) {
    for (int r = first; r < last; r++)
      row(c.x + (long)r * c.n, c.n, c.k, c.values + (long)r * c.k, c.indices + (long)r * c.k);
  });
}

}  // namespace unroll::UNROLL_ISA
