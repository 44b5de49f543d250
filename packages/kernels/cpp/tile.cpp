// The tile of tile.h, one instance for every shape, and the packing of its panels.
#include "tile.h"

namespace unroll::UNROLL_ISA {

// Of rows and vectors, the fewer are held in registers while the others come one at a time.
template <int M, int NV>
ALWAYS void row_of_products(const float* const (&a)[M], long k, const float* b, v (&sum)[M][NV]) {
  if constexpr (M <= NV) {
    v s[M];
    FULLY for (int r = 0; r < M; r++) s[r] = splat(a[r][k]);
    FULLY for (int j = 0; j < NV; j++) {
      const v w = load(b + (unsigned)(j * VL));
      FULLY for (int r = 0; r < M; r++) sum[r][j] = madd(s[r], w, sum[r][j]);
    }
  } else {
    v w[NV];
    FULLY for (int j = 0; j < NV; j++) w[j] = load(b + (unsigned)(j * VL));
    FULLY for (int r = 0; r < M; r++) {
      const v s = splat(a[r][k]);
      FULLY for (int j = 0; j < NV; j++) sum[r][j] = madd(s, w[j], sum[r][j]);
    }
  }
}

template <int M, int NV>
static void run(const Tile& t) {
  v sum[M][NV];
  FULLY for (int r = 0; r < M; r++) FULLY for (int j = 0; j < NV; j++) sum[r][j] = splat(0);
  const float *a[M], *b = t.b;
  const long bRow = t.bRow, K = t.k;
  if (t.aRow) {
    FULLY for (int r = 0; r < M; r++) a[r] = t.a + r * t.aRow;
    for (long k = 0; k < K; k++, b += bRow) row_of_products<M, NV>(a, k, b, sum);
  } else {
    const float* p = t.a;
    for (long k = 0; k < K; k++, b += bRow, p += M) {
      FULLY for (int r = 0; r < M; r++) a[r] = p + (unsigned)r;
      row_of_products<M, NV>(a, 0, b, sum);
    }
  }
  const float* start = t.start;
  if (start) {
    FULLY for (int r = 0; r < M; r++, start += t.startRow)
      FULLY for (int j = 0; j < NV; j++) sum[r][j] += load(start + j * VL);
  }
  float* out = t.out;
  FULLY for (int r = 0; r < M; r++, out += t.outRow) FULLY for (int j = 0; j < NV; j++) store(out + j * VL, sum[r][j]);
}

template <int NV, int M = most_rows(NV)>
ALWAYS void choose_rows(int m, const Tile& t) {
  if (m == M)
    run<M, NV>(t);
  else if constexpr (M > 1)
    choose_rows<NV, M - 1>(m, t);
}

void tile(int m, int nv, const Tile& t) {
  switch (nv) {
    case 1: return choose_rows<1>(m, t);
    case 2: return choose_rows<2>(m, t);
    case 3: return choose_rows<3>(m, t);
    default: return choose_rows<4>(m, t);
  }
}

void pack_panel(const float* B, long ldb, bool trans, int k, int column, int columns, int width, float* packed) {
  const int all = width * VL;
  if (!trans) {
    for (long i = 0; i < k; i++) {
      const float* b = B + i * ldb + column;
      float* p = packed + i * all;
      int j = 0;
      for (; j + VL <= columns; j += VL) store(p + j, load(b + j));
      if (j < columns) store(p + j, load(b + j, columns - j)), j += VL;
      for (; j < all; j += VL) store(p + j, splat(0));
    }
    return;
  }
  for (int j = 0; j < all; j += 4) {
    const float* b = B + (long)(column + j) * ldb;
    float* p = packed + j;
    long i = 0;
    if (j + 4 <= columns)
      for (; i + 4 <= k; i += 4) transpose_4x4(b + i, ldb, p + i * all, all);
    for (; i < k; i++)
      for (int c = 0; c < 4; c++) p[i * all + c] = j + c < columns ? b[c * ldb + i] : 0;
  }
}

}  // namespace unroll::UNROLL_ISA
