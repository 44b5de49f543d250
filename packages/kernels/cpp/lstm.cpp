// LSTM: one call runs a whole sequence, forward or backward.
//
//   i, f, o = ract(x W + h' U + b)    g = act(x W + h' U + b)    c = f*c' + i*g    h = o*act(c)
//
// Forward: a tile computes the sums of i, f, g and o for a few rows of the batch and one vector of units. The weights are
// packed so that the four sums lie side by side, and the activations are applied while the sums are in the L1 cache.
// Backward: each step first computes the gradients of the gates elementwise, then dh = dG U^T with the same tile.
// Each thread takes a range of rows and runs all T steps without synchronising. If there are few rows, threads split the
// units instead (see over_parts).
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

namespace {

// The four gates of a vector of units are computed in `passes` products, each for `gates_per_pass` gates side by side: one
// panel, `width` floats wide.
constexpr int gates_per_pass = panel_vectors, passes = 4 / gates_per_pass, width = gates_per_pass * VL;

// Returns the size in floats of the packed weights: [ceil(H/VL)][4][VL] biases, then for each vector of units its gates in
// panels, each [k][gates_per_pass][VL] in the weight format.
template <class Weight>
constexpr int64_t gates_size(int64_t k, int H) {
  return whole_vectors(H) * (4 + k * 4 * (int)sizeof(Weight) / (int)sizeof(float));
}

template <class Weight>
void pack_gates(int I, int H, const float* W, const float* U, const float* b, float* packed) {
  const long row = 4l * H;
  for (int unit = 0; unit < H; unit += VL)
    for (int g = 0; g < 4; g++, packed += VL)
      store(packed, b ? load(b + (long)g * H + unit, min(H - unit, VL)) : splat(0));
  Weight* to = (Weight*)packed;
  for (int unit = 0; unit < H; unit += VL)
    for (int first = 0; first < 4; first += gates_per_pass)
      for (long k = 0; k < I + H; k++) {
        const float* w = k < I ? W + k * row : U + (k - I) * row;
        for (int g = first; g < first + gates_per_pass; g++, to += VL)
          store(to, load(w + (long)g * H + unit, min(H - unit, VL)));
      }
}

// The rows [from, from + k) of packed weights that have `depth` rows.
template <class Weight>
struct GateRows {
  const float* packed;
  int H, depth, from, k;
  const Weight* panels() const { return (const Weight*)(packed + 4 * whole_vectors(H)) + (long)from * width; }
};

// Splits `rows` rows of the batch into `count` tiles. A tile computes at most `most_at_once` panels at a time.
struct Tiles {
  static constexpr int buffer = max(most_rows(gates_per_pass) * 4, accumulators) * VL;  // floats of z
  int rows, count, most_at_once;
  explicit Tiles(int rows)
      : rows(rows),
        count(ceil_div(rows, most_rows(gates_per_pass))),
        most_at_once(rows ? best_panels(ceil_div(rows, count), gates_per_pass) : 1) {}
  int row(int i) const { return split(rows, count, i); }
  // Returns how many vectors of units to compute at once if `left` vectors remain.
  int vectors(int left) const {
    int count = max(1, most_at_once / passes);
    while (count > left) count /= 2;
    return count;
  }
  // z [m][vectors][4][VL] = start + the products of m rows of a and the weights of `vectors` vectors of units from `unit`
  // on. start: one row for all rows of a (startRow 0), or one row for each, with the values of all units. Rows of z are
  // zRow floats apart. panel: the first panel to compute; one call computes panels_at_once(vectors) panels. slice: the slice
  // of k to sum over (see KSlices in tile.h). prefetch: also prefetch the weights of the next slice.
  template <class Weight>
  void sums(int m, int vectors, const float* a, long aRow, const GateRows<Weight>& w, int unit, const float* start,
            long startRow, float* z, long zRow, int panel, const KSlices& slices, int slice, bool prefetch) const {
    const int vector = unit / VL;
    const long size = (long)w.depth * width;
    const Weight* b = w.panels() + (vector * passes + panel) * size;
    start += vector * 4 * VL + panel * width;
    TileOf<Weight> t = {w.k, a, aRow, b, width, size, start, startRow, z + panel * width, zRow};
    slices.restrict_tile(t, m, slice, prefetch);
    tile(m, gates_per_pass, panels_at_once(vectors), t);
  }
  // Returns how many of the panels of `vectors` vectors of units a tile computes at once.
  int panels_at_once(int vectors) const { return min(most_at_once, vectors * passes); }
};

// Computes out [n][ceil(H/VL)][4][VL] = biases + products for n rows of a and the units [unit, end).
template <class Weight>
void gate_sums(int n, const float* a, long aRow, const GateRows<Weight>& w, int unit, int end, float* out, long outRow) {
  const Tiles tiles(n);
  for (int vectors; unit < end; unit += vectors * VL) {
    vectors = tiles.vectors(ceil_div(end - unit, VL));
    for (int i = 0; i < tiles.count; i++) {
      const long row = tiles.row(i);
      for (int panel = 0; panel < vectors * passes; panel += tiles.panels_at_once(vectors))
        tiles.sums(tiles.row(i + 1) - tiles.row(i), vectors, a + row * aRow, aRow, w, unit, w.packed, 0,
                   out + row * outRow + unit * 4, outRow, panel, KSlices(w.k, 0), 0, false);
    }
  }
}

// Calls body(unit, vectors) for the units of a part, a few vectors of units at a time. Every other step runs in reverse
// order, as in over_panels.
template <class Body>
FORCE_INLINE void over_units(const Tiles& tiles, const Part& part, long t, const Body& body) {
  for (int done = 0, left = ceil_div(part.end - part.unit, VL), vectors; left > 0; done += vectors) {
    vectors = tiles.vectors(left);
    left -= vectors;
    body(part.unit + (t % 2 ? left : done) * VL, vectors);
  }
}

}  // namespace

int64_t lstm_size(int I, int H, int format) {
  return with_weights(format, [&](auto weight) { return gates_size<decltype(weight)>((int64_t)I + H, H); });
}

void lstm_pack(const Pack& p, float* packed) {
  with_weights(p.format, [&](auto weight) { pack_gates<decltype(weight)>(p.I, p.H, p.W, p.U, p.b, packed); });
}

namespace {

// Computes the LSTM cell for row b and one vector of units, of which the first n are valid. z holds the pre-activations of
// i, f, g and o (already activated if gates_first and the activations are standard). before, after: c of the previous and
// of this step; gates: where the gates of this step are stored | null. standard: the activations are tanh and sigmoid.
template <bool standard>
FORCE_INLINE void cell(const LstmForward& f, const Step& step, const float* before, float* after, float* gates,
                       const float* z, long b, long unit, int n) {
  const long H = f.H, at = b * H + unit;
  const auto act = [&](v x) { return standard ? tanh(x) : any_activation(f.act, x); };
  const auto ract = [&](v x) { return standard ? sigmoid(x) : any_activation(f.ract, x); };
  v i = load(z), forget = load(z + VL), g = load(z + 2 * VL), o = load(z + 3 * VL);
  if (!gates_first || !(standard || standard_activations(f.act, f.ract))) i = ract(i), forget = ract(forget), g = act(g), o = ract(o);
  if (gates) {
    float* q = gates + b * 4 * H + unit;
    store(q, i, n), store(q + H, forget, n), store(q + 2 * H, g, n), store(q + 3 * H, o, n);
  }
  const v old = load(before + at, n);
  v c = madd(forget, old, i * g);
  v h = o * act(c);
  if (!step.valid(b)) c = old, h = step.h_before(b, unit, n);
  store(after + at, c, n);
  step.put_h(b, unit, n, h);
}

// Like cell, but for arbitrary activations, and for the last vector of units if it is not full.
NOINLINE void any_cell(const LstmForward& f, const Step& step, const float* before, float* after, float* gates,
                       const float* z, long b, long unit, int n) {
  cell<false>(f, step, before, after, gates, z, b, unit, n);
}

// Computes the cells of m rows from b on and of `vectors` vectors of units from the sums in z.
FORCE_INLINE void cells(const LstmForward& f, const Step& step, const float* before, float* after, float* gates, float* z,
                        long zRow, int b, int m, int unit, int vectors, bool standard) {
  if (gates_first && standard) {
    const long size = m * zRow;
    sigmoids(z, size, 4 * VL, VL);
    for (float *g = z + 2 * VL, *end = z + size; g < end; g += 4 * VL) {
      const v candidate = tanh(load(g)), o = sigmoid(load(g + VL));
      store(g, candidate), store(g + VL, o);
    }
  }
  for (int j = 0; j < vectors; j++) {
    const int u = unit + j * VL, n = min(f.H - u, VL);
    const float* sums = z + j * 4 * VL;
    if (standard && n == VL)
      for (int r = 0; r < m; r++, sums += zRow) cell<true>(f, step, before, after, gates, sums, b + r, u, VL);
    else
      for (int r = 0; r < m; r++, sums += zRow) any_cell(f, step, before, after, gates, sums, b + r, u, n);
  }
}

// Runs all steps for one part (the rows and units of one thread). The tiles of a group use the same slice of the weights one
// after another, while it is in the L1 cache (see TileGroup in cells.h).
template <class Weight>
void forward(const LstmForward& f, const Part& part) {
  alignas(64) float z[most_tiles_in_group * Tiles::buffer];
  const bool standard = standard_activations(f.act, f.ract);
  const Tiles tiles(part.last - part.first);
  const int I = f.I, H = f.H, K = I + H, bytes = slice_bytes_for(tiles.rows);
  const float* packed = f.packed + header;
  const GateRows<Weight> all_rows = {packed, H, K, 0, K};
  const GateRows<Weight> input_rows = {packed, H, K, 0, I}, state_rows = {packed, H, K, I, H};
  const PrecomputedInputs inputs(f, 4 * whole_vectors(H));
  for (long t = 0; t < f.T; t++) {
    copy_inputs(f, t, part);
    const Step step(f, t);
    const float* input_sums = inputs.sums_of_step(t, [&](int n, const float* x, float* out) {
      gate_sums(n, x, K, input_rows, part.unit, part.end, out, inputs.row);
    });
    const float* before = f.c + t * f.cStep;
    float *after = f.c + (t + 1) * f.cStep, *gates = f.gates ? f.gates + t * f.B * 4 * H : nullptr;
    over_units(tiles, part, t, [&](int unit, int vectors) __attribute__((always_inline)) {
      const long zRow = vectors * 4 * VL;
      const KSlices slices(input_sums ? H : K, width * sizeof(Weight), bytes);
      for (int first = 0; first < tiles.count;) {
        const TileGroup group(part.first, part.last, tiles.count, first, bytes);
        first += group.tiles;
        for (int panel = 0; panel < vectors * passes; panel += tiles.panels_at_once(vectors))
          for (int slice = 0; slice < slices.count; slice++)
            for (int i = 0; i < group.tiles; i++) {
              const int b = group.bounds[i], m = group.bounds[i + 1] - b;
              const float* x = step.x + (long)b * K;
              float* sums = z + i * Tiles::buffer;
              if (input_sums)
                tiles.sums(m, vectors, x + I, K, state_rows, unit, input_sums + b * inputs.row, inputs.row, sums, zRow, panel,
                           slices, slice, i == 0);
              else
                tiles.sums(m, vectors, x, K, all_rows, unit, packed, 0, sums, zRow, panel, slices, slice, i == 0);
            }
        for (int i = 0; i < group.tiles; i++)
          cells(f, step, before, after, gates, z + i * Tiles::buffer, zRow, group.bounds[i],
                group.bounds[i + 1] - group.bounds[i], unit, vectors, standard);
      }
    });
    team_barrier();
  }
}

}  // namespace

void lstm_forward(const LstmForward& f) {
  clear_masked(f);
  with_weights(format_of(f.packed), [&](auto weight) {
    over_parts(f, 8.0 * f.T * f.B * f.H * (f.I + f.H),
               [&](const Part& part) { forward<decltype(weight)>(f, part); });
  });
}

int64_t lstm_backward_size(int H) { return panels_size(4 * H, H); }
void lstm_pack_backward(int H, const float* U, float* packed) { pack_transposed(H, 4 * H, U, 4 * H, packed); }

namespace {

// Computes the gradients of the gates of row b at step t, and replaces dc by the gradient of c of the previous step.
template <bool standard>
FORCE_INLINE void cell_gradient(const LstmBackward& s, long t, long b, int unit, int end) {
  const long H = s.H, at = t * s.B + b;
  const int act = standard ? (int)a_tanh : s.act, ract = standard ? (int)a_sigmoid : s.ract;
  const bool valid = !s.mask || s.mask[at] != 0;
  const float *gates = s.gates + at * 4 * H, *before = s.c + at * H, *after = before + s.B * H;
  float *dh = s.dh + b * H, *dc = s.dc + b * H, *dG = s.dG + at * 4 * H;
  for (int u = unit; u < end; u += VL) {
    const int n = min(end - u, VL);
    const v dhu = gradient_of_h(s, t, b, u, n);
    v dcu = load(dc + u, n), di = splat(0), df = di, dg = di, dO = di, carried = dcu;
    if (valid) {
      const v i = load(gates + u, n), f = load(gates + H + u, n), g = load(gates + 2 * H + u, n);
      const v o = load(gates + 3 * H + u, n), a = activate(act, load(after + u, n));
      dO = dhu * a * derivative(ract, o);
      dcu = madd(dhu * o, derivative(act, a), dcu);
      di = dcu * g * derivative(ract, i);
      df = dcu * load(before + u, n) * derivative(ract, f);
      dg = dcu * i * derivative(act, g);
      carried = dcu * f;
    } else {
      store(dh + u, dhu, n);
    }
    store(dc + u, carried, n);
    store(dG + u, di, n), store(dG + H + u, df, n), store(dG + 2 * H + u, dg, n), store(dG + 3 * H + u, dO, n);
    if (s.dcAll) store(s.dcAll + at * H + u, dcu, n);
  }
}

template <bool standard>
void backward(const LstmBackward& s, const Part& part) {
  const int G = 4 * s.H;
  for (long t = s.T - 1; t >= 0; t--) {
    for (int b = part.first; b < part.last; b++) cell_gradient<standard>(s, t, b, part.unit, part.end);
    team_barrier();
    compute_state_gradient(s, t, {s.dG + t * s.B * G, G, G, s.packed}, {}, false, s.dh, part);
  }
}

}  // namespace

void lstm_backward(const LstmBackward& s) {
  const auto body = standard_activations(s.act, s.ract) ? backward<true> : backward<false>;
  over_parts(s, 8.0 * s.T * s.B * s.H * s.H, [&](const Part& part) { body(s, part); });
}

}  // namespace unroll::UNROLL_ISA
