// The part of an LSTM step that follows the matrix product: the gates and the new cell state, and their gradients. Used by
// LSTM variants that have no kernel for whole sequences.
#include "functions.h"
#include "kernels_impl.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

template <bool standard>
void forward(const LstmGates& c) {
  const int act = standard ? (int)a_tanh : c.act, ract = standard ? (int)a_sigmoid : c.ract;
  const long H = c.H;
  over_ranges(c.B, 60.0 * c.B * c.H, [&](int first, int last) {
    for (long b = first; b < last; b++)
      for (int u = 0; u < c.H; u += VL) {
        const int n = min(c.H - u, VL);
        const float* a = c.a + b * 4 * H + u;
        const long at = b * H + u;
        const v i = activate(ract, load(a, n)), f = activate(ract, load(a + H, n));
        const v g = activate(act, load(a + 2 * H, n)), o = activate(ract, load(a + 3 * H, n));
        store(c.after + at, madd(f, load(c.before + at, n), i * g), n);
        store(c.o + at, o, n);
        if (!c.gates) continue;
        float* gates = c.gates + b * 3 * H + u;
        store(gates, i, n), store(gates + H, f, n), store(gates + 2 * H, g, n);
      }
  });
}

template <bool standard>
void backward(const LstmGatesBackward& c) {
  const int act = standard ? (int)a_tanh : c.act, ract = standard ? (int)a_sigmoid : c.ract;
  const long H = c.H;
  over_ranges(c.B, 20.0 * c.B * c.H, [&](int first, int last) {
    for (long b = first; b < last; b++)
      for (int u = 0; u < c.H; u += VL) {
        const int n = min(c.H - u, VL);
        const long at = b * H + u;
        const float* gates = c.gates + b * 3 * H + u;
        float* da = c.da + b * 4 * H + u;
        const v i = load(gates, n), f = load(gates + H, n), g = load(gates + 2 * H, n), o = load(c.o + at, n);
        const v dc = c.dAfter ? load(c.dAfter + at, n) : splat(0), dO = c.dO ? load(c.dO + at, n) : splat(0);
        store(da, dc * g * derivative(ract, i), n);
        store(da + H, dc * load(c.before + at, n) * derivative(ract, f), n);
        store(da + 2 * H, dc * i * derivative(act, g), n);
        store(da + 3 * H, dO * derivative(ract, o), n);
        store(c.dBefore + at, dc * f, n);
      }
  });
}

FORCE_INLINE bool standard_activations(int act, int ract) { return act == a_tanh && ract == a_sigmoid; }

}  // namespace

void lstm_gates(const LstmGates& c) { standard_activations(c.act, c.ract) ? forward<true>(c) : forward<false>(c); }

void lstm_gates_backward(const LstmGatesBackward& c) {
  standard_activations(c.act, c.ract) ? backward<true>(c) : backward<false>(c);
}

}  // namespace unroll::UNROLL_ISA
