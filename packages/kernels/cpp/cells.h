// What the recurrent cells share: the arrays of a sequence, packed weights, and the products over them.
//
// Weights are packed by PANELS (tile.h): each gate has its own, several vectors of units wide. The sums of all gates of the
// same units are computed one after another, and the cell uses them while they are in the L1 cache. (The LSTM uses
// another layout, see lstm.cpp.)
#pragma once
#include "kernels_impl.h"
#include "tile.h"

namespace unroll::UNROLL_ISA {

// ------------------------------------------------------------------------------------------------- sequences and steps
// Row t of xh.
FORCE_INLINE float* row_of(const Forward& s, long t) { return s.xh + (s.x ? t & 1 : t) * s.B * (s.I + s.H); }
FORCE_INLINE float* row_of(const GruBackward& s, long t) { return (float*)s.xh + t * s.B * (s.I + s.H); }

// Step t of a sequence: where its arrays begin, and how h is read and written. Null where there is none.
struct Step {
  const float *x, *before, *mask, *output_mask, *rmask;  // x: row t of xh; before: h_{t-1} without dropout
  float *hs, *xh, *y;                             // where h_t goes
  long row, beforeRow, hsRow, yRow;

  template <class Call>
  Step(const Call& s, long t) {
    row = s.I + s.H, hsRow = s.H, rmask = s.rmask;
    x = row_of(s, t);
    xh = row_of(s, t + 1) + s.I;
    before = s.hs ? s.hs + t * s.B * s.H : x + s.I, beforeRow = s.hs ? s.H : row;
    hs = s.hs ? (float*)s.hs + (t + 1) * s.B * s.H : nullptr;
    mask = s.mask ? s.mask + t * s.B : nullptr, output_mask = s.output_mask ? s.output_mask + t * s.B : nullptr;
    if constexpr (requires { s.y; })
      y = s.y ? s.y + t * s.yT : nullptr, yRow = s.yB;
    else
      y = nullptr, yRow = 0;
  }
  // n lanes of row b from `unit` on.
  v h_before(long b, long unit, int n) const { return load(before + b * beforeRow + unit, n); }
  // As the products see it.
  v h_dropped(long b, long unit, int n) const { return load(x + b * row + row - hsRow + unit, n); }
  bool valid(long b) const { return !mask || mask[b] != 0; }
  void put_h(long b, long unit, int n, v h) const {
    if (y) store(y + b * yRow + unit, output_mask && output_mask[b] == 0 ? splat(0) : h, n);
    if (hs) store(hs + b * hsRow + unit, h, n);
    if (rmask) h *= load(rmask + b * hsRow + unit, n);
    store(xh + b * row + unit, h, n);
  }
};

// Before the first step: inputs of masked steps become 0, so that a NaN there does not reach the gradients of weights as
// 0 * NaN.
void clear_masked(const Forward& s);

// With up to rows_to_split rows, threads split the units. A thread more costs a barrier in each step, which pays from
// enough_for_a_barrier operations on.
constexpr double enough_for_a_barrier = 8e4;

// What one thread works on: some rows of the batch and some panels of units.
struct Part {
  int first, last;  // rows
  int from, to;     // panels, and their units:
  int unit, end;
};

// Copies the inputs of step t, for the rows of a part, if s.x is given.
void take_inputs(const Forward& s, long t, const Part& part);

// body(part) for the whole of [0, B) x [0, H), one part a thread. Rows are split where there are enough: those run all
// steps without synchronising. With few rows each thread would read all weights, so the units are split instead. Then
// every thread waits for the others (team_barrier) before it reads the results of other units.
template <class Body>
void over_parts(const Steps& s, double operations, const Body& body) {
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

// The full gradient of h_t for n units of row b.
FORCE_INLINE v gradient_of_h(const Backward& s, long t, long b, long unit, int n) {
  const long at = t * s.B + b;
  v dh = load(s.dh + b * s.H + unit, n);
  if (s.dy && (!s.output_mask || s.output_mask[at] != 0)) dh += load(s.dy + t * s.dyT + b * s.dyB + unit, n);
  if (s.dhAll) store(s.dhAll + at * s.H + unit, dh, n);
  return dh;
}

// ----------------------------------------------------------------------------------------------------- packed weights
// Packed weights begin with a header that says their WeightFormat: one number, and padding that keeps the weights aligned.
constexpr int header = 16;
FORCE_INLINE int format_of(const float* packed) { return (int)packed[0]; }

// What each cell packs after the header, for forward and for backward: see pack.cpp, which calls them.
int rnn_size(int I, int H, int format);
int lstm_size(int I, int H, int format);
int gru_size(int I, int H, int format);
int gru_before_size(int I, int H, int format);
void rnn_pack(const Pack& p, float* packed);
void lstm_pack(const Pack& p, float* packed);
void gru_pack(const Pack& p, float* packed);
void gru_before_pack(const Pack& p, float* packed);
int rnn_backward_size(int H);
int lstm_backward_size(int H);
int gru_backward_size(int H);
void rnn_pack_backward(int H, const float* U, float* packed);
void lstm_pack_backward(int H, const float* U, float* packed);
void gru_pack_backward(int H, const float* U, float* packed);

// ----------------------------------------------------------------------------------------------- inputs of many steps
// With few rows the time of a step is the time to load its weights from the L2 cache. The products of the inputs are then
// computed for many steps at once, in scratch memory, so that their weights are loaded once for all of these steps.
// few_rows is the largest batch that gains: with more rows, or narrow vectors, the arithmetic takes longer than loading.
constexpr int few_rows = VL == 16 ? 3 : 1;
static_assert(few_rows <= rows_to_split);
// With more weights than this (in floats) the last-level cache does not hold them, and up to rows_to_split rows gain.
constexpr long uncached = 4l << 20;

class Ahead {
  const Forward& s;
  const int steps;  // computed at once

  static bool wanted(const Forward& s, long row) {
    if (s.B == 0 || row == 0) return false;
    return s.B <= few_rows || (s.B <= rows_to_split && (s.I + s.H) * row > uncached);
  }

 public:
  const long row;  // floats of one row of sums

  Ahead(const Forward& s, int row)
      : s(s), steps(wanted(s, row) ? (int)(scratch_floats() / ((long)s.B * row)) : 0), row(row) {}
  // The sums of step t; null if each step multiplies its inputs together with h. Call it for every step in order.
  // make(n, x, out) computes the sums of n rows of inputs.
  template <class Make>
  const float* at(long t, const Make& make) const {
    if (steps == 0) return nullptr;
    float* sums = scratch();
    if (t % steps == 0) make(s.B * smaller(steps, s.T - (int)t), s.xh + t * s.B * (s.I + s.H), sums);
    return sums + t % steps * s.B * row;
  }
};

// call(float()) or call(half()): the one place that knows which type stores which WeightFormat.
template <class Call>
FORCE_INLINE auto with_weights(int format, const Call& call) {
#if UNROLL_FLOAT16
  if (format == w_float16) return call(half());
#endif
  return call(float());
}
// Whether the activations are those that most models have, and that the cells have code of their own for.
FORCE_INLINE bool standard_activations(int act, int ract) { return act == a_tanh && ract == a_sigmoid; }

// An activation is a long chain of dependent operations. With narrow vectors it is faster to compute the standard gates of
// a whole tile before its cells, because more chains overlap. With wide vectors the extra stores cancel the gain.
constexpr bool gates_first = VL == 4;

// ------------------------------------------------------------------------------------------------- products by panels
// In floats.
template <class Weight = float>
constexpr int panels_size(int k, int n) {
  return (int)(whole_vectors(n) * (long)k * sizeof(Weight) / sizeof(float));
}

// b [n] | null, plus another, as a row of whole vectors.
void pack_bias(int n, const float* b, const float* plus, float* packed);
// Panels of n columns and of the rows of several matrices, one below another; ld floats between rows.
struct Matrix {
  const float* at;
  int count;
};
template <int N, class Weight>
void pack_panels(int n, long ld, const Matrix (&rows)[N], Weight* packed) {
  const Panels panels(n);
  for (int p = 0; p < panels.count; p++)
    for (const Matrix& r : rows) {
      pack_panel(r.at, ld, r.count, panels.column(p), panels.columns(p), panels.width(p), packed);
      packed += (long)r.count * panels.width(p) * VL;
    }
}
// Panels of the transpose of U [n][k], ld floats between its rows.
void pack_transposed(int n, int k, const float* U, long ld, float* packed);

// k numbers of each row of a, times rows [from, from + k) of panels that hold `depth` rows (0: just those k).
template <class Weight = float>
struct Factor {
  const float* a;
  long aRow;
  int k;
  const Weight* packed;
  int from = 0, depth = 0;
  long panel_size(int columns) const { return (long)(depth ? depth : k) * columns; }
};

// Rows of whole vectors that sums are added to: none, one for all (row 0) or one each.
struct Start {
  const float* at = nullptr;
  long row = 0;
};

// start + x + y. y.k may be 0.
template <class Weight = float>
struct Sum {
  Start start;
  Factor<Weight> x, y = {};
};

// The tiles of rows that work in turn: tile i has the rows [at[i], at[i + 1]).
struct Turn {
#if UNROLL_PARTS
  int tiles;
#else
  static constexpr int tiles = 1;
#endif
  int at[most_in_turn + 1];
  // The turn that begins at tile `first` of the rows [from, to), which are cut into `count` tiles.
  Turn(int from, int to, int count, int first) {
#if UNROLL_PARTS
    tiles = smaller(count - first, panel_bytes ? most_in_turn : 1);
#endif
    for (int i = 0; i <= tiles; i++) at[i] = from + split(to - from, count, first + i);
  }
};

// A tile of each of several sums for each tile of rows; `some` panels of nv vectors from `column` on. Sum i of the j-th tile
// of rows is at z + (j * count + i) * tile_size, in rows of some * nv vectors.
constexpr int tile_size = accumulators * VL;
template <class Weight>
FORCE_INLINE TileOf<Weight> tile_of(const Factor<Weight>& f, const Start& start, int nv, int some, long b, int column,
                                    float* out) {
  const int width = nv * VL;
  const Weight* panel = f.packed + f.panel_size(column) + (long)f.from * width;
  return {f.k, f.a + b * f.aRow, f.aRow, panel, width, f.panel_size(width),
          start.at ? start.at + b * start.row + column : nullptr, start.row, out, some * width};
}
#if UNROLL_PARTS
template <class Weight>
NOINLINE void tiles(int count, const Sum<Weight>* sums, const Turn& rows, int nv, int some, int column, float* z) {
  const auto product = [&](const Factor<Weight>& f, const Start& start, float* z, bool resume) {
    const Parts parts(f.k, nv * VL * sizeof(Weight));
    for (int p = 0; p < parts.count; p++)
      for (int i = 0; i < rows.tiles; i++) {
        const int b = rows.at[i], m = rows.at[i + 1] - b;
        auto t = tile_of(f, start, nv, some, b, column, z + i * count * tile_size);
        parts.cut(t, m, p, i == 0, resume);
        tile(m, nv, some, t);
      }
  };
  for (int i = 0; i < count; i++, sums++, z += tile_size) {
    product(sums->x, sums->start, z, false);
    if (sums->y.k) product(sums->y, {}, z, true);
  }
}
#else
template <class Weight>
NOINLINE void tiles(int count, const Sum<Weight>* sums, const Turn& rows, int nv, int some, int column, float* z) {
  const long b = rows.at[0], m = rows.at[1] - b, row = some * nv * VL;
  for (; count > 0; count--, sums++, z += tile_size) {
    tile(m, nv, some, tile_of(sums->x, sums->start, nv, some, b, column, z));
    if (sums->y.k) tile(m, nv, some, tile_of(sums->y, {z - column - b * row, row}, nv, some, b, column, z));
  }
}
#endif

// The sums for the rows and the panels (of n columns) of a part, tile by tile: finish(z, zRow, b, m, column, columns) gets
// z as above, zRow floats a row. Every other step runs backwards over the panels, because the weights that the previous
// step used last are still in the caches.
template <int N, class Weight, class Finish>
FORCE_INLINE void over_panels(int n, const Part& part, long t, const Sum<Weight> (&sums)[N], const Finish& finish) {
  alignas(64) float z[most_in_turn * N * tile_size];
  const Panels panels(n);
  const int rows = part.last - part.first;
  if (rows == 0) return;
  const bool back = t % 2;
  for (int from = part.from, to = part.to; from < to;) {
    const int first = back ? to - 1 : from, nv = panels.width(first), count = ceil_div(rows, most_rows(nv));
    const int some = panels.together(first, back ? from - 1 : to, ceil_div(rows, count));
    const int column = panels.column(back ? to -= some : from), width = some * nv * VL;
    if (!back) from += some;
    for (int i = 0; i < count;) {
      const Turn turn(part.first, part.last, count, i);
      i += turn.tiles;
      tiles(N, sums, turn, nv, some, column, z);
      for (int j = 0; j < turn.tiles; j++)
        finish(z + j * N * tile_size, width, turn.at[j], turn.at[j + 1] - turn.at[j], column, smaller(n - column, width));
    }
  }
}

// out [n][..] = start + x for the panels of a part, in whole vectors.
template <class Weight>
void panel_sums(int columns, int n, const Part& part, const float* start, const Factor<Weight>& x, float* out,
                long outRow);

// dh = (x + y) * rmask (+ dh if `add`) for the rows of a part that are valid at step t: the gradient of h_{t-1} from
// that of the gates.
void back_through(const Steps& s, long t, const Factor<>& x, const Factor<>& y, bool add, float* dh,
                  const Part& part);

}  // namespace unroll::UNROLL_ISA
