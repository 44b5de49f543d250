// The part of an LSTM step that follows the matrix product: the gates and the new cell state, and their gradients. Used by
// LSTM variants that have no kernel for whole sequences.
#include "functions.h"
#include "kernels_impl.h"
#include "work.h"

namespace unroll::UNROLL_ISA {

namespace {

template <bool standard>
void forward(const LstmGates& s) {
  const int act = standard ? (int)a_tanh : s.act, ract = standard ? (int)a_sigmoid : s.ract;
  const long H = s.H;
  over_ranges(s.B, 60.0 * s.B * s.H, [&](int first, int last) {
    for (long b = first; b < last; b++)
      for (int u = 0; u < s.H; u += VL) {
        const int n = min(s.H - u, VL);
        const float* a = s.a + b * 4 * H + u;
        const long at = b * H + u;
        const v i = activate(ract, load(a, n)), f = activate(ract, load(a + H, n));
        const v g = activate(act, load(a + 2 * H, n)), o = activate(ract, load(a + 3 * H, n));
        store(s.after + at, madd(f, load(s.before + at, n), i * g), n);
        store(s.o + at, o, n);
        if (!s.gates) continue;
        float* gates = s.gates + b * 3 * H + u;
        store(gates, i, n), store(gates + H, f, n), store(gates + 2 * H, g, n);
      }
  });
}

template <bool standard>
void backward(const LstmGatesBackward& s) {
  const int act = standard ? (int)a_tanh : s.act, ract = standard ? (int)a_sigmoid : s.ract;
  const long H = s.H;
  over_ranges(s.B, 20.0 * s.B * s.H, [&](int first, int last) {
    for (long b = first; b < last; b++)
      for (int u = 0; u < s.H; u += VL) {
        const int n = min(s.H - u, VL);
        const long at = b * H + u;
        const float* gates = s.gates + b * 3 * H + u;
        float* da = s.da + b * 4 * H + u;
        const v i = load(gates, n), f = load(gates + H, n), g = load(gates + 2 * H, n), o = load(s.o + at, n);
        const v dc = s.dAfter ? load(s.dAfter + at, n) : splat(0), dO = s.dO ? load(s.dO + at, n) : splat(0);
        store(da, dc * g * derivative(ract, i), n);
        store(da + H, dc * load(s.before + at, n) * derivative(ract, f), n);
        store(da + 2 * H, dc * i * derivative(act, g), n);
        store(da + 3 * H, dO * derivative(ract, o), n);
        store(s.dBefore + at, dc * f, n);
      }
  });
}

FORCE_INLINE bool standard_activations(int act, int ract) { return act == a_tanh && ract == a_sigmoid; }

}  // namespace

void lstm_gates(const LstmGates& s) { standard_activations(s.act, s.ract) ? forward<true>(s) : forward<false>(s); }

void lstm_gates_backward(const LstmGatesBackward& s) {
  standard_activations(s.act, s.ract) ? backward<true>(s) : backward<false>(s);
}

}  // namespace unroll::UNROLL_ISA
