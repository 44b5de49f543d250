// GRU with the reset before the product, over a whole sequence in one call, forward and backward.
//
//   z, r = ract(x W + h' U + b)    n = act(x Wh + bh + (r*h') Uh)    h = z*h' + (1-z)*n
//
// n needs r of all units, so that every step has two phases forward and, in the other order, two backward.
#include "cells.h"
#include "functions.h"

namespace unroll::UNROLL_ISA {

namespace {

// Where the parts of the packed weights begin: z and r by gates; then, by panels, the bias of n, its W and its U.
struct Parts {
  int bias, W, U, end;
  constexpr Parts(int I, int H)
      : bias(gates_size(I + H, H, 2)),
        W(bias + ceil_div(H, VL) * VL),
        U(W + panels_size(I, H)),
        end(U + panels_size(H, H)) {}
};

}  // namespace

int gru_before_packed_size(int I, int H) { return Parts(I, H).end; }

void gru_before_pack(int I, int H, const float* W, const float* U, const float* b, float* packed) {
  const Parts parts(I, H);
  pack_gates(I, H, H, 2, 3, W, U, b, packed);
  pack_bias(H, b ? b + 2 * H : nullptr, packed + parts.bias);
  pack_panels(I, 0, H, W + 2 * H, nullptr, 3 * H, packed + parts.W);
  pack_panels(0, H, H, nullptr, U + 2 * H, 3 * H, packed + parts.U);
}

namespace {

struct Forward {
  Sequence s;
  int act, ract;
  bool textbook;
  const float* packed;
  float *gates, *rh;
  long rhStep;
};

// The sums that the inputs give: those of z and r by gates, then those of n.
constexpr long ahead_row(int H) { return 3l * ceil_div(H, VL) * VL; }

// z, r and r*h' for the rows [first, last). z waits where h_t will stand.
void resets(const Forward& f, const Step& step, const float* ahead, float* gates, float* rh, const Part& part) {
  alignas(64) float sums[GateTiles<2>::buffer];
  const GateTiles<2> tiles(part.last - part.first);
  const int I = f.s.I, H = f.s.H, K = I + H;
  for (int unit = part.unit, some; unit < part.end; unit += some * VL) {
    some = tiles.vectors(ceil_div(part.end - unit, VL));
    for (int i = 0; i < tiles.count; i++) {
      const int from = part.first + tiles.row(i), m = tiles.row(i + 1) - tiles.row(i);
      const float* x = step.x + (long)from * K;
      const long zRow = some * 2 * VL, row = ahead_row(H);
      if (ahead)
        tiles.sums(m, some, x + I, K, GateRows<>{f.packed, H, K, I, H}, unit, ahead + from * row, row, sums, zRow);
      else
        tiles.sums(m, some, x, K, GateRows<>{f.packed, H, K, 0, K}, unit, f.packed, 0, sums, zRow);
      for (int r = 0; r < m; r++)
        for (int j = 0; j < some; j++) {
          const long b = from + r, u = unit + j * VL;
          const int n = smaller(H - (int)u, VL);
          const float* s = sums + (r * some + j) * 2 * VL;
          const v update = any_activation(f.ract, load(s)), reset = any_activation(f.ract, load(s + VL));
          store(step.xh + b * K + u, update, n);
          store(rh + b * H + u, reset * step.h_dropped(b, u, n), n);
          if (gates) store(gates + b * 3 * H + u, update, n), store(gates + b * 3 * H + H + u, reset, n);
        }
    }
  }
}

// n and h for the rows [first, last).
void candidates(const Forward& f, const Step& step, const float* ahead, float* gates, const float* rh,
                const Part& part) {
  const int I = f.s.I, H = f.s.H, K = I + H;
  const Parts parts(I, H);
  const auto finish = [&](const float* sums, long row, int b, int m, int column, int columns) {
    for (int r = 0; r < m; r++, b++, sums += row)
      for (int j = 0; j < columns; j += VL) {
        const int u = column + j, n = smaller(columns - j, VL);
        const v z = load(step.xh + (long)b * K + u, n), candidate = any_activation(f.act, load(sums + j));
        const v before = step.h_before(b, u, n), keep = f.textbook ? 1.f - z : z;
        if (gates) store(gates + (long)b * 3 * H + 2 * H + u, candidate, n);
        step.put_h(b, u, n, step.valid(b) ? madd(keep, before - candidate, candidate) : before);
      }
  };
  const Factor ofX = {step.x, K, I, f.packed + parts.W}, ofH = {rh, H, H, f.packed + parts.U};
  const long row = ahead_row(H);
  const Start start = ahead ? Start{ahead + row / 3 * 2, row} : Start{f.packed + parts.bias};
  over_panels(H, part, start, ahead ? ofH : ofX, ahead ? Factor{} : ofH, finish);
}

void forward(const Forward& f, const Part& part) {
  const int I = f.s.I, H = f.s.H, K = I + H;
  const long BH = (long)f.s.B * H;
  const Parts parts(I, H);
  const Ahead inputs(f.s, ahead_row(H));
  for (long t = 0; t < f.s.T; t++) {
    const Step step(f.s, t);
    const float* ahead = inputs.at(t, [&](int n, const float* x, float* out) {
      const long row = inputs.row;
      gate_sums<2>(n, x, K, GateRows<>{f.packed, H, K, 0, I}, part.unit, part.end, out, row);
      panel_sums(H, n, part, f.packed + parts.bias, {x, K, I, f.packed + parts.W}, out + row / 3 * 2, row);
    });
    float *gates = f.gates ? f.gates + t * 3 * BH : nullptr, *rh = f.rh + t * f.rhStep;
    resets(f, step, ahead, gates, rh, part);
    team_barrier();
    candidates(f, step, ahead, gates, rh, part);
    team_barrier();
  }
}

}  // namespace

void gru_before_forward(int T, int B, int I, int H, int act, int ract, int textbook, const float* packed, float* xh,
                        float* hs, const float* rmask, const float* mask, const float* emit, float* gates, float* rh,
                        int rhStep, float* y, int yT, int yB) {
  const Sequence s = {T, B, I, H, xh, hs, rmask, mask, emit, y, yT, yB};
  const Forward f = {s, act, ract, textbook != 0, packed, gates, rh, rhStep};
  if (rmask) drop_initial(f.s);
  over_parts(f.s, 6.0 * T * B * H * (I + H), [&](const Part& part) { forward(f, part); });
}

// U of z and r transposed, then that of n.
int gru_before_packed_backward_size(int H) { return gru_packed_backward_size(H); }
void gru_before_pack_backward(int H, const float* U, float* packed) { gru_pack_backward(H, U, packed); }

namespace {

struct Backward {
  Sequence s;
  Gradients g;
  int act, ract;
  bool textbook;
  const float *packed, *gates;
  float* dG;
};

// dz and dn of row b at step t; dr follows. dh keeps what reaches h' past the gates.
ALWAYS void cell_gradient(const Backward& f, const Step& step, long t, long b, int unit, int end) {
  const long H = f.s.H, at = t * f.s.B + b;
  const float* gates = f.gates + at * 3 * H;
  float *dh = f.g.dh + b * H, *dG = f.dG + at * 3 * H;
  for (int u = unit; u < end; u += VL) {
    const int n = smaller(end - u, VL);
    v dhu = gradient_of_h(f.s, f.g, t, b, u, n), dz = splat(0), dn = dz;
    if (step.valid(b)) {
      const v z = load(gates + u, n), candidate = load(gates + 2 * H + u, n);
      const v keep = f.textbook ? 1.f - z : z, gain = dhu * (step.h_before(b, u, n) - candidate);
      dn = dhu * (1.f - keep) * slope(f.act, candidate);
      dz = (f.textbook ? -gain : gain) * slope(f.ract, z);
      dhu *= keep;
    }
    store(dh + u, dhu, n);
    store(dG + u, dz, n), store(dG + H + u, splat(0), n), store(dG + 2 * H + u, dn, n);
  }
}

void backward(const Backward& f, const Part& part) {
  const int H = f.s.H;
  for (long t = f.s.T - 1; t >= 0; t--) {
    const Step step(f.s, t);
    for (int b = part.first; b < part.last; b++) cell_gradient(f, step, t, b, part.unit, part.end);
    team_barrier();
    const long at = t * f.s.B * 3 * H;
    float* dG = f.dG + at;
    // d(r*h') = dn Uh^T gives dr and a part of dh'.
    const auto finish = [&](const float* sums, long row, long b, int m, int column, int columns) {
      for (int i = 0; i < m; i++, b++, sums += row) {
        if (!step.valid(b)) continue;
        for (int j = 0; j < columns; j += VL) {
          const int u = column + j, n = smaller(columns - j, VL);
          float* dh = f.g.dh + b * H + u;
          const v product = load(sums + j), r = load(f.gates + at + b * 3 * H + H + u, n);
          store(dG + b * 3 * H + H + u, product * step.h_dropped(b, u, n) * slope(f.ract, r), n);
          v through = product * r;
          if (f.s.rmask) through *= load(f.s.rmask + b * H + u, n);
          store(dh, load(dh, n) + through, n);
        }
      }
    };
    over_panels(H, part, {}, {dG + 2 * H, 3 * H, H, f.packed + panels_size(2 * H, H)}, {}, finish);
    team_barrier();
    back_through(f.s, t, {dG, 3 * H, 2 * H, f.packed}, {}, true, f.g.dh, part);
  }
}

}  // namespace

void gru_before_backward(int T, int B, int I, int H, int act, int ract, int textbook, const float* packed,
                         const float* gates, const float* xh, const float* hs, const float* rmask, const float* mask,
                         const float* emit, const float* dy, int dyT, int dyB, float* dh, float* dG, float* dhAll) {
  const Sequence s = {T, B, I, H, (float*)xh, (float*)hs, rmask, mask, emit, nullptr, 0, 0};
  const Backward f = {s, {dy, dyT, dyB, dh, dhAll}, act, ract, textbook != 0, packed, gates, dG};
  over_parts(s, 6.0 * T * B * H * H, [&](const Part& part) { backward(f, part); });
}

}  // namespace unroll::UNROLL_ISA
