// What the recurrent cells share: the arrays of a sequence, packed weights, and the products over them.
//
// Weights are packed in one of two ways. By GATES: all gates of one vector of units lie side by side, so that the cell
// can be finished as soon as their sums are. By PANELS (tile.h) where a product has one column a unit.
#pragma once
#include "tile.h"

namespace unroll::UNROLL_ISA {

// ------------------------------------------------------------------------------------------------- sequences and steps
// The arguments that all cells have (see kernels.h).
struct Sequence {
  int T, B, I, H;
  float *xh, *hs;
  const float *rmask, *mask, *emit;
  float* y;
  long yT, yB;
};

// Step t of a sequence: where its arrays begin, and how h is read and written. Null where there is none.
struct Step {
  const float *x, *before, *mask, *emit, *rmask;  // x: row t of xh; before: h_{t-1} without dropout
  float *hs, *xh, *y;                             // where h_t goes
  long row, beforeRow, hsRow, yRow;

  Step(const Sequence& s, long t) {
    row = s.I + s.H, hsRow = s.H, yRow = s.yB, rmask = s.rmask;
    x = s.xh + t * s.B * row;
    xh = s.xh + (t + 1) * s.B * row + s.I;
    before = s.hs ? s.hs + t * s.B * s.H : x + s.I, beforeRow = s.hs ? s.H : row;
    hs = s.hs ? s.hs + (t + 1) * s.B * s.H : nullptr;
    mask = s.mask ? s.mask + t * s.B : nullptr, emit = s.emit ? s.emit + t * s.B : nullptr;
    y = s.y ? s.y + t * s.yT : nullptr;
  }
  // n lanes of row b from `unit` on.
  v h_before(long b, long unit, int n) const { return load(before + b * beforeRow + unit, n); }
  // As the products see it.
  v h_dropped(long b, long unit, int n) const { return load(x + b * row + row - hsRow + unit, n); }
  bool valid(long b) const { return !mask || mask[b] != 0; }
  void put_h(long b, long unit, int n, v h) const {
    if (y) store(y + b * yRow + unit, emit && emit[b] == 0 ? splat(0) : h, n);
    if (hs) store(hs + b * hsRow + unit, h, n);
    if (rmask) h *= load(rmask + b * hsRow + unit, n);
    store(xh + b * row + unit, h, n);
  }
};

// With dropout, the h part of row 0 as the products see it: xh[0][b][I..] = hs[0][b] * rmask[b].
void drop_initial(const Sequence& s, int first, int last);

// The gradients that flow backward: [B][H] from the step behind, and what the outputs add to it.
struct Gradients {
  const float* dy;
  long dyT, dyB;
  float *dh, *dhAll;
};

// The full gradient of h_t for n units of row b.
ALWAYS v gradient_of_h(const Sequence& s, const Gradients& g, long t, long b, long unit, int n) {
  const long at = t * s.B + b;
  v dh = load(g.dh + b * s.H + unit, n);
  if (g.dy && (!s.emit || s.emit[at] != 0)) dh += load(g.dy + t * g.dyT + b * g.dyB + unit, n);
  if (g.dhAll) store(g.dhAll + at * s.H + unit, dh, n);
  return dh;
}

// ----------------------------------------------------------------------------------------------------- packed by gates
// [ceil(H/VL)][G][VL] biases, then per vector of units its gates in groups of gates_together(G), [k][group][VL] each.
constexpr int gates_together(int G) { return G == 4 ? panel_vectors : G; }
constexpr int gates_size(int k, int H, int G) { return ceil_div(H, VL) * (k + 1) * G * VL; }

// The first G of `gates` gates of `units` columns each: W with I rows above U with H rows (either may have none), and
// b [gates*units] | null.
void pack_gates(int I, int H, int units, int G, int gates, const float* W, const float* U, const float* b,
                float* packed);

// The split of some rows into tiles for the products with gates.
template <int G>
struct GateTiles {
  static constexpr int group = gates_together(G), passes = G / group, width = group * VL;
  static constexpr int buffer = larger(most_rows(group) * G, accumulators) * VL;  // floats of z
  int rows, count, at_once;  // panels
  explicit GateTiles(int rows)
      : rows(rows),
        count(ceil_div(rows, most_rows(group))),
        at_once(rows ? most_panels(ceil_div(rows, count), group) : 1) {}
  int row(int i) const { return split(rows, count, i); }
  // How many vectors of units are worked on at once, where so many units are left.
  int vectors(int left) const {
    int some = larger(1, at_once / passes);
    while (some > 1 && some > ceil_div(left, VL)) some /= 2;
    return some;
  }
  // z [m][some][G][VL] = biases + products of m rows of a with the weights of `some` vectors of units from `unit` on.
  void sums(int m, int some, int k, const float* a, long aRow, const float* packed, int H, int unit, float* z) const {
    const int vector = unit / VL, panels = some * passes, together = smaller(at_once, panels);
    const long size = (long)k * width;
    const float *bias = packed + vector * G * VL, *b = packed + ceil_div(H, VL) * G * VL + vector * passes * size;
    for (int p = 0; p < panels; p += together)
      tile(m, group, together,
           {k, a, aRow, b + p * size, width, size, bias + p * width, 0, z + p * width, some * G * VL});
  }
};

// ---------------------------------------------------------------------------------------------------- packed by panels
constexpr int panels_size(int k, int n) { return ceil_div(n, VL) * VL * k; }

// b [n] | null as a row of whole vectors.
void pack_bias(int n, const float* b, float* packed);
// Panels of an [I+H][n] matrix: W [I][..] above U [H][..], ld floats between their rows.
void pack_panels(int I, int H, int n, const float* W, const float* U, long ld, float* packed);
// Panels of the transpose of U [n][k], ld floats between its rows.
void pack_transposed(int n, int k, const float* U, long ld, float* packed);

struct Factor {
  const float* a;
  long aRow;
  int k;
  const float* packed;
};

// start (one row, whole vectors, or null) + x + y for the rows [first, last), n columns. The sums of each tile go to
// finish(z, zRow, b, m, column, columns): rows b.. in z, zRow floats apart. y.k may be 0.
template <class Finish>
ALWAYS void over_panels(int n, int first, int last, const float* start, const Factor& x, const Factor& y,
                        const Finish& finish) {
  alignas(64) float z[accumulators * VL];
  const Panels panels(n);
  const int rows = last - first;
  for (int p = 0, some; p < panels.count; p += some) {
    const int nv = panels.width(p), tiles = ceil_div(rows, most_rows(nv)), column = panels.column(p);
    some = rows ? panels.together(p, ceil_div(rows, tiles)) : 1;
    const int width = nv * VL;
    const long zRow = some * width;
    for (int i = 0; i < tiles; i++) {
      const int b = first + split(rows, tiles, i), m = first + split(rows, tiles, i + 1) - b;
      const float* from = start ? start + column : nullptr;
      tile(m, nv, some,
           {x.k, x.a + b * x.aRow, x.aRow, x.packed + (long)x.k * column, width, (long)x.k * width, from, 0, z, zRow});
      if (y.k)
        tile(m, nv, some,
             {y.k, y.a + b * y.aRow, y.aRow, y.packed + (long)y.k * column, width, (long)y.k * width, z, zRow, z, zRow});
      finish(z, zRow, b, m, column, smaller(n - column, (int)zRow));
    }
  }
}

// dh = (x + y) * rmask (+ dh if `add`) for the rows [first, last) that are valid at step t: the gradient of h_{t-1} from
// that of the gates.
void back_through(const Sequence& s, long t, const Factor& x, const Factor& y, bool add, float* dh, int first, int last);

}  // namespace unroll::UNROLL_ISA
