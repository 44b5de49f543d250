// Strided copies, reductions, gather and scatter.
#include "kernels_impl.h"
#include "shape.h"
#include "vec.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

// ---------------------------------------------------------------------------------------------------------------- copy
namespace {

FORCE_INLINE void copy_row(const float* x, float* y, int n) {
  int i = 0;
  for (; i + VL <= n; i += VL) store(y + i, load(x + i));
  if (i < n) store_few(y + i, load_few(x + i, n - i), n - i);
}

// y[i*yRow + j] = x[i + j*xRow], in blocks of 32 by 32, for which x and y stay in the L1 cache. The inner blocks of 4 by 4 are
// transposed in registers.
void transpose(const float* x, long xRow, float* y, long yRow, int rows, int columns) {
  constexpr int block = 32;
  for (int i0 = 0; i0 < rows; i0 += block)
    for (int j0 = 0; j0 < columns; j0 += block) {
      const int i1 = min(i0 + block, rows), j1 = min(j0 + block, columns);
      for (long i = i0; i < i1; i += 4)
        for (long j = j0; j < j1; j += 4) {
          if (i + 4 <= i1 && j + 4 <= j1) {
            transpose_4x4(x + i + j * xRow, xRow, y + i * yRow + j, yRow);
            continue;
          }
          for (long r = i; r < i + 4 && r < i1; r++)
            for (long c = j; c < j + 4 && c < j1; c++) y[r * yRow + c] = x[r + c * xRow];
        }
    }
}

void copy(const float* x, float* y, Shape s) {
  const int last = s.rank - 1, n = s.size[last];
  const long xs = s.x[last], ys = s.y[last];
  if (ys == 1 && xs != 1 && xs != 0)
    for (int d = 0; d < last; d++)
      if (s.x[d] == 1) {
        const int rows = s.size[d];
        const long yRow = s.y[d];
        s.exchange(d, last - 1);
        s.rank -= 2;
        return s.each([&](long atX, long atY) { transpose(x + atX, xs, y + atY, yRow, rows, n); });
      }
  s.rank--;
  if (ys == 1 && xs == 1) return s.each([&](long atX, long atY) { copy_row(x + atX, y + atY, n); });
  if (ys == 1 && xs == 0) return s.each([&](long atX, long atY) { fill(y + atY, n, x[atX]); });
  s.each([&](long atX, long atY) {
    for (int i = 0; i < n; i++) y[atY + i * ys] = x[atX + i * xs];
  });
}

// Copying one float takes about as long as this many floating-point operations.
constexpr double operations_per_copy = 4;

}  // namespace

void copy_strided(const float* x, float* y, int rank, const int32_t* dims) {
  Shape s(rank, dims);
  if (s.empty()) return;
  s.sort();
  s.merge();
  double floats = 1;
  for (int d = 0; d < s.rank; d++) floats *= s.size[d];
  over_ranges(s.size[0], operations_per_copy * floats, [&](int first, int last) {
    Shape part = s;
    part.size[0] = last - first;
    copy(x + first * s.x[0], y + first * s.y[0], part);
  });
}

// -------------------------------------------------------------------------------------------------------------- reduce
namespace {

template <int op>
FORCE_INLINE v fold(v a, v x) {
  switch (op) {
    case r_sum: return a + x;
    case r_max: return select((a > x) | (a != a), a, x);
    case r_min: return select((a < x) | (a != a), a, x);
    default: return madd(x, x, a);  // r_sum_squares
  }
}
template <int op>
constexpr float neutral = op == r_max ? -__builtin_inff() : op == r_min ? __builtin_inff() : 0;
// Combines two partial results; sums of squares are added.
template <int op>
FORCE_INLINE v join(v a, v b) {
  return op == r_sum_squares ? a + b : fold<op>(a, b);
}

// Long sums are computed as a sum of sums of this many vectors, which keeps the rounding error of millions of terms small.
constexpr int terms_per_sum = 64;

template <int op>
float reduce_row(const float* x, int n) {
  v total = splat(neutral<op>);
  int i = 0;
  while (i < n) {
    v a[4] = {splat(neutral<op>), splat(neutral<op>), splat(neutral<op>), splat(neutral<op>)};
    const int end = min(n - n % VL, i + 4 * VL * terms_per_sum);
    for (; i + 4 * VL <= end; i += 4 * VL)
      UNROLL_LOOP for (int j = 0; j < 4; j++) a[j] = fold<op>(a[j], load(x + i + j * VL));
    for (; i < end; i += VL) a[0] = fold<op>(a[0], load(x + i));
    if (n - i < VL && i < n) {
      const v tail = fold<op>(splat(neutral<op>), load_few(x + i, n - i));
      a[1] = join<op>(a[1], select(lanes() < n - i, tail, splat(neutral<op>)));
      i = n;
    }
    total = join<op>(total, join<op>(join<op>(a[0], a[1]), join<op>(a[2], a[3])));
  }
  return over_lanes(total, [](v a, v b) __attribute__((always_inline)) { return join<op>(a, b); });
}

// Reduces n rows of `width` vectors of columns, of which the last vector has `edge` columns.
template <int op, int width>
FORCE_INLINE void reduce_columns(const float* x, float* y, int n, long row, int edge) {
  v total[width];
  UNROLL_LOOP for (int j = 0; j < width; j++) total[j] = splat(neutral<op>);
  for (int i = 0; i < n;) {
    v a[width];
    UNROLL_LOOP for (int j = 0; j < width; j++) a[j] = splat(neutral<op>);
    for (const int end = min(n, i + terms_per_sum); i < end; i++, x += row)
      UNROLL_LOOP for (int j = 0; j < width; j++)
        a[j] = fold<op>(a[j], j < width - 1 || edge == VL ? load(x + j * VL) : load_few(x + j * VL, edge));
    UNROLL_LOOP for (int j = 0; j < width; j++) total[j] = join<op>(total[j], a[j]);
  }
  UNROLL_LOOP for (int j = 0; j < width - 1; j++) store(y + j * VL, total[j]);
  store(y + (width - 1) * VL, total[width - 1], edge);
}

template <int op>
void reduce_all(const float* x, float* y, int outer, int n, int inner) {
  if (inner == 1) {
    for (long o = 0; o < outer; o++) y[o] = reduce_row<op>(x + o * n, n);
    return;
  }
  for (long o = 0; o < outer; o++, x += (long)n * inner, y += inner)
    over_ranges(ceil_div(inner, VL), operations_per_copy * n * inner, [&](int first, int last) {
      int i = first * VL;
      const int end = min(inner, last * VL);
      for (; i + 4 * VL <= end; i += 4 * VL) reduce_columns<op, 4>(x + i, y + i, n, inner, VL);
      for (; i < end; i += VL) reduce_columns<op, 1>(x + i, y + i, n, inner, min(end - i, VL));
    });
}

}  // namespace

void reduce(const Reduce& c) {
  const auto [op, x, y, outer, n, inner] = c;
  switch (op) {
    case r_sum: return reduce_all<r_sum>(x, y, outer, n, inner);
    case r_max: return reduce_all<r_max>(x, y, outer, n, inner);
    case r_min: return reduce_all<r_min>(x, y, outer, n, inner);
    default: return reduce_all<r_sum_squares>(x, y, outer, n, inner);
  }
}

// ------------------------------------------------------------------------------------------------------ rows of a table
void gather(const Gather& c) {
  for (long i = 0; i < c.count; i++) copy_row(c.table + (long)c.ids[i] * c.width, c.y + i * c.width, c.width);
}

void scatter_add(const ScatterAdd& c) {
  for (long i = 0; i < c.count; i++) accumulate(c.table + (long)c.ids[i] * c.width, c.g + i * c.width, c.width, 1);
}

}  // namespace unroll::UNROLL_ISA
