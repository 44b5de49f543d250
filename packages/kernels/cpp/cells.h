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
void drop_initial(const Sequence& s);

// Up to so many rows units are split; and the operations of a step that make up for one barrier a thread.
constexpr int rows_to_split = 8;
constexpr double enough_for_a_barrier = 8e4;

// What one thread works on: some rows of the batch and some panels of units.
struct Part {
  int first, last;  // rows
  int from, to;     // panels, and their units:
  int unit, end;
};

// body(part) for the whole of [0, B) x [0, H), one part a thread. Rows are split where there are enough: those run all
// steps without meeting. Few rows are not, as each thread would read all weights: there units are, and every thread
// must meet the others (team_barrier) before it reads what a step has made of other units.
template <class Body>
void over_parts(const Sequence& s, double operations, const Body& body) {
  const Panels panels(s.H);
  if (s.B > rows_to_split)
    return over_ranges(s.B, operations, [&](int first, int last) { body(Part{first, last, 0, panels.count, 0, s.H}); });
  const int enough = larger(1, (int)(operations / larger(1, s.T) / enough_for_a_barrier));
  // An operation takes longer where each weight serves a few rows only.
  const int threads = smaller(smaller(worthwhile_threads(1.5 * operations), enough), panels.count);
  team(threads, [&](int i) {
    const int from = split(panels.count, threads, i), to = split(panels.count, threads, i + 1);
    body(Part{0, s.B, from, to, panels.column(from), smaller(s.H, panels.column(to))});
  });
}

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

// ----------------------------------------------------------------------------------------------- inputs of many steps
// With few rows a step takes as long as its weights take to come from the second cache. Those of the inputs then come
// once for several rows: what the inputs add to the sums is made for many steps at once, in scratch memory. Up to so
// many rows of the whole batch: with more, or in narrow vectors, the arithmetic takes longer than the weights.
constexpr int few_rows = VL == 16 ? 3 : 1;
static_assert(few_rows <= rows_to_split);
// And up to rows_to_split where the weights, in floats, are more than the last cache holds.
constexpr long uncached = 4l << 20;

class Ahead {
  const Sequence& s;
  const int steps;  // made at once

  static bool wanted(const Sequence& s, long row) {
    if (s.B == 0 || row == 0) return false;
    return s.B <= few_rows || (s.B <= rows_to_split && (s.I + s.H) * row > uncached);
  }

 public:
  const long row;  // floats of one row of sums

  Ahead(const Sequence& s, int row)
      : s(s), steps(wanted(s, row) ? (int)(scratch_floats() / ((long)s.B * row)) : 0), row(row) {}
  // The sums of step t; null where each step takes its inputs together with h. To be asked for every step in turn.
  // make(n, x, out) makes the sums of n rows of inputs.
  template <class Make>
  const float* at(long t, const Make& make) const {
    if (steps == 0) return nullptr;
    float* sums = scratch();
    if (t % steps == 0) make(s.B * smaller(steps, s.T - (int)t), s.xh + t * s.B * (s.I + s.H), sums);
    return sums + t % steps * s.B * row;
  }
};

// ----------------------------------------------------------------------------------------------------- packed by gates
// [ceil(H/VL)][G][VL] biases, then per vector of units its gates in groups of gates_together(G), [k][group][VL] each:
// weights of 32 bits, or of 16.
constexpr int gates_together(int G) { return G == 4 ? panel_vectors : G; }
// In floats.
template <class Weight = float>
constexpr int gates_size(int k, int H, int G) {
  return ceil_div(H, VL) * G * VL + (int)(ceil_div(H, VL) * (long)k * G * VL * sizeof(Weight) / sizeof(float));
}

// The first G of `gates` gates of `units` columns each: W with I rows above U with H rows (either may have none), and
// b [gates*units] | null.
template <class Weight = float>
void pack_gates(int I, int H, int units, int G, int gates, const float* W, const float* U, const float* b,
                float* packed) {
  const long row = (long)gates * units;
  const int group = gates_together(G);
  for (int unit = 0; unit < units; unit += VL)
    for (int g = 0; g < G; g++, packed += VL)
      store(packed, b ? load(b + (long)g * units + unit, smaller(units - unit, VL)) : splat(0));
  Weight* to = (Weight*)packed;
  for (int unit = 0; unit < units; unit += VL)
    for (int first = 0; first < G; first += group)
      for (long k = 0; k < I + H; k++) {
        const float* w = k < I ? W + k * row : U + (k - I) * row;
        for (int g = first; g < first + group; g++, to += VL)
          store(to, load(w + (long)g * units + unit, smaller(units - unit, VL)));
      }
}

// Rows [from, from + k) of weights packed by gates, whose panels hold `depth` rows.
template <class Weight = float>
struct GateRows {
  const float* packed;
  int H, depth, from, k;
  int H_padded() const { return ceil_div(H, VL) * VL; }
  const Weight* panels(int G) const {
    return (const Weight*)(packed + H_padded() * G) + (long)from * gates_together(G) * VL;
  }
};

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
  // How many vectors of units are worked on at once, where so many are left.
  int vectors(int left) const {
    int some = larger(1, at_once / passes);
    while (some > left) some /= 2;
    return some;
  }
  // z [m][some][G][VL] = start + products of m rows of a with the weights of `some` vectors of units from `unit` on.
  // start: one row of biases (startRow 0) or a row each, of all units; z's rows are zRow floats apart.
  template <class Weight>
  void sums(int m, int some, const float* a, long aRow, const GateRows<Weight>& w, int unit, const float* start,
            long startRow, float* z, long zRow) const {
    const int vector = unit / VL, panels = some * passes, together = smaller(at_once, panels);
    const long size = (long)w.depth * width;
    const Weight* b = w.panels(G) + vector * passes * size;
    start += vector * G * VL;
    for (int p = 0; p < panels; p += together)
      tile(m, group, together,
           TileOf<Weight>{w.k, a, aRow, b + p * size, width, size, start + p * width, startRow, z + p * width, zRow});
  }
};

// The sums of n rows of a for units [unit, end): out [n][ceil(H/VL)][G][VL] = biases + products.
template <int G, class Weight>
void gate_sums(int n, const float* a, long aRow, const GateRows<Weight>& w, int unit, int end, float* out, long outRow) {
  const GateTiles<G> tiles(n);
  for (int some; unit < end; unit += some * VL) {
    some = tiles.vectors(ceil_div(end - unit, VL));
    for (int i = 0; i < tiles.count; i++) {
      const long row = tiles.row(i);
      tiles.sums(tiles.row(i + 1) - tiles.row(i), some, a + row * aRow, aRow, w, unit, w.packed, 0,
                 out + row * outRow + unit * G, outRow);
    }
  }
}

// body(unit, some) for the units of a part, `some` vectors at once. Every other step goes from the end to the start: the
// weights that the step before used last are still in the caches.
template <int G, class Body>
ALWAYS void over_units(const GateTiles<G>& tiles, const Part& part, long t, const Body& body) {
  for (int done = 0, left = ceil_div(part.end - part.unit, VL), some; left > 0; done += some) {
    some = tiles.vectors(left);
    left -= some;
    body(part.unit + (t % 2 ? left : done) * VL, some);
  }
}

// call(Weight()) for weights of 32 or of 16 bits.
template <class Call>
ALWAYS auto with_weights([[maybe_unused]] int halves, const Call& call) {
#if UNROLL_HALVES
  if (halves) return call(half());
#endif
  return call(float());
}

// ---------------------------------------------------------------------------------------------------- packed by panels
constexpr int panels_size(int k, int n) { return ceil_div(n, VL) * VL * k; }

// b [n] | null as a row of whole vectors.
void pack_bias(int n, const float* b, float* packed);
// Panels of an [I+H][n] matrix: W [I][..] above U [H][..], ld floats between their rows.
void pack_panels(int I, int H, int n, const float* W, const float* U, long ld, float* packed);
// Panels of the transpose of U [n][k], ld floats between its rows.
void pack_transposed(int n, int k, const float* U, long ld, float* packed);

// k numbers of each row of a, times rows [from, from + k) of panels that hold `depth` rows (0: just those k).
struct Factor {
  const float* a;
  long aRow;
  int k;
  const float* packed;
  int from = 0, depth = 0;
  const float* panel(int column, int width) const { return packed + panel_size(column) + (long)from * width; }
  long panel_size(int columns) const { return (long)(depth ? depth : k) * columns; }
};

// Rows of whole vectors that sums are added to: none, one for all (row 0) or one each.
struct Start {
  const float* at;
  long row = 0;
};

// start + x + y for the rows and the panels (of n columns) of a part. The sums of each tile go to finish(z, zRow, b, m,
// column, columns): rows b.. in z, zRow floats apart. y.k may be 0.
template <class Finish>
ALWAYS void over_panels(int n, const Part& part, const Start& start, const Factor& x, const Factor& y,
                        const Finish& finish) {
  alignas(64) float z[accumulators * VL];
  const Panels panels(n);
  const int rows = part.last - part.first;
  for (int p = part.from, some; p < part.to; p += some) {
    const int nv = panels.width(p), tiles = ceil_div(rows, most_rows(nv)), column = panels.column(p);
    some = rows ? panels.together(p, part.to, ceil_div(rows, tiles)) : 1;
    const int width = nv * VL;
    const long zRow = some * width;
    for (int i = 0; i < tiles; i++) {
      const int b = part.first + split(rows, tiles, i), m = part.first + split(rows, tiles, i + 1) - b;
      const float* from = start.at ? start.at + b * start.row + column : nullptr;
      const auto product = [&](const Factor& f, const float* start, long startRow) __attribute__((always_inline)) {
        const float *a = f.a + b * f.aRow, *panel = f.panel(column, width);
        tile(m, nv, some, {f.k, a, f.aRow, panel, width, f.panel_size(width), start, startRow, z, zRow});
      };
      product(x, from, start.row);
      if (y.k) product(y, z, zRow);
      finish(z, zRow, b, m, column, smaller(n - column, (int)zRow));
    }
  }
}

// out [n][..] = start + x for the panels of a part, in whole vectors.
void panel_sums(int columns, int n, const Part& part, const float* start, const Factor& x, float* out, long outRow);

// dh = (x + y) * rmask (+ dh if `add`) for the rows of a part that are valid at step t: the gradient of h_{t-1} from
// that of the gates.
void back_through(const Sequence& s, long t, const Factor& x, const Factor& y, bool add, float* dh, const Part& part);

}  // namespace unroll::UNROLL_ISA
