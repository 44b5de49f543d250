// The linear scan h_t = a_t*h' + b_t and its gradient. Each is one pass over the sequence, vectorised over the units.
#include "kernels_impl.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

// Calls body(row, column, count) for the columns [column, column + count) of every sequence. Threads split the sequences;
// if there are fewer sequences than threads, threads also split the columns.
template <class Body>
void over_columns(const Scan& c, double cost, const Body& body) {
  const int width = c.B < parallel_threads() ? 4 * VL : max(c.H, 1), blocks = ceil_div(c.H, width);
  over_ranges(c.B * blocks, cost * c.B * c.T * c.H, [&](int first, int last) {
    for (int i = first; i < last; i++) {
      const int column = i % blocks * width;
      body(i / blocks, column, min(width, c.H - column));
    }
  });
}

// Calls body(i, n) for the vectors of [0, count): n elements from i on.
template <class Body>
FORCE_INLINE void over_vectors(int count, const Body& body) {
  int i = 0;
  for (; i + VL <= count; i += VL) body(i, VL);
  if (i < count) body(i, count - i);
}

FORCE_INLINE v load_or_zero(const float* p, int i, int n) { return p ? load(p + i, n) : splat(0); }

FORCE_INLINE bool is_valid(const Scan& c, int row, int t) { return !c.mask || c.mask[(long)row * c.T + t] != 0; }

}  // namespace

void linear_scan(const LinearScan& c) {
  over_columns(c, 8, [&](int row, int column, int count) {
    const float* before = c.h0 ? c.h0 + (long)row * c.H + column : nullptr;
    for (int step = 0; step < c.T; step++) {
      const int t = c.back ? c.T - 1 - step : step;
      const long at = ((long)row * c.T + t) * c.H + column;
      const float *a = c.a + at, *b = c.b + at;
      float* h = c.h + at;
      if (is_valid(c, row, t))
        over_vectors(count, [&](int i, int n) __attribute__((always_inline)) {
          store(h + i, madd(load(a + i, n), load_or_zero(before, i, n), load(b + i, n)), n);
        });
      else
        over_vectors(count, [&](int i, int n) __attribute__((always_inline)) {
          store(h + i, load_or_zero(before, i, n), n);
        });
      before = h;
    }
  });
}

void linear_scan_backward(const LinearScanBackward& c) {
  over_columns(c, 16, [&](int row, int column, int count) {
    float* dh = c.dh + (long)row * c.H + column;  // the gradient of the state after the step
    for (int step = c.T - 1; step >= 0; step--) {
      const int t = c.back ? c.T - 1 - step : step;
      const long at = ((long)row * c.T + t) * c.H + column, previous = at + (c.back ? c.H : -c.H);
      const float* before = step ? c.h + previous : c.h0 ? c.h0 + (long)row * c.H + column : nullptr;
      const float *a = c.a + at, *dy = c.dy ? c.dy + at : nullptr;
      float *da = c.da + at, *db = c.db + at;
      if (is_valid(c, row, t))
        over_vectors(count, [&](int i, int n) __attribute__((always_inline)) {
          const v g = load(dh + i, n) + load_or_zero(dy, i, n);
          store(da + i, g * load_or_zero(before, i, n), n);
          store(db + i, g, n);
          store(dh + i, g * load(a + i, n), n);
        });
      else
        over_vectors(count, [&](int i, int n) __attribute__((always_inline)) {
          store(da + i, splat(0), n);
          store(db + i, splat(0), n);
          store(dh + i, load(dh + i, n) + load_or_zero(dy, i, n), n);
        });
    }
  });
}

}  // namespace unroll::UNROLL_ISA
