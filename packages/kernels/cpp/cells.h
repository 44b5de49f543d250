// Code that all recurrent cells use: the arrays of a sequence, the packed weights, and the matrix products with them.
//
// Weights are packed in PANELS (see Panels in tile.h), several vectors of units wide. Each gate has its own panels. A few units
// are computed at a time: first the sums of all their gates, then their states, while these sums are in the L1 cache.
// (The LSTM uses another layout, see lstm.cpp.)
#pragma once
#include "kernels_impl.h"
#include "tile.h"

namespace unroll::UNROLL_ISA {

// ------------------------------------------------------------------------------------------------- sequences and steps
// Returns row t of xh.
FORCE_INLINE float* row_of(const Forward& s, long t) { return s.xh + (s.x ? t & 1 : t) * s.B * (s.I + s.H); }
FORCE_INLINE float* row_of(const GruBackward& s, long t) { return (float*)s.xh + t * s.B * (s.I + s.H); }

// Step t of a sequence: the addresses of its arrays, and functions that read and write h. The fields are those of Steps and
// Forward (kernels.h), at this step. beforeRow, hsRow and yRow are the floats between two rows of the batch in before, hs and
// y; row is the same for x and xh. A missing array is null.
struct Step {
  const float *x, *before, *mask, *output_mask, *rmask;  // x: row t of xh; before: h_{t-1} without dropout
  float *hs, *xh, *y;                             // where h_t is written
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
  // Returns h_{t-1} of n units of row b, from `unit` on, without dropout.
  v h_before(long b, long unit, int n) const { return load(before + b * beforeRow + unit, n); }
  // Like h_before, but with recurrent dropout, as the matrix products use it.
  v h_with_dropout(long b, long unit, int n) const { return load(x + b * row + row - hsRow + unit, n); }
  bool valid(long b) const { return !mask || mask[b] != 0; }
  void put_h(long b, long unit, int n, v h) const {
    if (y) store(y + b * yRow + unit, output_mask && output_mask[b] == 0 ? splat(0) : h, n);
    if (hs) store(hs + b * hsRow + unit, h, n);
    if (rmask) h *= load(rmask + b * hsRow + unit, n);
    store(xh + b * row + unit, h, n);
  }
};

// Sets the inputs of masked steps to 0 before the first step. Otherwise a NaN there would reach the gradients of the weights
// as 0 * NaN.
void clear_masked(const Forward& s);

// With up to rows_to_split rows, threads split the units and wait for each other at a barrier in each step. A thread pays off
// only if its share of a step is at least this many floating-point operations.
constexpr double operations_per_barrier = 8e4;

// The part of a layer that one thread computes: a range of rows of the batch and a range of panels of units.
struct Part {
  int first, last;  // the rows [first, last)
  int from, to;     // the panels [from, to)
  int unit, end;    // the units [unit, end) of these panels
};

// Copies the inputs of step t to xh for the rows of a part. Does nothing if s.x is null.
void copy_inputs(const Forward& s, long t, const Part& part);

// Splits [0, B) x [0, H) into one part per thread and calls body(part) for each. With more than rows_to_split rows, threads
// split the rows and run all steps without synchronising. With fewer rows, threads that split the rows would each read all
// weights for only a few rows. They split the units instead, and every thread waits for the others (team_barrier) before it
// reads their results.
template <class Body>
void over_parts(const Steps& s, double operations, const Body& body) {
  const Panels panels(s.H);
  if (s.B > rows_to_split)
    return over_ranges(s.B, operations, [&](int first, int last) { body(Part{first, last, 0, panels.count, 0, s.H}); });
  const int useful = max(1, (int)(operations / max(1, s.T) / operations_per_barrier));
  // An operation takes longer if each weight is used for only a few rows.
  const int threads = min(min(worthwhile_threads(1.5 * operations), useful), panels.count);
  team(threads, [&](int i) {
    const int from = split(panels.count, threads, i), to = split(panels.count, threads, i + 1);
    body(Part{0, s.B, from, to, panels.column(from), min(s.H, panels.column(to))});
  });
}

// Returns the full gradient of h_t (dh plus dy) for n units of row b, and stores it in dhAll if that is not null.
FORCE_INLINE v gradient_of_h(const Backward& s, long t, long b, long unit, int n) {
  const long at = t * s.B + b;
  v dh = load(s.dh + b * s.H + unit, n);
  if (s.dy && (!s.output_mask || s.output_mask[at] != 0)) dh += load(s.dy + t * s.dyT + b * s.dyB + unit, n);
  if (s.dhAll) store(s.dhAll + at * s.H + unit, dh, n);
  return dh;
}

// ----------------------------------------------------------------------------------------------------- packed weights
// Packed weights begin with a header: their WeightFormat as one number, then padding that keeps the weights aligned.
constexpr int header = 16;
FORCE_INLINE int format_of(const float* packed) { return (int)packed[0]; }

// The size and the packing of the weights of each cell, for forward (without the header) and for backward. pack.cpp calls
// these functions. A size may exceed 2^31; the caller then has no memory for it.
int64_t rnn_size(int I, int H, int format);
int64_t lstm_size(int I, int H, int format);
int64_t gru_size(int I, int H, int format);
int64_t gru_before_size(int I, int H, int format);
void rnn_pack(const Pack& p, float* packed);
void lstm_pack(const Pack& p, float* packed);
void gru_pack(const Pack& p, float* packed);
void gru_before_pack(const Pack& p, float* packed);
int64_t rnn_backward_size(int H);
int64_t lstm_backward_size(int H);
int64_t gru_backward_size(int H);
void rnn_pack_backward(int H, const float* U, float* packed);
void lstm_pack_backward(int H, const float* U, float* packed);
void gru_pack_backward(int H, const float* U, float* packed);

// ----------------------------------------------------------------------------------------------- inputs of many steps
// With few rows, a step takes as long as loading its weights from the L2 cache. The products x W are therefore computed for
// many steps at once, in scratch memory, which loads W only once for all of these steps. few_rows is the largest batch for
// which this is faster: with more rows, or narrow vectors, the arithmetic takes longer than loading.
constexpr int few_rows = VL == 16 ? 3 : 1;
static_assert(few_rows <= rows_to_split);
// The largest number of weights that fit in the last-level cache. With more weights, the products are computed in advance for
// batches of up to rows_to_split rows.
constexpr long max_cached_weights = 4l << 20;

// The products of the inputs, computed for many steps before the steps run.
class PrecomputedInputs {
  const Forward& s;
  const int steps;  // how many are computed at once; 0: none, the products are not precomputed

  static bool wanted(const Forward& s, long row) {
    if (s.B == 0 || row == 0) return false;
    return s.B <= few_rows || (s.B <= rows_to_split && (s.I + s.H) * row > max_cached_weights);
  }

 public:
  const long row;  // floats of one row of sums

  PrecomputedInputs(const Forward& s, int row)
      : s(s), steps(wanted(s, row) ? (int)(scratch_floats() / ((long)s.B * row)) : 0), row(row) {}
  // Returns the sums of step t (the biases plus x W), or null if they are not precomputed, so that each step must compute x W
  // itself. Call it for every step in order. make(n, x, out) must compute the sums of n rows of inputs.
  template <class Make>
  const float* sums_of_step(long t, const Make& make) const {
    if (steps == 0) return nullptr;
    float* sums = scratch();
    if (t % steps == 0) make(s.B * min(steps, s.T - (int)t), s.xh + t * s.B * (s.I + s.H), sums);
    return sums + t % steps * s.B * row;
  }
};

// Returns call(float()) or call(half()), depending on the type that stores weights of this format.
template <class Call>
FORCE_INLINE auto with_weights(int format, const Call& call) {
#if UNROLL_FLOAT16
  if (format == w_float16) return call(half());
#endif
  return call(float());
}
// Returns whether the activations are the usual tanh and sigmoid, for which the cells have specialised code.
FORCE_INLINE bool standard_activations(int act, int ract) { return act == a_tanh && ract == a_sigmoid; }

// Whether the gates of a whole tile are computed before its cells, if the activations are standard. An activation is a long
// chain of dependent operations, and this way more chains overlap. In AVX-512 the extra stores cancel the gain.
constexpr bool gates_first = VL <= 8;

// ------------------------------------------------------------------------------------------------- products by panels
// Returns the size in floats of n columns and k rows packed in panels.
template <class Weight = float>
constexpr int64_t panels_size(int64_t k, int n) {
  return k * whole_vectors(n) * (int)sizeof(Weight) / (int)sizeof(float);
}

// Packs the sum of two biases b0 and b1 [n] (null: zeros) as whole vectors.
void pack_bias(int n, const float* b0, const float* b1, float* packed);
struct Matrix {
  const float* data;
  int rows;
};
// Packs n columns of several matrices in panels, with the rows of the matrices one below another. The rows of each matrix
// are ld floats apart.
template <int N, class Weight>
void pack_panels(int n, long ld, const Matrix (&matrices)[N], Weight* packed) {
  const Panels panels(n);
  for (int p = 0; p < panels.count; p++)
    for (const Matrix& m : matrices) {
      pack_panel(m.data, ld, m.rows, panels.column(p), panels.columns(p), panels.width(p), packed);
      packed += (long)m.rows * panels.width(p) * VL;
    }
}
// Packs the transpose of U [n][k], whose rows are ld floats apart, in panels.
void pack_transposed(int n, int k, const float* U, long ld, float* packed);

// A product: k numbers of each row of a, times the rows [from, from + k) of panels of `depth` rows (0: the panels have k
// rows).
template <class Weight = float>
struct PanelProduct {
  const float* a;
  long aRow;
  int k;
  const Weight* packed;
  int from = 0, depth = 0;
  long panel_size(int columns) const { return (long)(depth ? depth : k) * columns; }
};

// The initial values of sums, in whole vectors: zeros (values is null), one row of values for all rows (stride is 0), or one
// row of values for each row, `stride` floats apart.
struct Start {
  const float* values = nullptr;
  long stride = 0;
};

// The sum start + x + y. There is no y if y.k is 0.
template <class Weight = float>
struct Sum {
  Start start;
  PanelProduct<Weight> x, y = {};
};

// A group of tiles that use the same slice of k one after another (see KSlices in tile.h). Tile i has the rows
// [bounds[i], bounds[i + 1]).
struct TileGroup {
#if UNROLL_SLICES
  int tiles, bytes;
#else
  static constexpr int tiles = 1;
#endif
  int bounds[most_tiles_in_group + 1];
  // The rows [from, to) are cut into `count` tiles; this group begins with tile `first`. bytes: the size of a slice.
  TileGroup(int from, int to, int count, int first, [[maybe_unused]] int bytes) {
#if UNROLL_SLICES
    this->bytes = bytes;
    tiles = min(count - first, bytes ? most_tiles_in_group : 1);
#endif
    for (int i = 0; i <= tiles; i++) bounds[i] = from + split(to - from, count, first + i);
  }
};

// The function tiles() computes `count` sums for each tile of a group, over panel_count panels of nv vectors from `column` on.
// Sum i of the j-th tile is stored at z + (j * count + i) * tile_size, in rows of panel_count * nv vectors.
constexpr int tile_size = accumulators * VL;
template <class Weight>
FORCE_INLINE TileOf<Weight> tile_of(const PanelProduct<Weight>& p, const Start& start, int nv, int panel_count, long b,
                                    int column, float* out) {
  const int width = nv * VL;
  const Weight* panel = p.packed + p.panel_size(column) + (long)p.from * width;
  return {p.k, p.a + b * p.aRow, p.aRow, panel, width, p.panel_size(width),
          start.values ? start.values + b * start.stride + column : nullptr, start.stride, out, panel_count * width};
}
#if UNROLL_SLICES
template <class Weight>
NOINLINE void tiles(int count, const Sum<Weight>* sums, const TileGroup& group, int nv, int panel_count, int column, float* z) {
  const auto product = [&](const PanelProduct<Weight>& p, const Start& start, float* z, bool resume) {
    const KSlices slices(p.k, nv * VL * sizeof(Weight), group.bytes);
    for (int slice = 0; slice < slices.count; slice++)
      for (int i = 0; i < group.tiles; i++) {
        const int b = group.bounds[i], m = group.bounds[i + 1] - b;
        auto t = tile_of(p, start, nv, panel_count, b, column, z + i * count * tile_size);
        slices.restrict_tile(t, m, slice, i == 0, resume);
        tile(m, nv, panel_count, t);
      }
  };
  for (int i = 0; i < count; i++, sums++, z += tile_size) {
    product(sums->x, sums->start, z, false);
    if (sums->y.k) product(sums->y, {}, z, true);
  }
}
#else
template <class Weight>
NOINLINE void tiles(int count, const Sum<Weight>* sums, const TileGroup& group, int nv, int panel_count, int column, float* z) {
  const long b = group.bounds[0], m = group.bounds[1] - b, row = panel_count * nv * VL;
  for (; count > 0; count--, sums++, z += tile_size) {
    tile(m, nv, panel_count, tile_of(sums->x, sums->start, nv, panel_count, b, column, z));
    if (sums->y.k) tile(m, nv, panel_count, tile_of(sums->y, {z - column - b * row, row}, nv, panel_count, b, column, z));
  }
}
#endif

// Computes the sums for the rows and panels of a part (the panels of all parts have n columns), tile by tile, and passes
// each tile to finish(z, zRow, b, m, column, columns): m rows from b on, with the sums in z as above, zRow floats per row.
// Every other step goes through the panels in reverse order, because the weights that the previous step used last are still
// in the caches.
template <int N, class Weight, class Finish>
FORCE_INLINE void over_panels(int n, const Part& part, long t, const Sum<Weight> (&sums)[N], const Finish& finish) {
  alignas(64) float z[most_tiles_in_group * N * tile_size];
  const Panels panels(n);
  const int rows = part.last - part.first, bytes = slice_bytes_for(rows);
  if (rows == 0) return;
  const bool back = t % 2;
  for (int from = part.from, to = part.to; from < to;) {
    const int first = back ? to - 1 : from, nv = panels.width(first), count = ceil_div(rows, most_rows(nv));
    const int panel_count = panels.panels_at_once(first, back ? from - 1 : to, ceil_div(rows, count));
    const int column = panels.column(back ? to -= panel_count : from), width = panel_count * nv * VL;
    if (!back) from += panel_count;
    for (int i = 0; i < count;) {
      const TileGroup group(part.first, part.last, count, i, bytes);
      i += group.tiles;
      tiles(N, sums, group, nv, panel_count, column, z);
      for (int j = 0; j < group.tiles; j++)
        finish(z + j * N * tile_size, width, group.bounds[j], group.bounds[j + 1] - group.bounds[j], column,
               min(n - column, width));
    }
  }
}

// Computes out = start + x for n rows and the panels of a part, in whole vectors. Rows of out are outRow floats apart.
template <class Weight>
void panel_sums(int columns, int n, const Part& part, const float* start, const PanelProduct<Weight>& x, float* out,
                long outRow);

// Computes the gradient of h_{t-1} from the gradients of the gates, for the rows of a part that are valid at step t:
// dh = (x + y) * rmask, plus dh if `add`.
void compute_state_gradient(const Steps& s, long t, const PanelProduct<>& x, const PanelProduct<>& y, bool add, float* dh,
                            const Part& part);

}  // namespace unroll::UNROLL_ISA
