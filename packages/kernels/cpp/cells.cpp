// The functions that all recurrent cells use; cells.h and kernels.h describe them.
#include "cells.h"

namespace unroll::UNROLL_ISA {

void clear_masked(const Forward& s) {
  if (!s.mask || s.x) return;
  const int K = s.I + s.H;
  float* x = s.xh;
  for (long i = 0; i < (long)s.T * s.B; i++, x += K)
    if (s.mask[i] == 0) fill(x, s.I, 0);
}

void copy_inputs(const Forward& s, long t, const Part& part) {
  if (!s.x) return;
  const int K = s.I + s.H, rows = part.last - part.first;
  const int32_t dims[] = {rows, s.I, s.T * s.I, 1, K, 1};
  const float* x = s.x + ((long)part.first * s.T + (s.back ? s.T - 1 - t : t)) * s.I;
  copy_strided(x, row_of(s, t) + (long)part.first * K, 2, dims);
}

#if UNROLL_FLOAT16
// Returns the number of weights from which float16 is faster (see kernels.h); 0: never. It is not faster if the weights fit in
// the L2 cache (one row) or in the last-level cache (a few rows), or if there are so many rows that the arithmetic takes longer
// than loading the weights.
int float16_from(int rows) { return rows == 1 ? 1 << 17 : rows <= rows_to_split ? max_cached_weights : 0; }
#else
int float16_from(int) { return 0; }
#endif

void pack_bias(int n, const float* b0, const float* b1, float* packed) {
  for (int i = 0; i < n; i += VL) {
    const int count = min(n - i, VL);
    const v first = b0 ? load(b0 + i, count) : splat(0);
    store(packed + i, b1 ? first + load(b1 + i, count) : first);
  }
}

void pack_transposed(int n, int k, const float* U, long ld, float* packed) {
  const Panels panels(n);
  for (int p = 0; p < panels.count; p++) {
    pack_panel_transposed(U, ld, k, panels.column(p), panels.columns(p), panels.width(p), packed);
    packed += (long)k * panels.width(p) * VL;
  }
}

template <class Weight>
void panel_sums(int columns, int n, const Part& part, const float* start, const PanelProduct<Weight>& x, float* out,
                long outRow) {
  const Part rows = {0, n, part.from, part.to, part.unit, part.end};
  over_panels(columns, rows, 0, {Sum<Weight>{{start}, x}},
              [&](const float* z, long zRow, long row, int m, int column, int) {
                for (int r = 0; r < m; r++, row++, z += zRow)
                  for (int j = 0; j < zRow; j += VL) store(out + row * outRow + column + j, load(z + j));
              });
}

template void panel_sums(int, int, const Part&, const float*, const PanelProduct<>&, float*, long);
#if UNROLL_FLOAT16
template void panel_sums(int, int, const Part&, const float*, const PanelProduct<half>&, float*, long);
#endif

void compute_state_gradient(const Steps& s, long t, const PanelProduct<>& x, const PanelProduct<>& y, bool add, float* dh,
                            const Part& part) {
  const float *mask = s.mask ? s.mask + t * s.B : nullptr, *rmask = s.rmask;
  over_panels(s.H, part, t, {Sum<>{{}, x, y}}, [&](const float* z, long zRow, long b, int m, long column, int columns) {
    for (int r = 0; r < m; r++, b++, z += zRow) {
      if (mask && mask[b] == 0) continue;
      const long at = b * s.H + column;
      for (int j = 0; j < columns; j += VL) {
        const int n = min(columns - j, VL);
        v sum = load(z + j);
        if (rmask) sum *= load(rmask + at + j, n);
        if (add) sum += load(dh + at + j, n);
        store(dh + at + j, sum, n);
      }
    }
  });
}

}  // namespace unroll::UNROLL_ISA
