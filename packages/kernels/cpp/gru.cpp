// GRU with the reset after the product, over a whole sequence in one call, forward and backward.
//
//   z, r = ract(x W + h' U + b)    n = act(x Wh + b0h + r*q)    q = h' Uh + b1h    h = z*h' + (1-z)*n
//
// As in the LSTM all gates of a vector of units lie side by side, but x and h' have products of their own, since the
// reset gate comes between their sums in n.
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

// The gates of x, then those of h'; each with its own row of the bias.
int gru_packed_size(int I, int H, int halves) {
  return with_weights(halves, [&](auto weight) {
    return gates_size<decltype(weight)>(I, H, 3) + gates_size<decltype(weight)>(H, H, 3);
  });
}

void gru_pack(int I, int H, int halves, const float* W, const float* U, const float* b, float* packed) {
  with_weights(halves, [&](auto weight) {
    typedef decltype(weight) Weight;
    pack_gates<Weight>(I, 0, H, 3, 3, W, nullptr, b, packed);
    pack_gates<Weight>(0, H, H, 3, 3, nullptr, U, b ? b + 3 * H : nullptr, packed + gates_size<Weight>(I, H, 3));
  });
}

namespace {

struct Forward {
  Sequence s;
  int act, ract;
  bool textbook;
  const float* packed;
  float* gates;
};

// The cell of row b and one vector of units (n of them real) from the three sums of x and of h'. standard: tanh and the
// logistic function.
template <bool standard>
ALWAYS void cell(const Forward& f, const Step& step, float* gates, const float* x, const float* h, long b, long unit,
                 int n) {
  const auto act = [&](v sum) { return standard ? tanh(sum) : any_activation(f.act, sum); };
  const auto ract = [&](v sum) { return standard ? sigmoid(sum) : any_activation(f.ract, sum); };
  const v z = ract(load(x) + load(h)), r = ract(load(x + VL) + load(h + VL));
  const v q = load(h + 2 * VL), candidate = act(madd(r, q, load(x + 2 * VL)));
  if (gates) {
    const long H = f.s.H;
    float* p = gates + b * 4 * H + unit;
    store(p, z, n), store(p + H, r, n), store(p + 2 * H, candidate, n), store(p + 3 * H, q, n);
  }
  const v before = step.h_before(b, unit, n), keep = f.textbook ? 1.f - z : z;
  step.put_h(b, unit, n, step.valid(b) ? madd(keep, before - candidate, candidate) : before);
}

// The same for any activations and the last units.
SELDOM void any_cell(const Forward& f, const Step& step, float* gates, const float* x, const float* h, long b, long unit,
                     int n) {
  cell<false>(f, step, gates, x, h, b, unit, n);
}

// All steps of a part.
template <class Weight>
void forward(const Forward& f, const Part& part) {
  alignas(64) float x[GateTiles<3>::buffer];
  alignas(64) float h[GateTiles<3>::buffer];
  const bool standard = f.act == a_tanh && f.ract == a_sigmoid;
  const GateTiles<3> tiles(part.last - part.first);
  const int I = f.s.I, H = f.s.H, K = I + H;
  const GateRows<Weight> ofX = {f.packed, H, I, 0, I}, ofH = {f.packed + gates_size<Weight>(I, H, 3), H, H, 0, H};
  const Ahead inputs(f.s, 3 * ofX.H_padded());
  for (long t = 0; t < f.s.T; t++) {
    const Step step(f.s, t);
    const float* ahead = inputs.at(t, [&](int n, const float* x, float* out) {
      gate_sums<3>(n, x, K, ofX, part.unit, part.end, out, inputs.row);
    });
    float* gates = f.gates ? f.gates + t * f.s.B * 4 * H : nullptr;
    over_units(tiles, part, t, [&](int unit, int some) __attribute__((always_inline)) {
      for (int i = 0; i < tiles.count; i++) {
        const int b = part.first + tiles.row(i), m = tiles.row(i + 1) - tiles.row(i);
        const float* row = step.x + (long)b * K;
        const long hRow = some * 3 * VL, xRow = ahead ? inputs.row : hRow;
        if (!ahead) tiles.sums(m, some, row, K, ofX, unit, ofX.packed, 0, x, hRow);
        tiles.sums(m, some, row + I, K, ofH, unit, ofH.packed, 0, h, hRow);
        for (int j = 0; j < some; j++) {
          const int u = unit + j * VL, n = smaller(H - u, VL);
          const float *xs = (ahead ? ahead + b * xRow + unit * 3 : x) + j * 3 * VL, *hs = h + j * 3 * VL;
          if (standard && n == VL)
            for (int r = 0; r < m; r++, xs += xRow, hs += hRow) cell<true>(f, step, gates, xs, hs, b + r, u, VL);
          else
            for (int r = 0; r < m; r++, xs += xRow, hs += hRow) any_cell(f, step, gates, xs, hs, b + r, u, n);
        }
      }
    });
    team_barrier();
  }
}

}  // namespace

void gru_forward(int T, int B, int I, int H, int act, int ract, int textbook, int halves, const float* packed, float* xh,
                 float* hs, const float* rmask, const float* mask, const float* emit, float* gates, float* y, int yT,
                 int yB) {
  const Forward f = {{T, B, I, H, xh, hs, rmask, mask, emit, y, yT, yB}, act, ract, textbook != 0, packed, gates};
  if (rmask) drop_initial(f.s);
  with_weights(halves, [&](auto weight) {
    over_parts(f.s, 6.0 * T * B * H * (I + H), [&](const Part& part) { forward<decltype(weight)>(f, part); });
  });
}

// U of z and r transposed, then that of n.
int gru_packed_backward_size(int H) { return panels_size(2 * H, H) + panels_size(H, H); }
void gru_pack_backward(int H, const float* U, float* packed) {
  pack_transposed(H, 2 * H, U, 3 * H, packed);
  pack_transposed(H, H, U + 2 * H, 3 * H, packed + panels_size(2 * H, H));
}

namespace {

struct Backward {
  Sequence s;
  Gradients g;
  int act, ract;
  bool textbook;
  const float *packed, *gates;
  float* dG;
};

// The gradient of the gates of row b at step t. dh keeps what reaches h' past the gates.
template <bool standard>
ALWAYS void cell_gradient(const Backward& f, const Step& step, long t, long b, int unit, int end) {
  const long H = f.s.H, at = t * f.s.B + b;
  const int act = standard ? (int)a_tanh : f.act, ract = standard ? (int)a_sigmoid : f.ract;
  const float* gates = f.gates + at * 4 * H;
  float *dh = f.g.dh + b * H, *dG = f.dG + at * 4 * H;
  for (int u = unit; u < end; u += VL) {
    const int n = smaller(end - u, VL);
    v dhu = gradient_of_h(f.s, f.g, t, b, u, n), dz = splat(0), dr = dz, dn = dz, dq = dz;
    if (step.valid(b)) {
      const v z = load(gates + u, n), r = load(gates + H + u, n), candidate = load(gates + 2 * H + u, n);
      const v keep = f.textbook ? 1.f - z : z, gain = dhu * (step.h_before(b, u, n) - candidate);
      dn = dhu * (1.f - keep) * slope(act, candidate);
      dz = (f.textbook ? -gain : gain) * slope(ract, z);
      dr = dn * load(gates + 3 * H + u, n) * slope(ract, r);
      dq = dn * r;
      dhu *= keep;
    }
    store(dh + u, dhu, n);
    store(dG + u, dz, n), store(dG + H + u, dr, n), store(dG + 2 * H + u, dn, n), store(dG + 3 * H + u, dq, n);
  }
}

template <bool standard>
void backward(const Backward& f, const Part& part) {
  const int H = f.s.H;
  for (long t = f.s.T - 1; t >= 0; t--) {
    const Step step(f.s, t);
    for (int b = part.first; b < part.last; b++) cell_gradient<standard>(f, step, t, b, part.unit, part.end);
    team_barrier();
    const float* dG = f.dG + t * f.s.B * 4 * H;
    back_through(f.s, t, {dG, 4 * H, 2 * H, f.packed}, {dG + 3 * H, 4 * H, H, f.packed + panels_size(2 * H, H)}, true,
                 f.g.dh, part);
  }
}

}  // namespace

void gru_backward(int T, int B, int I, int H, int act, int ract, int textbook, const float* packed, const float* gates,
                  const float* xh, const float* hs, const float* rmask, const float* mask, const float* emit,
                  const float* dy, int dyT, int dyB, float* dh, float* dG, float* dhAll) {
  const Sequence s = {T, B, I, H, (float*)xh, (float*)hs, rmask, mask, emit, nullptr, 0, 0};
  const Backward f = {s, {dy, dyT, dyB, dh, dhAll}, act, ract, textbook != 0, packed, gates, dG};
  const auto body = act == a_tanh && ract == a_sigmoid ? backward<true> : backward<false>;
  over_parts(s, 6.0 * T * B * H * H, [&](const Part& part) { body(f, part); });
}

}  // namespace unroll::UNROLL_ISA
