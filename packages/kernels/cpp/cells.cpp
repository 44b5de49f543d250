// What the recurrent cells share: see cells.h.
#include "cells.h"

namespace unroll::UNROLL_ISA {

void pack_gates(int I, int H, int G, const float* W, const float* U, const float* b, float* packed) {
  const long row = (long)G * H;
  for (int unit = 0; unit < H; unit += VL) {
    const int n = smaller(H - unit, VL);
    for (int g = 0; g < G; g++, packed += VL) store(packed, b ? load(b + (long)g * H + unit, n) : splat(0));
    for (int first = 0; first < G; first += panel_vectors)
      for (long k = 0; k < I + H; k++) {
        const float* w = (k < I ? W + k * row : U + (k - I) * row) + unit;
        for (int g = first; g < G && g < first + panel_vectors; g++, packed += VL) store(packed, load(w + (long)g * H, n));
      }
  }
}

int transposed_size(int H, int G) { return G * H * ceil_div(H, VL) * VL; }

void pack_transposed(int H, int G, const float* U, float* packed) {
  const Panels panels(H);
  for (int p = 0; p < panels.count; p++) {
    pack_panel(U, (long)G * H, true, G * H, panels.column(p), panels.columns(p), panels.width(p), packed);
    packed += (long)G * H * panels.width(p) * VL;
  }
}

void times_transposed(int H, int G, const float* packed, const float* dG, long dGRow, const float* rmask,
                      const float* mask, float* dh, const float* carry, int first, int last) {
  alignas(64) float z[accumulators * VL];
  const Panels panels(H);
  for (int p = 0; p < panels.count; p++) {
    const int nv = panels.width(p), column = panels.column(p), columns = panels.columns(p), rows = last - first;
    const int tiles = ceil_div(rows, most_rows(nv));
    for (int i = 0; i < tiles; i++) {
      const int b = first + split(rows, tiles, i), m = first + split(rows, tiles, i + 1) - b;
      tile(m, nv, {G * H, dG + b * dGRow, dGRow, packed, nv * VL, nullptr, 0, z, nv * VL});
      for (int r = 0; r < m; r++) {
        if (mask && mask[b + r] == 0) continue;
        const long at = (long)(b + r) * H + column;
        for (int j = 0; j < columns; j += VL) {
          const int n = smaller(columns - j, VL);
          v x = load(z + r * nv * VL + j);
          if (rmask) x *= load(rmask + at + j, n);
          if (carry) x += load(carry + at + j, n);
          store(dh + at + j, x, n);
        }
      }
    }
    packed += (long)G * H * nv * VL;
  }
}

void drop_initial(int I, int H, const float* hs, const float* rmask, float* xh, int first, int last) {
  for (long b = first; b < last; b++)
    for (int u = 0; u < H; u += VL) {
      const int n = smaller(H - u, VL);
      store(xh + b * (I + H) + I + u, load(hs + b * H + u, n) * load(rmask + b * H + u, n), n);
    }
}

}  // namespace unroll::UNROLL_ISA
