// Layer normalisation of rows, and its gradient.
#include "kernels_impl.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

// Calls body(i, n) for the vectors of [0, count): n elements from i on.
template <class Body>
FORCE_INLINE void over_vectors(int count, const Body& body) {
  int i = 0;
  for (; i + VL <= count; i += VL) body(i, VL);
  if (i < count) body(i, count - i);
}

// Returns the first n lanes of x; the others are 0.
FORCE_INLINE v first_lanes(v x, int n) { return n == VL ? x : select(lanes() < n, x, splat(0)); }

FORCE_INLINE v load_or(const float* p, int i, int n, float otherwise) { return p ? load(p + i, n) : splat(otherwise); }

}  // namespace

void layer_norm(const LayerNorm& c) {
  over_ranges(c.rows, 12.0 * c.rows * c.n, [&](int first, int last) {
    for (int r = first; r < last; r++) {
      const float* x = c.x + (long)r * c.n;
      float* y = c.y + (long)r * c.n;
      v sum = splat(0);
      over_vectors(c.n, [&](int i, int n) __attribute__((always_inline)) { sum += load(x + i, n); });
      const float mean = sum_lanes(sum) / c.n;
      v squares = splat(0);
      over_vectors(c.n, [&](int i, int n) __attribute__((always_inline)) {
        const v d = first_lanes(load(x + i, n) - mean, n);
        squares += d * d;
      });
      const v deviation = sqrt(splat(sum_lanes(squares) / c.n + c.epsilon));
      const float scale = 1.f / deviation[0];
      over_vectors(c.n, [&](int i, int n) __attribute__((always_inline)) {
        const v normal = (load(x + i, n) - mean) * scale;
        store(y + i, normal * load_or(c.gamma, i, n, 1) + load_or(c.beta, i, n, 0), n);
      });
      if (c.statistics) c.statistics[2l * r] = mean, c.statistics[2l * r + 1] = scale;
    }
  });
}

void layer_norm_backward(const LayerNormBackward& c) {
  if (c.dx) {
    over_ranges(c.rows, 16.0 * c.rows * c.n, [&](int first, int last) {
      for (int r = first; r < last; r++) {
        const long at = (long)r * c.n;
        const float mean = c.statistics[2l * r], scale = c.statistics[2l * r + 1];
        v total = splat(0), projected = splat(0);
        over_vectors(c.n, [&](int i, int n) __attribute__((always_inline)) {
          const v g = load(c.dy + at + i, n) * load_or(c.gamma, i, n, 1);
          total += g, projected += g * (load(c.x + at + i, n) - mean);
        });
        const float mean_part = sum_lanes(total) / c.n, scale_part = sum_lanes(projected) * scale * scale / c.n;
        over_vectors(c.n, [&](int i, int n) __attribute__((always_inline)) {
          const v g = load(c.dy + at + i, n) * load_or(c.gamma, i, n, 1);
          store(c.dx + at + i, (g - mean_part - (load(c.x + at + i, n) - mean) * scale_part) * scale, n);
        });
      }
    });
  }
  if (!c.dgamma && !c.dbeta) return;
  // Every thread takes a range of columns and adds the rows in order.
  over_ranges(ceil_div(c.n, VL), 4.0 * c.rows * c.n, [&](int first, int last) {
    for (int column = first * VL; column < min(last * VL, c.n); column += VL) {
      const int n = min(c.n - column, VL);
      v gamma = splat(0), beta = splat(0);
      for (int r = 0; r < c.rows; r++) {
        const long at = (long)r * c.n + column;
        const v g = load(c.dy + at, n);
        gamma += g * ((load(c.x + at, n) - c.statistics[2l * r]) * c.statistics[2l * r + 1]), beta += g;
      }
      if (c.dgamma) store(c.dgamma + column, gamma, n);
      if (c.dbeta) store(c.dbeta + column, beta, n);
    }
  });
}

}  // namespace unroll::UNROLL_ISA
