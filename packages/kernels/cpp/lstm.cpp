// LSTM over a whole sequence in one call, forward and backward.
//
//   i, f, o = ract(x W + h' U + b)    g = act(..)    c = f*c' + i*g    h = o*act(c)
//
// Forward: for a few rows of the batch and one vector of units, tiles hold the sums of i, f, g and o side by side (the
// weights are packed so), and the activations follow while those are still in the first cache. Backward:
// per step the gradient of the gates, elementwise, then dh = dG U^T by the same tile. Threads take groups of rows and
// run all T steps without meeting.
#include "cells.h"
#include "math.h"
#include "tile.h"

namespace unroll::UNROLL_ISA {

int lstm_packed_size(int I, int H) { return ceil_div(H, VL) * (I + H + 1) * 4 * VL; }

void lstm_pack(int I, int H, const float* W, const float* U, const float* b, float* packed) {
  pack_gates(I, H, 4, W, U, b, packed);
}

namespace {

struct Forward {
  int T, B, I, H, act, ract;
  const float* packed;
  float *xh, *c;
  long cStep;
  float* hs;
  const float *rmask, *mask, *emit;
  float *gates, *y;
  long yT, yB;
};

// The cell of one row and one vector of units (n of them real) from z = the four sums, at step t.
template <bool standard>
ALWAYS void cell(const Forward& f, const float* z, long t, long b, int unit, int n) {
  const long H = f.H, row = f.I + H, at = b * H + unit;
  const int act = standard ? (int)a_tanh : f.act, ract = standard ? (int)a_sigmoid : f.ract;
  const v i = activate(ract, load(z)), forget = activate(ract, load(z + VL));
  const v g = activate(act, load(z + 2 * VL)), o = activate(ract, load(z + 3 * VL));
  const float* cBefore = f.c + t * f.cStep + at;
  float* cAfter = f.c + (t + 1) * f.cStep + at;
  const v before = load(cBefore, n);
  v c = madd(forget, before, i * g);
  v h = o * activate(act, c);
  float* xh = f.xh + (t * f.B + b) * row + f.I + unit;
  if (f.mask && f.mask[t * f.B + b] == 0) {
    c = before;
    h = load(f.hs ? f.hs + t * f.B * H + at : xh, n);
  }
  store(cAfter, c, n);
  if (f.gates) {
    float* q = f.gates + (t * f.B + b) * 4 * H + unit;
    store(q, i, n), store(q + H, forget, n), store(q + 2 * H, g, n), store(q + 3 * H, o, n);
  }
  if (f.y) store(f.y + t * f.yT + b * f.yB + unit, f.emit && f.emit[t * f.B + b] == 0 ? splat(0) : h, n);
  if (f.hs) store(f.hs + (t + 1) * f.B * H + at, h, n);
  if (f.rmask) h *= load(f.rmask + at, n);
  store(xh + f.B * row, h, n);
}

// All steps for the rows [first, last).
template <bool standard>
void forward_rows(const Forward& f, int first, int last) {
  constexpr int passes = 4 / panel_vectors, width = panel_vectors * VL;
  alignas(64) float z[most_rows(panel_vectors) * 4 * VL];
  const int K = f.I + f.H, rows = last - first, tiles = ceil_div(rows, most_rows(panel_vectors));
  if (f.rmask) drop_initial(f.I, f.H, f.hs, f.rmask, f.xh, first, last);
  for (long t = 0; t < f.T; t++) {
    const float* bias = f.packed;
    for (int unit = 0; unit < f.H; unit += VL, bias += (K + 1) * 4 * VL) {  // the panel stays cached as the rows pass
      const int n = smaller(f.H - unit, VL);
      for (int i = 0; i < tiles; i++) {
        const int b = first + split(rows, tiles, i), m = first + split(rows, tiles, i + 1) - b;
        const float *a = f.xh + (t * f.B + b) * K, *panel = bias + 4 * VL;
        for (int p = 0; p < passes; p++, panel += K * width)
          tile(m, panel_vectors, {K, a, K, panel, width, bias + p * width, 0, z + p * width, 4 * VL});
        for (int r = 0; r < m; r++) cell<standard>(f, z + r * 4 * VL, t, b + r, unit, n);
      }
    }
  }
}

}  // namespace

void lstm_forward(int T, int B, int I, int H, int act, int ract, const float* packed, float* xh, float* c, int cStep,
                  float* hs, const float* rmask, const float* mask, const float* emit, float* gates, float* y, int yT,
                  int yB) {
  const Forward f = {T, B, I, H, act, ract, packed, xh, c, cStep, hs, rmask, mask, emit, gates, y, yT, yB};
  const auto body = act == a_tanh && ract == a_sigmoid ? forward_rows<true> : forward_rows<false>;
  over_ranges(B, 8.0 * T * B * H * (I + H), [&](int first, int last) { body(f, first, last); });
}

int lstm_packed_backward_size(int H) { return transposed_size(H, 4); }
void lstm_pack_backward(int H, const float* U, float* packed) { pack_transposed(H, 4, U, packed); }

namespace {

struct Backward {
  int T, B, H, act, ract;
  const float *packed, *gates, *c, *rmask, *mask, *emit, *dy;
  long dyT, dyB;
  float *dh, *dc, *dG, *dhAll, *dcAll;
};

// The gradient of the gates of row b at step t, and dc for the step before. dh is left complete.
template <bool standard>
ALWAYS void cell_gradient(const Backward& s, long t, long b) {
  const long H = s.H, at = t * s.B + b;
  const int act = standard ? (int)a_tanh : s.act, ract = standard ? (int)a_sigmoid : s.ract;
  const bool valid = !s.mask || s.mask[at] != 0;
  const float* dy = s.dy && (!s.emit || s.emit[at] != 0) ? s.dy + t * s.dyT + b * s.dyB : nullptr;
  const float *gates = s.gates + at * 4 * H, *cBefore = s.c + at * H, *cAfter = cBefore + s.B * H;
  float *dh = s.dh + b * H, *dc = s.dc + b * H, *dG = s.dG + at * 4 * H;
  for (int u = 0; u < H; u += VL) {
    const int n = smaller(s.H - u, VL);
    v dhu = load(dh + u, n), dcu = load(dc + u, n);
    if (dy) dhu += load(dy + u, n);
    v di = splat(0), df = di, dg = di, dO = di, carried = dcu;
    if (valid) {
      const v i = load(gates + u, n), f = load(gates + H + u, n), g = load(gates + 2 * H + u, n);
      const v o = load(gates + 3 * H + u, n), a = activate(act, load(cAfter + u, n));
      dO = dhu * a * slope(ract, o);
      dcu = madd(dhu * o, slope(act, a), dcu);
      di = dcu * g * slope(ract, i);
      df = dcu * load(cBefore + u, n) * slope(ract, f);
      dg = dcu * i * slope(act, g);
      carried = dcu * f;
    }
    store(dh + u, dhu, n), store(dc + u, carried, n);
    store(dG + u, di, n), store(dG + H + u, df, n), store(dG + 2 * H + u, dg, n), store(dG + 3 * H + u, dO, n);
    if (s.dhAll) store(s.dhAll + at * H + u, dhu, n);
    if (s.dcAll) store(s.dcAll + at * H + u, dcu, n);
  }
}

template <bool standard>
void backward_rows(const Backward& s, int first, int last) {
  for (long t = s.T - 1; t >= 0; t--) {
    for (int b = first; b < last; b++) cell_gradient<standard>(s, t, b);
    const long at = t * s.B;
    times_transposed(s.H, 4, s.packed, s.dG + at * 4 * s.H, 4 * s.H, s.rmask, s.mask ? s.mask + at : nullptr, s.dh,
                     nullptr, first, last);
  }
}

}  // namespace

void lstm_backward(int T, int B, int H, int act, int ract, const float* packed, const float* gates, const float* c,
                   const float* rmask, const float* mask, const float* emit, const float* dy, int dyT, int dyB,
                   float* dh, float* dc, float* dG, float* dhAll, float* dcAll) {
  const Backward s = {T, B, H, act, ract, packed, gates, c, rmask, mask, emit, dy, dyT, dyB, dh, dc, dG, dhAll, dcAll};
  const auto body = act == a_tanh && ract == a_sigmoid ? backward_rows<true> : backward_rows<false>;
  over_ranges(B, 8.0 * T * B * H * H, [&](int first, int last) { body(s, first, last); });
}

}  // namespace unroll::UNROLL_ISA
